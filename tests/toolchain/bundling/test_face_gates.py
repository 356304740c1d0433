"""Gates in face terms: they catch a variant that lost too much, from figures on record and from faces kept aside."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from runtime_py.bundle import Bundle
from tests.conftest import Built
from tests.tiny_recipe import RECIPE
from toolchain.bundling import build as building
from toolchain.bundling.build import Order
from toolchain.cli import main
from toolchain.convert.binary import BinaryWeights
from toolchain.convert.clustered import Clustered
from toolchain.convert.fp16 import Fp16
from toolchain.convert.int8 import Int8
from toolchain.convert.int8_dynamic import Int8Dynamic
from toolchain.data import synthetic
from toolchain.data.faces import is_aside
from toolchain.errors import GateError, RecipeError
from toolchain.evaluation.accuracies import read_accuracies
from toolchain.progress import Progress
from toolchain.recipe import FaceGate, Recipe
from toolchain.targets import TARGETS

TARGET = TARGETS["linux-x86_64"]


@pytest.fixture(scope="module")
def record(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tiny bundle's variants measure on the drawn faces."""
    path = tmp_path_factory.mktemp("record") / "figures.json"
    arguments = ["evaluate", str(built.bundle), "--images", str(built.faces), "--record", str(path), "--quiet"]
    assert main([*arguments, "--cache", str(built.cache)]) == 0
    return path


def strict(far: float = 0.01) -> Recipe:
    """The tiny recipe with each variant's own gate at a rate that 24 people can support; but nothing is asked of clustered weights, since
    on a net of 30 steps it is chance what they keep."""
    gates = [
        replace(item.face_gate, far=far, keep_tar=None if item.name == "clustered" else item.face_gate.keep_tar) for item in RECIPE.variants
    ]
    return replace(RECIPE, variants=tuple(replace(item, face_gate=gate) for item, gate in zip(RECIPE.variants, gates, strict=True)))


def order(built: Built, recipe: Recipe, allow: tuple[str, ...] = ()) -> Order:
    return Order(recipe, images=(built.faces,), cache=built.cache, progress=Progress(quiet=True), allow=allow)


def in_face_terms(lines: Iterable[str]) -> list[str]:
    """Of what a build did not do, what is about face terms."""
    return [line for line in lines if "in face terms" in line]


def test_gates_ask_by_default_for_what_each_kind_of_variant_can_keep() -> None:
    asked = {kind.name: kind().face_gate for kind in (Fp16, Int8Dynamic, Int8, Clustered, BinaryWeights)}
    assert {name: gate.keep_tar for name, gate in asked.items()} == {
        "fp16": 0.995,
        "int8-dynamic": 0.995,
        "int8": 0.98,
        "clustered": 0.98,
        "binary": 0.8,
    }
    assert {gate.far for gate in asked.values()} == {1e-3}


def test_a_variant_that_lost_too_much_fails_the_build_by_the_figures_on_record(built: Built, record: Path, tmp_path: Path) -> None:
    # The tiny net's weights as signs, with 30 steps to mend them, hardly tell people apart; fp16 and int8 lose next to nothing.
    with pytest.raises(GateError, match=r"^binary keeps \d+\.\d% of fp32's .* the gate asks for 80\.0%; .*--allow binary$") as missed:
        building.build(order(built, strict()), TARGET, tmp_path / "face.pface", record)
    assert missed.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_a_variant_that_is_allowed_to_stays_in_marked(built: Built, record: Path, tmp_path: Path) -> None:
    out = tmp_path / "face.pface"
    report = building.build(order(built, strict(), allow=("binary",)), TARGET, out, record)
    variants = {item.name: item for item in Bundle.open(out).manifest.variants}
    (reason,) = variants["binary"].missed_gates
    assert reason.startswith("keeps ") and "the gate asks for 80.0%" in reason
    assert [name for name, item in variants.items() if item.missed_gates] == ["binary"]
    assert {item.name: item.missed_gates for item in report.variants if item.missed_gates} == {"binary": (reason,)}
    assert in_face_terms(report.not_run) == []


def test_a_build_states_the_figures_on_record_for_the_very_bytes(built: Built, record: Path, tmp_path: Path) -> None:
    out = tmp_path / "face.pface"
    arguments = ["build", str(built.recipe), "--target", "linux-x86_64", "--images", str(built.faces), "--accuracies", str(record)]
    assert main([*arguments, "--out", str(out), "--cache", str(built.cache), "--quiet"]) == 0
    known = read_accuracies(record)
    for variant in Bundle.open(out).manifest.variants:
        found = known[variant.sha256]
        assert (variant.face_terms, variant.thresholds) == (found.face_terms, found.thresholds) and len(found.thresholds) == 1
        assert variant.thresholds_left_out == found.thresholds_left_out and variant.missed_gates == ()


def test_without_faces_and_record_the_report_says_that_nothing_was_measured(built: Built) -> None:
    (line,) = in_face_terms(built.report["not_run"])
    assert line.startswith("fp32, fp16, int8-dynamic, int8, binary, clustered: not measured in face terms")
    assert all(variant.face_terms == () == variant.thresholds for variant in Bundle.open(built.bundle).manifest.variants)


def test_what_no_record_speaks_of_is_measured_on_the_faces_kept_aside(built: Built, tmp_path: Path) -> None:
    weights = tmp_path / "tiny.safetensors"
    common = ["--cache", str(built.cache), "--quiet"]
    assert main(["train", str(built.recipe), "--images", str(built.faces), "--out", str(weights), *common]) == 0
    names = [name for name in (f"person_{number:04d}" for number in range(1000)) if is_aside(name)][:20]
    drawn = synthetic.faces(len(names), 8, seed=7)
    for number, image in enumerate(drawn.images):
        path = tmp_path / "aside" / names[number // 8] / f"{number % 8}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    out = tmp_path / "face.pface"
    arguments = ["build", str(built.recipe), "--target", "linux-x86_64", "--weights", str(weights)]
    arguments += ["--variants", "fp16,clustered"]
    assert main([*arguments, "--images", str(tmp_path / "aside"), "--out", str(out), *common]) == 0
    for variant in Bundle.open(out).manifest.variants:
        (terms,) = variant.face_terms
        assert (terms.identities, terms.images) == (20, 160), "against fp32, though that is not in the bundle"
        assert [row.fmr for row in variant.thresholds] == [0.01]
    notes = in_face_terms(json.loads((out.with_suffix(".report") / "report.json").read_text())["not_run"])
    assert notes == [f"{name}: gate in face terms not judged: 20 people are too few for FAR 0.001" for name in ("fp16", "clustered")]


def test_allow_names_variants_of_the_recipe() -> None:
    with pytest.raises(RecipeError, match="int4: recipe tiny has no such variant"):
        Order(RECIPE, allow=("int4",))


def test_a_gate_at_a_rate_that_the_people_cannot_support_passes_and_is_not_judged(built: Built, record: Path, tmp_path: Path) -> None:
    recipe = replace(strict(), variants=tuple(replace(item, face_gate=FaceGate(keep_tar=1.0)) for item in RECIPE.variants))
    report = building.build(order(built, recipe), TARGET, tmp_path / "face.pface", record)
    notes = in_face_terms(report.not_run)
    assert "int8: gate in face terms not judged: 24 people are too few for FAR 0.001" in notes and len(notes) == len(recipe.variants)
    assert all(item.missed_gates == () for item in Bundle.open(tmp_path / "face.pface").manifest.variants)
