"""Resources and the app's manifest, compiled by aapt2."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from toolchain import files
from toolchain.android import tools
from toolchain.android.archive import Entry, read_entries
from toolchain.android.sources import Sources

_PREBUILT = {"aapt2": "prebuilt/linux/aapt2", "android-framework.jar": "prebuilt/android-framework.jar"}


@dataclass(frozen=True)
class Aapt2:
    """Android's asset packaging tool, and the framework's resources that it links against."""

    program: Path
    framework: Path

    @classmethod
    def unpack(cls, apktool: Path, folder: Path) -> Aapt2:
        """Takes both out of apktool's jar, once, into `folder`."""
        places = {name: folder / apktool.stem / name for name in _PREBUILT}
        if not all(path.is_file() for path in places.values()):
            for name, data in read_entries(apktool, _PREBUILT.values()).items():
                files.write(folder / apktool.stem / Path(name).name, data)
        places["aapt2"].chmod(0o755)
        return cls(places["aapt2"], places["android-framework.jar"])

    def link(self, sources: Sources, work: Path) -> tuple[list[Entry], Path]:
        """The compiled manifest, resource table and resource files as entries of an APK, and the R.java that names them."""
        compiled, linked, java = work / "resources.zip", work / "resources.apk", work / "r"
        tools.run([self.program, "compile", "--dir", sources.resources, "-o", compiled], "compiling the resources")
        command: list[str | Path] = [
            self.program,
            "link",
            "-I",
            self.framework,
            "--manifest",
            sources.manifest,
            "--java",
            java,
            "-o",
            linked,
            compiled,
        ]
        tools.run(command, "linking the resources")
        return _entries(linked), next(java.rglob("R.java"))

    def dump(self, what: list[str], apk: Path) -> str:
        """What `aapt2 dump` says of an APK."""
        return tools.run([self.program, "dump", *what, apk], "reading the APK's manifest")


def _entries(linked: Path) -> list[Entry]:
    """The manifest first, as every tool expects it; what aapt2 stored stays stored, at 4 bytes."""
    with zipfile.ZipFile(linked) as opened:
        order = sorted(opened.infolist(), key=lambda item: (item.filename != "AndroidManifest.xml", item.filename))
        return [Entry(item.filename, opened.read(item), 4 if item.compress_type == zipfile.ZIP_STORED else 0) for item in order]
