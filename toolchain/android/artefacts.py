"""What packaging takes from Maven Central: each file by its coordinates and its sha256.

Maven fetches what the local repository lacks; files that are there and right are used without a Maven run. Versions that
the Maven build of android_demo/ uses too are the same ones (tests/toolchain/android/test_android_parts.py).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.android import tools
from toolchain.errors import PackagingError
from toolchain.progress import Progress


@dataclass(frozen=True)
class Artefact:
    """One file of Maven Central."""

    group: str
    name: str
    version: str
    sha256: str
    classifier: str = ""
    kind: str = "jar"

    @property
    def path(self) -> str:
        """Where it lies in a Maven repository."""
        tail = f"-{self.classifier}" if self.classifier else ""
        return f"{self.group.replace('.', '/')}/{self.name}/{self.version}/{self.name}-{self.version}{tail}.{self.kind}"

    def dependency(self) -> str:
        """As a dependency of a POM, without what it depends on itself: that is named here too where it is needed."""
        fields = {"groupId": self.group, "artifactId": self.name, "version": self.version, "type": self.kind}
        if self.classifier:
            fields["classifier"] = self.classifier
        text = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        alone = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
        return f"<dependency>{text}{alone}</dependency>"


TFLITE_VERSION, JAVACPP_VERSION, ASM_VERSION, DEX2JAR_VERSION = "2.20.0-1.5.13", "1.5.13", "9.10.1", "2.4.38"


def _tflite(sha256: str, classifier: str = "") -> Artefact:
    return Artefact("org.bytedeco", "tensorflow-lite", TFLITE_VERSION, sha256, classifier)


def _javacpp(sha256: str, classifier: str = "") -> Artefact:
    return Artefact("org.bytedeco", "javacpp", JAVACPP_VERSION, sha256, classifier)


def _asm(name: str, sha256: str) -> Artefact:
    return Artefact("org.ow2.asm", name, ASM_VERSION, sha256)


def _dex2jar(name: str, sha256: str) -> Artefact:
    return Artefact("de.femtopedia.dex2jar", name, DEX2JAR_VERSION, sha256)


TFLITE = _tflite("f6e60b78bf13754a005ce838dc607fc3923d27170ec4e0661d3cf066d8141643")
JAVACPP = _javacpp("077f27d663cc928adce43e912a90ec06f97f92f120ca02d414735ae0fb1c743c")
NATIVE = {
    "arm64-v8a": (
        _tflite("78ae1c9b6ff3ad974428de25d935dbec33d3afae0095eeb555f871c26491bb03", "android-arm64"),
        _javacpp("f258e04282475d1f6c9dea22aef15b3401de001c2c2509051d9ab1c500e223f5", "android-arm64"),
    ),
    "x86_64": (
        _tflite("2245ade3b7f06365320109e8623f07fadd843b10b3b87a2377872a71b27d2242", "android-x86_64"),
        _javacpp("3ed1021c16bd9cafb3e3621a23592cf37030f88fa8ad3e15eb5ce64d27898b25", "android-x86_64"),
    ),
}
"""The native libraries by Android's name of the processor."""
DESKTOP = (
    _tflite("9bba5aaa6c53a005404a3f1b4bc4789d2bb1ec3dbe17896829822c883832542b", "linux-x86_64"),
    _javacpp("b7ebf6240c4025681b5fe868cc2d4cb166cf297824e55f25396f8465d48d8244", "linux-x86_64"),
)
"""The same library for the desktop's JVM, on which the APK's classes are run."""

