"""Thresholds of one's own faces in a new bundle, and rates by group at them, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime_py.bundle import Bundle
from runtime_py.cli import main as run_runtime
from tests.conftest import Built
from toolchain.cli import main
from toolchain.data import synthetic


@pytest.fixture(scope="module")
def calibrated(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with thresholds of the drawn faces."""
    out = tmp_path_factory.mktemp("calibrated") / "own.pface"
    arguments = ["calibrate", str(built.bundle), "--faces", str(built.faces), "--out", str(out), "--cache", str(built.cache), "--quiet"]
    assert main(arguments) == 0
    return out


def test_only_the_thresholds_differ(built: Built, calibrated: Path) -> None:
    before, after = Bundle.open(built.bundle), Bundle.open(calibrated)
    assert [bytes(after.blob(file.path)) for file in after.manifest.files] == [
        bytes(before.blob(file.path)) for file in before.manifest.files
    ]
    manifests = [json.loads(bundle.manifest_text()) for bundle in (before, after)]
    for manifest in manifests:
        for section in manifest["variants"]:
            del section["thresholds"], section["thresholds_left_out"]
    assert manifests[0] == manifests[1]


def test_each_variant_has_the_thresholds_that_the_faces_support_and_says_why_not_the_others(calibrated: Path) -> None:
    for variant in Bundle.open(calibrated).manifest.variants:
        (threshold,) = variant.thresholds
        # The tiny nets find strangers nearly all alike, so that the next similarity of 4 decimals may have a lower rate already.
        assert threshold.fmr == 0.01 and threshold.fmr_low <= 0.01 and 0.005 <= threshold.fmr_high <= 0.03
        # 24 people of 8 images: 276 pairs of people, 64 comparisons each.
        assert (threshold.comparisons, threshold.independent) == (276 * 64, 12)
        assert [row.fmr for row in variant.thresholds_left_out] == [0.001, 0.0001]
    similarities = {variant.name: variant.thresholds[0].similarity for variant in Bundle.open(calibrated).manifest.variants}
    assert similarities["fp32"] == pytest.approx(similarities["fp16"], abs=0.001)
    assert abs(similarities["binary"] - similarities["fp32"]) > 0.001, "one threshold for all variants would be wrong"


def test_the_runtime_judges_by_them(built: Built, calibrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    face = str(next(built.faces.rglob("*.png")))
    assert run_runtime(["verify", str(calibrated), face, face, "--aligned", "--fmr", "0.01"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("at a false match rate of 0.01")
    assert run_runtime(["verify", str(calibrated), face, face, "--aligned", "--fmr", "0.001"]) == 2
    assert "rule of 30" in capsys.readouterr().err


def test_the_bundle_itself_is_not_overwritten(built: Built, capsys: pytest.CaptureFixture[str]) -> None:
    before = built.bundle.read_bytes()
    arguments = ["calibrate", str(built.bundle), "--faces", str(built.faces), "--cache", str(built.cache), "--quiet"]
    assert main([*arguments, "--out", str(built.bundle)]) == 2
    assert "expected another file than the bundle itself" in capsys.readouterr().err
    assert built.bundle.read_bytes() == before


def test_the_new_bundle_gets_a_name_of_its_own(built: Built, tmp_path: Path, calibrated: Path) -> None:
    copy = tmp_path / "face.pface"
    copy.write_bytes(built.bundle.read_bytes())
    assert main(["calibrate", str(copy), "--faces", str(built.faces), "--cache", str(built.cache), "--quiet"]) == 0
    assert (tmp_path / "face-calibrated.pface").read_bytes() == calibrated.read_bytes(), "the same faces, the same bytes"


def test_faces_that_support_no_threshold_write_nothing(built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = tmp_path / "few"
    for name in sorted(built.faces.iterdir())[:5]:
        (few / name.name).mkdir(parents=True)
        for image in sorted(name.iterdir())[:3]:
            (few / name.name / image.name).write_bytes(image.read_bytes())
    out = tmp_path / "own.pface"
    assert main(["calibrate", str(built.bundle), "--faces", str(few), "--out", str(out), "--cache", str(built.cache), "--quiet"]) == 2
    assert "5 people, 90 comparisons of different people; give more" in capsys.readouterr().err
    assert not out.exists()


def test_rates_by_group_are_those_of_each_groups_people(
    built: Built, calibrated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = [f"drawn_{number:04d}" for number in range(24)]
    labels = tmp_path / "groups.csv"
    labels.write_text("identity,group\n" + "".join(f"{name},{'dark' if number < 12 else 'light'}\n" for number, name in enumerate(people)))
    arguments = ["evaluate", str(calibrated), "--images", str(built.faces), "--variant", "fp32", "--groups", str(labels)]
    assert main([*arguments, "--cache", str(built.cache), "--quiet", "--json"]) == 0
    rows = {row["group"]: row for row in json.loads(capsys.readouterr().out)["fp32"]["groups"]}
    assert set(rows) == {"dark", "light"} and {row["threshold_fmr"] for row in rows.values()} == {0.01}
    for row in rows.values():
        assert (row["people"], row["images"]) == (12, 96)
        assert (row["fmr"]["comparisons"], row["fnmr"]["comparisons"]) == (66 * 64, 12 * 28)
        assert row["fmr"]["low"] <= row["fmr"]["rate"] <= row["fmr"]["high"]
    assert main([*arguments, "--cache", str(built.cache), "--quiet"]) == 0
    assert "FNMR (95 % interval)" in capsys.readouterr().out


def test_groups_need_thresholds(built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = tmp_path / "groups.csv"
    labels.write_text("identity,group\ndrawn_0000,one\n")
    arguments = ["evaluate", str(built.bundle), "--images", str(built.faces), "--variant", "fp32", "--groups", str(labels), "--quiet"]
    assert main([*arguments, "--cache", str(built.cache)]) == 2
    assert "has no threshold to measure groups at; make some by `toolchain calibrate`" in capsys.readouterr().err


def test_drawn_people_that_are_kept_aside_are_evaluated_alone(built: Built, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", str(built.bundle), "--images", str(built.faces), "--variant", "fp32", "--aside", "--json", "--quiet"]
    assert main([*arguments, "--cache", str(built.cache)]) == 0
    found = json.loads(capsys.readouterr().out)["fp32"]
    aside = synthetic.faces(24, 1).split_aside()[1]
    assert found["identities"] == len(set(aside.identities)) < 24 and found["images"] == 8 * found["identities"]
