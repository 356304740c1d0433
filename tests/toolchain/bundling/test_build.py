"""From a recipe to a bundle, end to end, on drawn faces and real runtimes."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime_py.bundle import Bundle
from runtime_py.selftest import selftest
from tests.conftest import Built
from tests.tiny_recipe import FEW, RECIPE
from toolchain.bundling import build as building
from toolchain.bundling.build import Order, with_steps
from toolchain.cli import main
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.errors import GateError, RecipeError
from toolchain.losses import ArcFace, Train
from toolchain.progress import Progress
from toolchain.recipe import Gate
from toolchain.rounding import rounded_down, rounded_up
from toolchain.targets import TARGETS
from toolchain.training.loop import Phase, TrainSettings

NAMES = ("fp32", "fp16", "int8-dynamic", "int8", "binary", "clustered")


def trained(built: Built, folder: Path) -> Path:
    """The tiny recipe's weights as a file of one's own; they were trained for the bundle already."""
    weights = folder / "tiny.safetensors"
    arguments = ["train", str(built.recipe), "--images", str(built.faces), "--out", str(weights)]
    assert main([*arguments, "--cache", str(built.cache), "--quiet"]) == 0
    return weights


def test_the_bundle_carries_every_variant_and_passes_its_own_self_test(built: Built) -> None:
    bundle = Bundle.open(built.bundle)
    assert bundle.variants == NAMES and bundle.default_variant == "int8"
    checks = selftest(bundle)
    assert checks and [check for check in checks if not check.passed] == []


def test_the_manifest_states_what_is_in_the_file(built: Built) -> None:
    bundle = Bundle.open(built.bundle)
    for variant in bundle.manifest.variants:
        model = bundle.model(variant.name)
        assert variant.bytes.raw == variant.size == len(model)
        assert variant.bytes.gzip == len(gzip.compress(model, 9, mtime=0))
        assert variant.bytes.stored == len(bundle.blob(variant.file))
        assert variant.packed == (variant.name in ("binary", "clustered"))
        assert variant.accuracy == (), "nothing was measured"
        assert {row.runtime.split()[0] for row in variant.parity} >= {"ai-edge-litert"} and variant.parity[0].faces >= 256
    assert bundle.manifest.detector is not None
    assert bundle.manifest.recipe.description["name"] == "tiny"
    assert [licence.spdx for licence in bundle.manifest.licences] == ["LicenseRef-unstated", "Apache-2.0"]


def test_packed_variants_are_a_fraction_of_fp32(built: Built) -> None:
    sizes = {variant.name: variant.bytes for variant in Bundle.open(built.bundle).manifest.variants}
    # Of 17,000 weights 1 bit each is 2 KB and 4 bits each 9 KB; the graph and its floats are the rest of both.
    assert sizes["binary"].stored < sizes["clustered"].stored < sizes["fp32"].stored / 3


def test_the_report_says_when_and_where_and_the_bundle_does_not(built: Built) -> None:
    written = json.loads((built.bundle.with_suffix(".report") / "report.json").read_text())
    assert written == built.report
    assert [item["name"] for item in written["variants"]] == list(NAMES)
    assert written["sha256"] == Bundle.open(built.bundle).sha256 and written["size"] == built.bundle.stat().st_size
    assert written["machine"]["cores"] >= 1 and written["packages"]["torch"]
    assert all(item["parity"][0]["ms"] > 0 and item["parity"][0]["partitions"] == 1 for item in written["variants"])
    page = (built.bundle.with_suffix(".report") / "report.html").read_text()
    assert all(name in page for name in NAMES) and "<script" not in page
    assert written["machine"]["processor"].encode() not in built.bundle.read_bytes()


def test_a_second_build_takes_seconds_and_gives_the_same_bytes(built: Built, tmp_path: Path) -> None:
    started = time.process_time()
    again = tmp_path / "again.pface"
    arguments = ["build", str(built.recipe), "--target", "linux-x86_64", "--images", str(built.faces), "--quiet", "--json"]
    assert main([*arguments, "--out", str(again), "--cache", str(built.cache)]) == 0
    assert time.process_time() - started < 20, "no training, no TensorFlow: about 3 s of processor time"
    assert again.read_bytes() == built.bundle.read_bytes()


def test_without_images_what_needs_them_is_left_out_with_a_line(built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = trained(built, tmp_path)
    common = ["--cache", str(built.cache), "--quiet"]
    out = tmp_path / "own.pface"
    arguments = ["build", str(built.recipe), "--weights", str(weights), "--target", "android-arm64", "--out", str(out), *common]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "left out: int8: Calibrate needs face images" in printed and "left out: binary: Binarize needs face images" in printed
    bundle = Bundle.open(out)
    assert bundle.variants == ("fp32", "fp16", "int8-dynamic", "clustered")
    assert bundle.default_variant == "fp32", "the recipe's default, int8, was left out"
    assert bundle.model("fp32") == Bundle.open(built.bundle).model("fp32"), "the same weights by another way"
    assert bundle.manifest.target.minimum["android-api"] == "26"
    assert bundle.manifest.recipe.description["backbone"] is None, "the recipe's backbone had no part in weights that were brought in"


def test_two_builds_in_different_surroundings_give_the_same_bytes(built: Built, tmp_path: Path) -> None:
    weights = trained(built, tmp_path)
    surroundings = {
        "a": {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C", "OMP_NUM_THREADS": "1"},
        "b": {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "2"},
    }
    bundles = []
    for name, changed in surroundings.items():
        home = tmp_path / name / "home"
        home.mkdir(parents=True)
        root = str(Path(building.__file__).parents[2])
        environment = {**os.environ, **changed, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": root}
        command = [sys.executable, "-m", "toolchain.cli", "build", str(built.recipe), "--weights", str(weights), "--quiet"]
        command += ["--target", "linux-arm64", "--variants", "fp32,int8-dynamic,clustered", "--out", "face.pface"]
        done = subprocess.run(command, cwd=tmp_path / name, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert sorted(item.name for item in (tmp_path / name).iterdir()) == ["face.pface", "face.report", "home"]
        bundles.append((tmp_path / name / "face.pface").read_bytes())
    assert bundles[0] == bundles[1]


def test_a_variant_that_misses_its_gate_fails_the_build_and_writes_nothing(built: Built, tmp_path: Path) -> None:
    strict = tuple(replace(item, gate=Gate(max_abs=0.0)) if item.name == "fp16" else item for item in RECIPE.variants)
    order = Order(replace(RECIPE, variants=strict), images=(built.faces,), cache=built.cache, progress=Progress(quiet=True))
    with pytest.raises(GateError, match=r"fp16 on .*largest difference .* the gate allows 0;") as missed:
        building.build(order, TARGETS["linux-x86_64"], tmp_path / "face.pface")
    assert missed.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_recorded_accuracies_are_stated_for_the_very_bytes_that_were_measured(
    built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record, cache = tmp_path / "accuracy.json", ["--cache", str(built.cache), "--quiet"]
    images = ["--images", str(built.faces)]
    assert main(["evaluate", str(built.bundle), *images, "--variant", "clustered", "--record", str(record), "--json", *cache]) == 0
    measured = json.loads(capsys.readouterr().out)["clustered"]
    out = tmp_path / "face.pface"
    arguments = ["build", str(built.recipe), "--target", "linux-x86_64", *images, "--accuracies", str(record), "--out", str(out), *cache]
    assert main(arguments) == 0
    stated = {variant.name: variant.accuracy for variant in Bundle.open(out).manifest.variants}
    assert stated["fp32"] == ()
    values = {row.protocol.rpartition(": ")[2]: row for row in stated["clustered"]}
    assert values["rank-1 identification"].value == pytest.approx(measured["rank1"], abs=1e-5)
    assert {row.data_sha256 for row in stated["clustered"]} == {measured["data_sha256"]}


def test_weights_and_their_fp32_variant_score_the_same(built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, cache = trained(built, tmp_path), ["--cache", str(built.cache), "--quiet"]
    capsys.readouterr()
    found = []
    for what in (weights, built.bundle):
        more = ["--variant", "fp32"] if what == built.bundle else []
        assert main(["evaluate", str(what), "--images", str(built.faces), "--json", *more, *cache]) == 0
        found.append(next(iter(json.loads(capsys.readouterr().out).values())))
    # fp32 agrees with torch within 1e-4 a component (its gate), which can swap only pairs of almost equal scores.
    assert found[0]["rank1"] == pytest.approx(found[1]["rank1"], abs=0.01)
    assert found[0]["equal_error_rate"] == pytest.approx(found[1]["equal_error_rate"], abs=0.01)
    assert found[0]["rank1"] > 2 / 24, "30 steps tell drawn faces apart better than chance"


def test_steps_replace_those_of_every_stage_that_trains() -> None:
    two = TrainSettings((Phase(100, pixels=64), Phase(50)), batch=16)
    changed = with_steps(Train(ArcFace(), two), 30)
    assert isinstance(changed, Train) and [phase.steps for phase in changed.settings.phases] == [20, 10]
    assert with_steps(FoldBatchNorm(), 30) == FoldBatchNorm()
    assert with_steps(Train(ArcFace(), FEW), None) == Train(ArcFace(), FEW)


def test_a_variant_that_a_net_cannot_have_is_left_out_with_the_reason(built: Built) -> None:
    lacking = replace(RECIPE, unsupported={"int2": "XNNPACK would run it in 9 parts"})
    order = Order(lacking, images=(built.faces,), cache=built.cache, progress=Progress(quiet=True))
    assert building.make_variants(order).left_out == {"int2": "XNNPACK would run it in 9 parts"}
    with pytest.raises(RecipeError, match="int2: recipe tiny has no such variant: XNNPACK would run it in 9 parts"):
        replace(order, variants=("int2",))


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:-1", "CPU", "cpu:1", "", "cuda:0 "])
def test_a_device_that_there_is_not_is_refused(device: str) -> None:
    with pytest.raises(RecipeError, match=f"^device: expected cpu, cuda, or cuda:N for the one of that number, got {device!r}$"):
        Order(RECIPE, device=device)


@pytest.mark.parametrize(("device", "there"), [("cuda", 0), ("cuda:0", 0), ("cuda:1", 1)])
def test_a_device_that_this_machine_lacks_is_refused(device: str, there: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: there)
    with pytest.raises(RecipeError, match=f"^device: expected cpu, got {device}, and this machine's torch sees no such device$"):
        Order(RECIPE, device=device)
    monkeypatch.setattr("torch.cuda.device_count", lambda: there + 1)
    assert Order(RECIPE, device=device).device == device


def test_an_unknown_variant_is_refused_before_anything_is_done() -> None:
    with pytest.raises(RecipeError, match="int4: recipe tiny has no such variant; expected some of fp32"):
        Order(RECIPE, variants=("int4",))


@pytest.mark.parametrize(("value", "rounded"), [(1.37e-5, 2e-5), (2e-5, 2e-5), (0.0, 0.0), (0.099, 0.1), (9.1e-8, 1e-7)])
def test_the_largest_difference_is_rounded_up_to_one_digit(value: float, rounded: float) -> None:
    assert rounded_up(value) == rounded


def test_cosines_are_rounded_down_to_four_decimals() -> None:
    assert [rounded_down(value) for value in (0.99999, 1.0 + 1e-12, 0.90619, -0.00001)] == [0.9999, 1.0, 0.9061, -0.0001]
    assert all(rounded_down(value) <= value for value in np.random.default_rng(0).uniform(-1, 1, 1000))
