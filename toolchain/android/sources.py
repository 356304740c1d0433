"""Where the Java sources and resources of the SDK and the app lie: in a checkout, or beside this file once installed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import PackagingError


@dataclass(frozen=True)
class Sources:
    """`root` holds sdk/src/main, app/src/main and sdk-aar as in android_demo/."""

    root: Path

    @classmethod
    def find(cls) -> Sources:
        """The wheel's own copy, else the checkout's. Error: PackagingError where there is neither."""
        here = Path(__file__).resolve()
        for root in (here.parent / "sources", here.parents[2] / "android_demo"):
            if (root / "sdk" / "src" / "main").is_dir():
                return cls(root)
        raise PackagingError(f"{here.parent / 'sources'}: expected the sources of the SDK and the app, not found; install pocketface again")

    @property
    def manifest(self) -> Path:
        """The app's AndroidManifest.xml."""
        return self.root / "app" / "src" / "main" / "AndroidManifest.xml"

    @property
    def resources(self) -> Path:
        """The app's res folder."""
        return self.root / "app" / "src" / "main" / "res"

    def library(self, name: str) -> Path:
        """A file that the AAR takes as it is."""
        return self.root / "sdk-aar" / name

    def java(self, part: str) -> list[Path]:
        """The Java files of `part` (sdk or app), by name. Error: PackagingError where there is none."""
        folder = self.root / part / "src" / "main" / "java"
        found = sorted(folder.rglob("*.java"))
        if not found:
            raise PackagingError(f"{folder}: expected Java files, got none; the checkout or the installation is incomplete")
        return found
