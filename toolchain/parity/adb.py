"""The self-test of the demo app on a phone: its report (docs/selftest-report.md), read from a file or by adb, and judged by a bundle.

The report says what the phone computed; this says whether that is what the bundle states. Not exercised with a phone by the tests,
which have none: they read reports.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from runtime_py.bundle import Bundle
from runtime_py.selftest import Check
from toolchain.android import tools
from toolchain.errors import DataError, GateError, SetupError
from toolchain.progress import Progress

PACKAGE = "org.pocketface.demo"
ACTIVITY = f"{PACKAGE}/.SelfTestActivity"
PLACE = f"/sdcard/Android/data/{PACKAGE}/files/selftest.txt"
VERSION = "1"
_PATIENCE, _PAUSE = 600.0, 2.0
_ROUNDING = 5e-7
"""Cosines are reported with six digits behind the point."""
_DEVICE = ("device", "android", "api", "abi", "cpus", "runtime", "app", "time")


@dataclass(frozen=True)
class Step:
    """A step of recognition: median and 90th percentile of `runs` times, in milliseconds; None where it never ran."""

    name: str
    ms: float | None
    ms_p90: float | None
    runs: int


@dataclass(frozen=True)
class VariantRun:
    """A variant on the phone against its golden embeddings. `load_ms` from the bundle to a model that is ready; `embed_ms` from a crop
    to its embedding, the median. `error`: why it could not be run; the figures are then None."""

    name: str
    sha256: str
    passed: bool
    bound: float | None
    faces: int | None = None
    min_cosine: float | None = None
    max_abs: float | None = None
    load_ms: float | None = None
    embed_ms: float | None = None
    embed_ms_p90: float | None = None
    memory_kib: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class PhoneReport:
    """What a phone's self-test came to. `device`: what is known of the phone and its app, by the report's keys."""

    bundle_sha256: str
    device: Mapping[str, str]
    checks: tuple[Check, ...]
    steps: tuple[Step, ...]
    variants: tuple[VariantRun, ...]
    passed: bool

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def missed(self, bundle: Bundle) -> list[str]:
        """What is not as `bundle` states, a line each. Error: DataError where the report is another bundle's."""
        if self.bundle_sha256 != bundle.sha256:
            raise DataError(
                f"self-test report: expected one of the bundle {bundle.sha256[:16]}… ({bundle.source}), got one of "
                f"{self.bundle_sha256[:16]}…; make the app from this bundle: toolchain apk"
            )
        lines = [f"{check.name}: {check.detail}" for check in self.checks if not check.passed]
        runs = {run.name: run for run in self.variants}
        for name in bundle.variants:
            stated = bundle.variant(name)
            run = runs.get(name)
            if run is None:
                lines.append(f"{name}: expected it in the report, the phone did not run it")
            elif run.sha256 != stated.sha256:
                lines.append(f"{name}: expected the .tflite {stated.sha256[:16]}…, the phone ran {run.sha256[:16]}…")
            elif run.min_cosine is None:
                lines.append(f"{name}: {run.error or 'the report has no figures of it'}")
            elif run.min_cosine < stated.golden_min_cosine - _ROUNDING:
                lines.append(f"{name}: expected a cosine of at least {stated.golden_min_cosine:g} to the golden, got {run.min_cosine:g}")
            elif not run.passed:
                lines.append(f"{name}: the phone says that it failed")
        return lines if lines or self.passed else ["the phone says that the test failed"]

    def failure(self, bundle: Bundle) -> GateError | None:
        """The first that is missed, and the number of others; None where all is well. Error: as `missed`."""
        lines = self.missed(bundle)
        if not lines:
            return None
        return GateError(f"{self.device.get('device', 'phone')}: {lines[0]}" + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""))


def run_on_phone(progress: Progress) -> str:
    """Starts the self-test on the phone that adb is connected to, and returns its report.

    Errors: PackagingError without adb, without a phone, or with several and no ANDROID_SERIAL; SetupError where the app is not
    installed or does not come to an end.
    """
    installed = _adb("shell", "pm", "list", "packages", PACKAGE).split()
    if f"package:{PACKAGE}" not in installed:
        raise SetupError(f"adb: expected the app {PACKAGE} on the phone, it is not there; adb install the APK that toolchain apk made")
    _adb("shell", f"rm -f {PLACE}")
    # -S: without it a screen that is open already only comes to the front, and does not see that it is to run.
    _adb("shell", "am", "start", "-S", "-n", ACTIVITY, "--ez", "run", "true")
    progress.say("self-test started on the phone; keep its screen on")
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        text = _adb("shell", f"cat {PLACE} 2>/dev/null || true")
        if text:
            return text
        time.sleep(_PAUSE)
    raise SetupError(f"adb: expected the self-test to end within {_PATIENCE:.0f} s, it did not; look at the phone's screen")


