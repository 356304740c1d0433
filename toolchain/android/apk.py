"""A signed and verified app around a bundle.

The unsigned APK follows from the bundle, the sources, the pinned artefacts and the JDK, byte for byte; the signed one also
from the key.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from runtime_py.bundle import Bundle
from toolchain import files
from toolchain.android import artefacts, code, tools
from toolchain.android.archive import PAGE, Entry, archive
from toolchain.android.artefacts import APKTOOL, NATIVE, Artefact
from toolchain.android.proofs import Proof, api_level, arm64, dex_on_jvm, maven_tests
from toolchain.android.resources import Aapt2
from toolchain.android.sign import Key, debug_key, sign, try_key
from toolchain.android.sources import Sources
from toolchain.android.verify import BUNDLE, LEAST_SDK, Check, Expected, verify
from toolchain.errors import PackagingError
from toolchain.progress import Progress

PROGRAMS = ("java", "javac", "keytool", "apksigner", "zipalign", "dexdump")


@dataclass(frozen=True)
class ApkOrder:
    """What is wanted: an app around the file `bundle`, written to `out`, with libraries for `abis`, arm64-v8a among them. `key` None:
    the debug key. `prove`: also run the proofs that take longer. `cache`: a folder for what is made once."""

    bundle: Path
    out: Path
    abis: tuple[str, ...]
    key: Key | None
    prove: bool
    cache: Path
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True)
class ApkReport:
    """What packaging did. `unsigned_sha256` is the same wherever bundle, sources, artefacts and JDK are; `proofs` says of each
    whether it ran and what it found; `seconds` is the time by step."""

    apk: str
    sha256: str
    size: int
    unsigned_sha256: str
    bundle: str
    bundle_sha256: str
    abis: tuple[str, ...]
    debug_key: bool
    jdk: str
    checks: tuple[Check, ...]
    proofs: tuple[Proof, ...]
    seconds: dict[str, float]

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def build_apk(order: ApkOrder) -> ApkReport:
    """Writes the APK, and its report beside it as JSON, each whole or not at all.

    Errors: PackagingError where a program is missing or a check or a proof fails; BundleError; DataError.
    """
    tools.require(PROGRAMS, "an APK")
    bundle = Bundle.open(order.bundle)
    data = order.bundle.read_bytes()
    if hashlib.sha256(data).hexdigest() != bundle.sha256:
        raise PackagingError(f"{order.bundle}: changed while it was read; try again")
    key, sources, seconds = order.key or debug_key(order.cache), Sources.find(), _Seconds(order.progress)
    with tempfile.TemporaryDirectory(prefix="pocketface-apk-") as folder, files.partial(order.out) as partial:
        work, unsigned = Path(folder), Path(folder, "unsigned.apk")
        if order.key is not None:
            try_key(order.key, work, LEAST_SDK)
        with seconds.of("fetching artefacts"):
            fetched = artefacts.fetch(_needed(order), order.progress)
            aapt2 = Aapt2.unpack(fetched[APKTOOL], order.cache)
        with seconds.of("compiling"):
            app = code.compile_app(sources, fetched, aapt2, work)
        with seconds.of("checking the API level"):
            proofs = [api_level.prove(fetched, app.classes), *maven_tests.read(sources)]
        with seconds.of("signing"):
            unsigned.write_bytes(_unsigned(app, order.abis, fetched, data))
            sign(unsigned, partial, key, LEAST_SDK)
        with seconds.of("verifying"):
            checks = verify(partial, Expected(_package(sources.manifest), order.abis, data), aapt2, work)
        proofs += _prove(order, bundle, partial, fetched, work, seconds)
        report = ApkReport(
            apk=str(order.out),
            sha256=_sha256(partial),
            size=partial.stat().st_size,
            unsigned_sha256=_sha256(unsigned),
            bundle=str(order.bundle),
            bundle_sha256=bundle.sha256,
            abis=order.abis,
            debug_key=key.debug,
            jdk=tools.run(["javac", "-version"], "asking for the JDK's version").strip(),
            checks=checks,
            proofs=tuple(proofs),
            seconds=seconds.by_step,
        )
    files.write(order.out.with_suffix(".report.json"), json.dumps(report.describe(), indent=1) + "\n")
    return report


def _needed(order: ApkOrder) -> list[Artefact]:
    """In one list, so that one Maven run fetches all of it."""
    native = [artefact for abi in order.abis for artefact in NATIVE[abi]]
    return [*code.APP, *api_level.ARTEFACTS, *native, *(dex_on_jvm.ARTEFACTS if order.prove else ())]


def _unsigned(app: code.AppCode, abis: tuple[str, ...], fetched: dict[Artefact, Path], bundle: bytes) -> bytes:
    entries = [*app.entries, *code.properties(abis, fetched), *code.libraries(abis, fetched, "lib"), Entry(BUNDLE, bundle, PAGE)]
    return archive(entries)


def _prove(order: ApkOrder, bundle: Bundle, apk: Path, fetched: dict[Artefact, Path], work: Path, seconds: _Seconds) -> Iterator[Proof]:
    """The proofs that run what is in the APK."""
    if not order.prove:
        yield from (Proof(name, False, "--prove runs it") for name in (dex_on_jvm.NAME, arm64.NAME))
        return
    with seconds.of("running the APK's dex on the JVM"):
        yield dex_on_jvm.prove(apk, order.bundle, fetched, work)
    with seconds.of("running the APK's library under qemu"):
        yield arm64.prove(apk, bundle, work)


def _package(manifest: Path) -> str:
    """The app's name for Android, as its manifest states it."""
    return ElementTree.parse(manifest).getroot().get("package", "")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Seconds:
    """How long each step took; says what is being done."""

    def __init__(self, progress: Progress) -> None:
        self.by_step: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        self._progress.say(step)
        start = time.monotonic()
        yield
        self.by_step[step] = round(time.monotonic() - start, 2)
