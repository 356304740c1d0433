"""The part of an APK that no bundle changes: the manifest, the resources and the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.android.archive import PAGE, Entry, read_entries
from toolchain.android.artefacts import ANDROID, APKTOOL, DX, JAVACPP, JSON, NATIVE, NULLABILITY, TFLITE, Artefact
from toolchain.android.compile import compile_java, dex
from toolchain.android.resources import Aapt2
from toolchain.android.sources import Sources

PACKAGED = (JSON, JAVACPP, TFLITE)
"""What the SDK needs at run time."""
SDK = (*PACKAGED, NULLABILITY, ANDROID)
"""What the SDK is compiled against; the framework last, since it holds copies of others' classes."""
APP = (*SDK, APKTOOL, DX)
CLASSES = "classes.dex"
LIBRARIES = ("libjnitensorflowlite.so", "libjnijavacpp.so")
"""In the order of artefacts.NATIVE."""
# What JavaCPP reads at run time to know its platform; it lies in its jar for every platform.
_PROPERTIES = {"arm64-v8a": "android-arm64.properties", "x86_64": "android-x86_64.properties"}


@dataclass(frozen=True)
class AppCode:
    """`entries` of an APK: compiled resources and classes.dex. `classes`: folders and jars of
    all that is in it but TensorFlow Lite."""

    entries: tuple[Entry, ...]
    classes: tuple[Path, ...]


def compile_sdk(sources: Sources, fetched: Mapping[Artefact, Path], work: Path) -> Path:
    """The folder of the SDK's class files."""
    out = work / "sdk-classes"
    compile_java(sources.java("sdk"), [fetched[artefact] for artefact in SDK], out)
    return out


def compile_app(sources: Sources, fetched: Mapping[Artefact, Path], aapt2: Aapt2, work: Path) -> AppCode:
    """Everything from the sources. Error: PackagingError with the first thing that is wrong in them."""
    resources, names = aapt2.link(sources, work)
    sdk, app = compile_sdk(sources, fetched, work), work / "app-classes"
    compile_java([*sources.java("app"), names], [sdk, *(fetched[artefact] for artefact in SDK)], app)
    code = dex([sdk, app, *(fetched[artefact] for artefact in PACKAGED)], fetched[DX], work)
    return AppCode((*resources, Entry(CLASSES, code)), (sdk, app, fetched[JSON]))


def libraries(abis: Sequence[str], fetched: Mapping[Artefact, Path], folder: str, alignment: int = PAGE) -> list[Entry]:
    """The native libraries for `abis` as entries below `folder`/ABI/: stored at `alignment` bytes, 0: deflated."""
    entries = []
    for abi in abis:
        for artefact, name in zip(NATIVE[abi], LIBRARIES, strict=True):
            inside = f"lib/{abi}/{name}"
            entries.append(Entry(f"{folder}/{abi}/{name}", read_entries(fetched[artefact], [inside])[inside], alignment))
    return entries


def properties(abis: Sequence[str], fetched: Mapping[Artefact, Path]) -> list[Entry]:
    """JavaCPP's description of each platform, as entries of an APK."""
    names = [f"org/bytedeco/javacpp/properties/{_PROPERTIES[abi]}" for abi in abis]
    return [Entry(name, data) for name, data in read_entries(fetched[JAVACPP], names).items()]