JSON = Artefact(
    "com.eclipsesource.minimal-json", "minimal-json", "0.9.5", "69ff84463d1d7cc5cfdb8baf2b6e5f7af153d351bf0dbee3bbc8916247afac74"
)
"""Reads the manifest."""
ANDROID = Artefact(
    "org.robolectric",
    "android-all",
    "15-robolectric-13954326",
    "e17105f6c432357e6bb278a527f8e848d01fc56ccee01be77725bea23d871990",
)
"""The framework of API 35, to compile against; nothing of it is packaged."""
NULLABILITY = Artefact("org.jetbrains", "annotations", "26.0.2", "2037be378980d3ba9333e97955f3b2cde392aa124d04ca73ce2eee6657199297")
"""Annotations that the sources use; they do nothing at run time."""
APKTOOL = Artefact("org.apktool", "apktool-lib", "3.0.3", "983773879fd89ede2cd938858e3efce2a90ac1123f6a5140e9d949dcf4464e3e")
"""Carries aapt2 for Linux and the framework's resources; its own classes are not used."""
DX = Artefact(
    "com.jakewharton.android.repackaged", "dalvik-dx", "16.0.1", "1e4b645628e3bdb097b5331d669e177ef235a551582a8c646dbe36865e541907"
)
"""Class files to dex. Newer compilers (d8, R8) are in Google's repository alone."""
API_LEVEL = (
    Artefact("org.codehaus.mojo", "animal-sniffer", "1.24", "65d028de87134f0955e3a964fe438fc3e99e77b237a77e5e165869a8ff59db5f"),
    _asm("asm", "ed825d10ab1399c8c0cb669e688cf0c8c82629b4c8399b58352b68e92ca10fcb"),
)
API_26 = Artefact(
    "com.toasttab.android",
    "gummy-bears-api-26",
    "0.15.0",
    "3e80066053b6d4b1637a3f363e621bd4b89915ec4aa903060a3b281dbb81ac61",
    kind="signature",
)
"""Every class and method that Android 8.0 has."""
FROM_DEX = (
    _dex2jar("dex-translator", "9bb5a7852cfc9698d130cc780513bb202a8b0c59bf8dd43c3f25cf32c587741d"),
    _dex2jar("dex-reader", "177a7ddc7a9b7cc1e9a86603f93599461bc64ed8d5574b80f42391390ea9ec7d"),
    _dex2jar("dex-reader-api", "490cac37ca090db759295eae2c279536bca7c77e8cfa3be4372210a6a4ca9d2a"),
    _dex2jar("dex-ir", "ecac2eb44ad9393ac579d5d4e48520b485e90ab6536becdb061466fef92d9bb8"),
    _asm("asm", "ed825d10ab1399c8c0cb669e688cf0c8c82629b4c8399b58352b68e92ca10fcb"),
    _asm("asm-tree", "3dfb0d5b6a106cd40b5b250e39935fbf2f927f4477546a5369a3ac609cf0506b"),
    _asm("asm-util", "1bb99d091fba2597dc6d51193e9bbcf0d8447e7ed96bd8f0198b18152f09655c"),
    _asm("asm-analysis", "dede75a21306b65974ecd8f87114ff6970f09fb794157a4ca09ab25c888c2bfc"),
    _asm("asm-commons", "6d0abefb7cbf972ea16edb37ec14835372505063a45f976ab7ea889ed9497895"),
)
"""Dex to class files again, for the proof that runs the APK's own code on the desktop."""


def fetch(artefacts: Sequence[Artefact], progress: Progress) -> dict[Artefact, Path]:
    """The file of each artefact in the local Maven repository, its sha256 checked; what is missing is downloaded.

    Errors: PackagingError without Maven, without the network, or where a file is not the one that is pinned here.
    """
    wanted = list(dict.fromkeys(artefacts))
    repository = Path.home() / ".m2" / "repository"
    found = {artefact: repository / artefact.path for artefact in wanted}
    if not all(path.is_file() for path in found.values()):
        progress.say("fetching what is missing from Maven Central (up to 250 MB at first)")
        found = _resolve(wanted, progress)
    for artefact, path in found.items():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != artefact.sha256:
            raise PackagingError(f"{path}: expected sha256 {artefact.sha256}, got {digest}; remove the file and try again")
    return found


def _resolve(wanted: list[Artefact], progress: Progress) -> dict[Artefact, Path]:
    """One Maven run over all of them; it says where each lies, wherever the user's settings put the repository."""
    tools.require(["mvn", "java"], "fetching from Maven Central")
    with tempfile.TemporaryDirectory() as folder:
        pom, listed = Path(folder, "pom.xml"), Path(folder, "files")
        head = '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        own = "<groupId>org.pocketface</groupId><artifactId>packaging</artifactId><version>1</version>"
        body = "".join(artefact.dependency() for artefact in wanted)
        pom.write_text(f"{head}{own}<dependencies>{body}</dependencies></project>")
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath"
        _maven(["mvn", "-B", "-f", str(pom), goal, f"-Dmdep.outputFile={listed}"], progress)
        paths = [Path(name) for name in listed.read_text().split(os.pathsep)]
    return {artefact: _one(artefact, paths) for artefact in wanted}


def _maven(command: list[str], progress: Progress) -> None:
    """Runs Maven and says which jar it got."""
    errors = []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Downloaded from" in line and ".pom " not in line:
                progress.say(f"fetched {line.split('/')[-1].strip()}")
            elif line.startswith("[ERROR]"):
                errors.append(line.removeprefix("[ERROR]").strip())
    if process.returncode != 0:
        raise PackagingError(f"mvn could not fetch what packaging needs: {(errors or ['it said nothing'])[0][:300]}; is there a network?")


def _one(artefact: Artefact, paths: list[Path]) -> Path:
    for path in paths:
        if path.as_posix().endswith("/" + artefact.path):
            return path
    raise PackagingError(
        f"mvn: expected {artefact.path} among what it fetched, got none; remove it from the local repository and try again"
    )
