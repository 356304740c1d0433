"""The SDK as an Android library: an AAR with its POM, in a folder that Gradle and Maven read as a repository.

The AAR holds the SDK's classes and TensorFlow Lite's libraries for phones (arm64-v8a) and emulators (x86_64). TensorFlow Lite's
Java classes and the JSON reader stay dependencies, which Gradle gets from Maven Central.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import toolchain
from toolchain import files
from toolchain.android import artefacts, class_files, code, elf, tools
from toolchain.android.archive import PAGE, Entry, archive
from toolchain.android.artefacts import APKTOOL, JSON, NATIVE, TFLITE
from toolchain.android.proofs import Proof, api_level
from toolchain.android.resources import Aapt2
from toolchain.android.sources import Sources
from toolchain.android.verify import LEAST_SDK
from toolchain.errors import PackagingError
from toolchain.progress import Progress

GROUP, NAME = "org.pocketface", "pocketface-sdk"
ABIS = ("arm64-v8a", "x86_64")
_METADATA = "META-INF/com/android/build/gradle/aar-metadata.properties"
_METADATA_TEXT = (
    f"aarFormatVersion=1.0\naarMetadataVersion=1.0\nminCompileSdk={LEAST_SDK}\nminCompileSdkExtension=0\n"
    "minAndroidGradlePluginVersion=1.0.0\ncoreLibraryDesugaringEnabled=false\n"
)


@dataclass(frozen=True)
class AarReport:
    """`folder` is the repository, `coordinates` what a build script names."""

    folder: str
    coordinates: str
    aar: str
    size: int
    sha256: str
    classes: int
    abis: tuple[str, ...]
    proofs: tuple[Proof, ...]

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def build_aar(folder: Path, cache: Path, progress: Progress) -> AarReport:
    """Writes the library into the repository `folder`, this version whole or not at all; other versions stay.

    Errors: PackagingError where a program is missing or a check fails; DataError where `folder` cannot be written.
    """
    tools.require(("java", "javac"), "an AAR")
    sources, version = Sources.find(), toolchain.__version__
    with tempfile.TemporaryDirectory(prefix="pocketface-aar-") as place:
        work = Path(place)
        native = [artefact for abi in ABIS for artefact in NATIVE[abi]]
        fetched = artefacts.fetch([*code.SDK, APKTOOL, *api_level.ARTEFACTS, *native], progress)
        progress.say("compiling")
        classes = code.compile_sdk(sources, fetched, work)
        progress.say("checking the API level")
        proof = api_level.prove(fetched, [classes, fetched[JSON]])
        aar = archive(
            [
                Entry("AndroidManifest.xml", sources.library("AndroidManifest.xml").read_bytes()),
                Entry("classes.jar", class_files.jar_of([classes])),
                Entry("R.txt", b""),
                Entry("proguard.txt", sources.library("consumer-rules.pro").read_bytes()),
                Entry(_METADATA, _METADATA_TEXT.encode()),
                *code.libraries(ABIS, fetched, "jni", alignment=0),
            ]
        )
        progress.say("verifying")
        count = _verify(aar, Aapt2.unpack(fetched[APKTOOL], cache), work)
    artefact = folder.joinpath(*GROUP.split("."), NAME, version)
    files.write_all(artefact, {f"{NAME}-{version}.aar": aar, f"{NAME}-{version}.pom": _pom(version)})
    path = artefact / f"{NAME}-{version}.aar"
    digest = hashlib.sha256(aar).hexdigest()
    return AarReport(str(folder), f"{GROUP}:{NAME}:{version}", str(path), len(aar), digest, count, ABIS, (proof,))


def _verify(aar: bytes, aapt2: Aapt2, work: Path) -> int:
    """Its libraries can be mapped, its manifest links as a library's, and its class files may become dex; how many those are."""
    path, manifest = work / "sdk.aar", work / "aar-manifest" / "AndroidManifest.xml"
    path.write_bytes(aar)
    manifest.parent.mkdir()
    with zipfile.ZipFile(path) as opened:
        for name in opened.namelist():
            if name.endswith(".so") and min(elf.load_alignments(opened.read(name), name, name.split("/")[1]), default=0) < PAGE:
                raise PackagingError(f"AAR: {name}: expected LOAD segments aligned to {PAGE}, got less; it was not written")
        manifest.write_bytes(opened.read("AndroidManifest.xml"))
        (work / "classes.jar").write_bytes(opened.read("classes.jar"))
    command: list[str | Path] = [
        aapt2.program,
        "link",
        "--static-lib",
        "-I",
        aapt2.framework,
        "--manifest",
        manifest,
        "-o",
        work / "library.apk",
    ]
    tools.run(command, "linking the library's manifest")
    return sum(1 for _ in class_files.class_files(work / "classes.jar"))


def _pom(version: str) -> str:
    """What a consumer's build reads: the coordinates, and what else the SDK needs."""
    dependencies = "".join(
        f"    <dependency><groupId>{item.group}</groupId><artifactId>{item.name}</artifactId><version>{item.version}</version>"
        "<scope>runtime</scope></dependency>\n"
        for item in (TFLITE, JSON)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<project xmlns="http://maven.apache.org/POM/4.0.0">\n'
        "  <modelVersion>4.0.0</modelVersion>\n"
        f"  <groupId>{GROUP}</groupId>\n  <artifactId>{NAME}</artifactId>\n  <version>{version}</version>\n  <packaging>aar</packaging>\n"
        "  <name>PocketFace SDK for Android</name>\n"
        "  <licenses><license><name>Apache-2.0</name></license></licenses>\n"
        f"  <dependencies>\n{dependencies}  </dependencies>\n</project>\n"
    )
