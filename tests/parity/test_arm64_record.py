"""Recorded arm64 figures: stated by a build of the very bytes that were measured, and of no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime_py.manifest import Parity
from tests.conftest import Built
from tests.tiny_tflite import tiny_tflite
from tests.toolchain import tiny_nets
from toolchain.bundling import arm64_parity
from toolchain.bundling.variants import Made
from toolchain.convert.fp32 import Fp32
from toolchain.errors import DataError
from toolchain.parity import arm64_record

ROW = Parity("ai-edge-litert 2.3.0 on arm64 cortex-a53", "ai-edge-litert 2.3.0 on x86_64", 32, 4e-6, 0.9999, 0.9999)


def test_figures_are_recorded_by_the_bytes_that_were_measured(tmp_path: Path) -> None:
    path = tmp_path / "arm64.json"
    arm64_record.record(path, {"a" * 64: [ROW, ROW], "b" * 64: [ROW]})
    arm64_record.record(path, {"a" * 64: [ROW]})
    assert arm64_record.read(path) == {"a" * 64: (ROW,), "b" * 64: (ROW,)}


@pytest.mark.parametrize("text", ["", "{}", '{"models": {"a": [{"runtime": 1}]}}'])
def test_a_damaged_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "arm64.json").write_text(text)
    with pytest.raises(DataError, match="--record"):
        arm64_record.read(tmp_path / "arm64.json")


def test_the_package_record_is_of_that_form() -> None:
    assert all(row.faces >= 32 and " on arm64" in row.runtime for rows in arm64_record.shipped().values() for row in rows)


def test_a_build_takes_the_figures_of_its_own_bytes_and_names_what_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tflites = [tiny_tflite(8, 8, 4, seed) for seed in (1, 2)]
    measured, other = (Made(Fp32(), tiny_nets.tiny_model(), tflite, tflite, ()) for tflite in tflites)
    monkeypatch.setattr(arm64_record, "SHIPPED", tmp_path / "arm64.json")
    arm64_record.record(arm64_record.SHIPPED, {measured.sha256: [ROW], "c" * 64: [ROW]})
    assert arm64_parity.recorded([measured]) == ({measured.sha256: (ROW,)}, ())
    stated, lines = arm64_parity.recorded([measured, other])
    assert stated == {measured.sha256: (ROW,)}
    assert len(lines) == 1 and lines[0].startswith("fp32: not checked on arm64") and "setup-arm64" in lines[0]


def test_the_report_beside_a_bundle_says_what_was_not_checked_on_arm64(built: Built) -> None:
    assert any("not checked on arm64" in line and "--arm64" in line for line in built.report["not_run"])