def read_report(text: str) -> PhoneReport:
    """The report that `text` is, as docs/selftest-report.md states its format. Error: DataError."""
    values = _lines(text)
    count = sum(re.fullmatch(r"check\.\d+", key) is not None for key in values)
    checks = [_check(values[f"check.{number}"]) for number in range(1, count + 1) if f"check.{number}" in values]
    if not len(checks) == count == _whole(values, "checks") or sum(not check.passed for check in checks) != _whole(values, "failed"):
        raise DataError(f"self-test report: expected {values['checks']} checks of which {values['failed']} failed, got others")
    # A variant's name may hold dots, so it is found by the last field, which every variant has.
    names = [key[len("variant.") : -len(".result")] for key in values if key.startswith("variant.") and key.endswith(".result")]
    steps = [key[len("step.") : -len(".ms")] for key in values if key.startswith("step.") and key.endswith(".ms")]
    return PhoneReport(
        bundle_sha256=_text(values, "bundle-sha256"),
        device={key: values[key] for key in _DEVICE if key in values},
        checks=tuple(checks),
        steps=tuple(
            Step(name, _number(values, f"step.{name}.ms"), _number(values, f"step.{name}.ms-p90"), _whole(values, f"step.{name}.runs"))
            for name in steps
        ),
        variants=tuple(_variant(values, name) for name in names),
        passed=_passed(_text(values, "result")),
    )


def _adb(*words: str) -> str:
    return tools.run(("adb", *words), "the phone's self-test")


def _lines(text: str) -> dict[str, str]:
    """Each key with its value. Error: DataError for other text than a whole report of this version."""
    lines = text.replace("\r\n", "\n").split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    if not lines or not re.fullmatch(r"pocketface-selftest: \d+", lines[0]):
        raise DataError("self-test report: expected pocketface-selftest: VERSION in the first line, got another text")
    if lines[0] != f"pocketface-selftest: {VERSION}":
        raise DataError(f"self-test report: expected version {VERSION}, got {lines[0].split()[-1]}; update the app or pocketface")
    if lines[-1] != f"end: {len(lines) - 1}":
        raise DataError(f"self-test report: expected end: {len(lines) - 1} in the last line, got {lines[-1]!r}; it was cut off or changed")
    values: dict[str, str] = {}
    for line in lines:
        key, separator, value = line.partition(": ")
        if not separator or not re.fullmatch("[a-z0-9][a-z0-9._-]*", key) or key in values:
            raise DataError(f"self-test report: expected lines KEY: VALUE, each key once, got {line!r}")
        values[key] = value
    return values


def _check(line: str) -> Check:
    result, _, rest = line.partition("; ")
    name, _, detail = rest.partition("; ")
    return Check(name, _passed(result), detail)


def _variant(values: Mapping[str, str], name: str) -> VariantRun:
    key = f"variant.{name}"
    known = _text(values, f"{key}.sha256"), _passed(_text(values, f"{key}.result")), _number(values, f"{key}.bound")
    if f"{key}.error" in values:
        return VariantRun(name, *known, error=values[f"{key}.error"])
    return VariantRun(
        name,
        *known,
        faces=_whole(values, f"{key}.faces"),
        min_cosine=_number(values, f"{key}.min-cosine"),
        max_abs=_number(values, f"{key}.max-abs"),
        load_ms=_number(values, f"{key}.load.ms"),
        embed_ms=_number(values, f"{key}.embed.ms"),
        embed_ms_p90=_number(values, f"{key}.embed.ms-p90"),
        memory_kib=_whole(values, f"{key}.memory-kib"),
    )


def _text(values: Mapping[str, str], key: str) -> str:
    if key not in values:
        raise DataError(f"self-test report: expected a line {key}, there is none; update the app")
    return values[key]


def _passed(word: str) -> bool:
    if word not in ("pass", "fail"):
        raise DataError(f"self-test report: expected pass or fail, got {word!r}")
    return word == "pass"


def _number(values: Mapping[str, str], key: str) -> float | None:
    """A decimal number without exponent; None for nan, which JSON does not have."""
    word = _text(values, key)
    if word == "nan":
        return None
    if not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", word):  # so few digits that it is finite
        raise DataError(f"self-test report: {key}: expected a number, got {word!r}")
    return float(word)


def _whole(values: Mapping[str, str], key: str) -> int:
    word = _text(values, key)
    if not re.fullmatch("[0-9]{1,9}", word):
        raise DataError(f"self-test report: {key}: expected a whole number, got {word!r}")
    return int(word)
