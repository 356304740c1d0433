"""A phone's self-test report is read as docs/selftest-report.md states it, and judged by the bundle that the app was made from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime_py.bundle import Bundle
from toolchain.cli import main
from toolchain.errors import DataError, PackagingError
from toolchain.parity import adb
from toolchain.parity.adb import read_report, run_on_phone
from toolchain.progress import Progress


def report(bundle: Bundle, **changes: str) -> str:
    """The report of a phone that computes what `bundle` states, with `changes` to its lines; an underscore stands for `.`."""
    lines = {
        "pocketface-selftest": "1",
        "time": "2026-01-31T23:59:59Z",
        "app": "0.1.0",
        "device": "Maker Model 5",
        "android": "15",
        "api": "35",
        "abi": "arm64-v8a",
        "cpus": "8",
        "bundle": bundle.manifest.name,
        "bundle-sha256": bundle.sha256,
        "runtime": "tensorflow-lite 2.20.0",
        "check.1": "pass; detect golden/photo.png#0; points within 0.0010 pixels; at most 0.5",
        "check.2": "pass; align golden/photo.png#0; crop within 0 grey levels",
        "step.yuv.ms": "2.345",
        "step.yuv.ms-p90": "3.000",
        "step.yuv.runs": "20",
    }
    for name in bundle.variants:
        stated = bundle.variant(name)
        lines |= {
            f"variant.{name}.sha256": stated.sha256,
            f"variant.{name}.bound": f"{stated.golden_min_cosine:.6f}",
            f"variant.{name}.faces": "3",
            f"variant.{name}.min-cosine": f"{stated.golden_min_cosine:.6f}",
            f"variant.{name}.max-abs": "0.000012",
            f"variant.{name}.load.ms": "12.000",
            f"variant.{name}.embed.ms": "3.210",
            f"variant.{name}.embed.ms-p90": "4.000",
            f"variant.{name}.embed.runs": "20",
            f"variant.{name}.memory-kib": "4100",
            f"variant.{name}.result": "pass",
        }
    lines |= {"memory-kib": "90000", "checks": "2", "failed": "0", "result": "pass"} | changes
    text = [f"{key}: {value}" for key, value in lines.items()]
    return "\n".join([*text, f"end: {len(text)}", ""])


@pytest.fixture(scope="session")
def bundle(face_bundle: Path) -> Bundle:
    return Bundle.open(face_bundle)


def test_every_line_of_a_report_is_read(bundle: Bundle) -> None:
    read = read_report(report(bundle))
    assert read.passed and read.device["device"] == "Maker Model 5" and read.device["abi"] == "arm64-v8a"
    assert [check.name for check in read.checks] == ["detect golden/photo.png#0", "align golden/photo.png#0"]
    assert read.checks[0].detail == "points within 0.0010 pixels; at most 0.5"
    assert (read.steps[0].name, read.steps[0].ms, read.steps[0].runs) == ("yuv", 2.345, 20)
    assert tuple(run.name for run in read.variants) == bundle.variants
    assert {run.embed_ms for run in read.variants} == {3.21}
    assert read.missed(bundle) == [] and read.failure(bundle) is None


def test_lines_of_later_releases_are_ignored(bundle: Bundle) -> None:
    assert read_report(report(bundle, **{"battery": "81 %"})) == read_report(report(bundle))


def test_what_a_phone_computes_otherwise_is_missed(bundle: Bundle) -> None:
    name = bundle.variants[0]
    low = read_report(report(bundle, **{f"variant.{name}.min-cosine": "0.5"}))
    assert "expected a cosine of at least" in low.missed(bundle)[0]
    nan = read_report(report(bundle, **{f"variant.{name}.min-cosine": "nan"}))
    assert "no figures" in nan.missed(bundle)[0]
    other = read_report(report(bundle, **{f"variant.{name}.sha256": "0" * 64}))
    assert "the phone ran 0000000000000000" in other.missed(bundle)[0]
    refused = read_report(report(bundle, **{f"variant.{name}.result": "fail", f"variant.{name}.error": "runtime.model no"}))
    assert refused.missed(bundle) == [f"{name}: runtime.model no"]
    check = read_report(report(bundle, **{"check.2": "fail; align; crop within 9 grey levels", "failed": "1", "result": "fail"}))
    assert check.missed(bundle) == ["align: crop within 9 grey levels"]
    says_so = read_report(report(bundle, result="fail"))
    assert says_so.missed(bundle) == ["the phone says that the test failed"]


def test_a_variant_that_the_phone_did_not_run_is_missed(bundle: Bundle) -> None:
    name = bundle.variants[0]
    lines = [line for line in report(bundle).splitlines()[:-1] if not line.startswith(f"variant.{name}.")]
    without = read_report("\n".join([*lines, f"end: {len(lines)}", ""]))
    assert without.missed(bundle) == [f"{name}: expected it in the report, the phone did not run it"]


def test_a_report_of_another_bundle_is_refused(bundle: Bundle) -> None:
    with pytest.raises(DataError, match="toolchain apk"):
        read_report(report(bundle, **{"bundle-sha256": "0" * 64})).missed(bundle)


def test_whatever_is_no_whole_report_is_refused(bundle: Bundle) -> None:
    whole = report(bundle)
    lines = whole.splitlines()
    for count in range(len(lines)):
        with pytest.raises(DataError):
            read_report("\n".join(lines[:count]))
    for wrong in (
        whole.replace("pocketface-selftest: 1", "pocketface-selftest: 2"),
        whole.replace("api: 35", "api 35"),
        whole.replace("api: 35", "device: twice"),
        report(bundle, checks="3"),
        report(bundle, failed="1"),
        report(bundle, result="perhaps"),
        report(bundle, **{"step.yuv.ms": "2,345"}),
        report(bundle, **{"step.yuv.runs": "many"}),
        report(bundle, checks="1000000000000"),
        report(bundle, checks="999999999"),
        report(bundle, checks="2" * 5000),
        report(bundle, **{"step.yuv.runs": "2" * 5000}),
        report(bundle, **{"step.yuv.ms": "9" * 400}),
        report(bundle, **{"check.4": "pass; embed; well"}),
    ):
        with pytest.raises(DataError):
            read_report(wrong)
    assert read_report(whole.replace("\n", "\r\n")) == read_report(whole), "some versions of adb end lines with CR LF"


def test_the_command_judges_a_shared_report(face_bundle: Path, bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = tmp_path / "selftest.txt"
    shared.write_text(report(bundle), encoding="utf-8")
    assert main(["parity", str(face_bundle), "--on", "adb", "--report", str(shared), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["missed"] == []
    shared.write_text(report(bundle, **{f"variant.{bundle.variants[0]}.min-cosine": "0.5"}), encoding="utf-8")
    assert main(["parity", str(face_bundle), "--on", "adb", "--report", str(shared)]) == 4
    printed = capsys.readouterr()
    assert "Maker Model 5" in printed.out and "missed:" in printed.out and "Maker Model 5" in printed.err
    assert main(["parity", str(face_bundle), "--report", str(shared)]) == 2


def test_without_adb_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackagingError, match="apt-get install adb"):
        run_on_phone(Progress(quiet=True))


def test_the_app_is_started_anew_so_that_an_open_screen_tests_too(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Android documents it: a screen that is open gets no other intent, unless the app is stopped first (-S)."""
    written = {adb.PLACE: "an old report"}

    def phone(command: tuple[str, ...], what: str) -> str:
        words = command[2:]
        if words[0] == "pm":
            return f"package:{adb.PACKAGE}\n"
        if words[0].startswith("rm -f "):
            written.pop(words[0].split()[-1], None)
        elif words[:2] == ("am", "start") and "-S" in words and words[-3:] == ("--ez", "run", "true"):
            written[adb.PLACE] = report(bundle)
        return written.get(adb.PLACE, "") if words[0].startswith("cat ") else ""

    monkeypatch.setattr(adb.tools, "run", phone)
    monkeypatch.setattr(adb, "_PATIENCE", 0.1)
    assert run_on_phone(Progress(quiet=True)) == report(bundle)
