"""One training, one bundle, one stored copy of the weights: a net at three widths whose embeddings are compared with each other."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime_py import load
from runtime_py.budget import milliseconds
from runtime_py.bundle import Bundle
from runtime_py.cli import main as run_runtime
from runtime_py.errors import BudgetError, BundleVariantError, PackedVersionError
from runtime_py.gallery import Gallery, Identifier
from runtime_py.gallery.people import TemplateModel
from runtime_py.packed import unpack
from runtime_py.photographs import Named
from tests.conftest import LEVELS_RECIPE, Built
from toolchain.bundling.build import Order
from toolchain.data.faces import Faces
from toolchain.data.png import png
from toolchain.data.synthetic import Identity, View, photograph
from toolchain.errors import RecipeError
from toolchain.progress import Progress
from toolchain.recipes import find_recipe

LEVELS = ("100", "75", "50")


@pytest.fixture(scope="module")
def bundle(built_levels: Built) -> Bundle:
    return Bundle.open(built_levels.bundle)


def test_every_level_is_a_variant_that_torch_agrees_with(built_levels: Built, bundle: Bundle) -> None:
    assert bundle.variants == ("fp32", "fp32-75", "fp32-50")
    for row in built_levels.report["variants"]:
        # Sums of at most 9 * 32 terms in 13 layers: the gate of fp32 (toolchain/convert/fp32.py) bounds them.
        assert all(found["max_abs"] < 1e-4 for found in row["parity"] if "max_abs" in found)
    (levels,) = bundle.manifest.levels
    assert (levels.whole, tuple(level.name for level in levels.levels)) == ("fp32", LEVELS)


def test_the_weights_are_stored_once(bundle: Bundle) -> None:
    """A level's own bytes are its graph: operators, shapes and names, some 4 KB that deflate to half. Its weights would be 40 to 120 KB."""
    whole, wide, narrow = bundle.manifest.variants
    assert whole.bytes.stored == whole.bytes.raw > wide.bytes.raw > narrow.bytes.raw > 40_000
    assert max(wide.bytes.stored, narrow.bytes.stored) < 3_000


def test_a_reader_of_whole_models_says_that_it_does_not_know_the_form(bundle: Bundle) -> None:
    """What an earlier release says of a level, while it reads the other variants."""
    with pytest.raises(PackedVersionError, match="got 256"):
        unpack(bundle.blob(bundle.variant("fp32-50").file))


def test_levels_are_measured_against_each_other(bundle: Bundle) -> None:
    (levels,) = bundle.manifest.levels
    assert [(item.enrolled, item.probe) for item in levels.matching] == [("100", "75"), ("100", "50"), ("75", "50")]
    for item in levels.matching:
        assert item.data_sha256 == bundle.variant("fp32").thresholds[0].data_sha256
        assert [rate.far for rate in item.rates] == [threshold.fmr for threshold in item.thresholds] != []
    for variant in bundle.manifest.variants:
        shared = {item.fmr: item.similarity for item in bundle.shared_thresholds(variant)}
        of_level = [item for item in levels.matching if levels.level_of(variant.name).name in (item.enrolled, item.probe)]  # type: ignore[union-attr]
        for fmr, similarity in shared.items():
            each = [next(held.similarity for held in group if held.fmr == fmr) for group in [item.thresholds for item in of_level]]
            assert similarity == max([*each, next(item.similarity for item in variant.thresholds if item.fmr == fmr)])


def test_cross_level_rates_are_those_of_the_levels_embeddings(built_levels: Built, bundle: Bundle) -> None:
    """Counted anew, pair by pair: the wider level's embedding of the one image with the narrower one's of the other."""
    faces = Faces.read([built_levels.faces], built_levels.cache / "faces", Progress(quiet=True))
    embedded = {name: load(built_levels.bundle, level=name).embed(faces.images).astype(np.float64) for name in LEVELS}
    pairs = list(itertools.combinations(range(len(faces)), 2))
    same = np.array([faces.identities[one] == faces.identities[other] for one, other in pairs])
    for item in bundle.manifest.levels[0].matching:
        cosines = np.array([embedded[item.enrolled][one] @ embedded[item.probe][other] for one, other in pairs])
        for rate, threshold in zip(item.rates, item.thresholds, strict=True):
            # A cosine on the threshold may fall to either side by its last float32 digit; there are 240 pairs of one person.
            assert rate.tar == pytest.approx((cosines[same] >= threshold.similarity).mean(), abs=2 / 240)
            assert (cosines[~same] >= threshold.similarity).mean() <= rate.far + 2 / len(pairs)


def test_a_level_is_chosen_by_name_or_by_time(built_levels: Built) -> None:
    recognizers = {name: load(built_levels.bundle, level=name) for name in LEVELS}
    assert [recognizers[name].variant.name for name in LEVELS] == ["fp32", "fp32-75", "fp32-50"]
    assert load(built_levels.bundle, variant="fp32-50", level="75").variant.name == "fp32-75", "a level stands for its net"
    # Twenty times what the widest took a moment ago is enough for it, however busy the machine is now.
    rich = load(built_levels.bundle, budget_ms=20 * milliseconds(recognizers["100"].embedder))
    assert rich.variant.name == "fp32" and rich.milliseconds is not None
    with pytest.raises(BudgetError, match=r"they take 100: .*, 75: .*, 50: .* ms"):
        load(built_levels.bundle, budget_ms=1e-6)
    with pytest.raises(BudgetError, match="above 0"):
        load(built_levels.bundle, budget_ms=float("nan"))
    with pytest.raises(BundleVariantError, match="expected one of the levels 100, 75, 50 of fp32, got '25'"):
        load(built_levels.bundle, level="25")
    with pytest.raises(BundleVariantError, match="got both"):
        load(built_levels.bundle, level="50", budget_ms=1)


def test_a_net_without_levels_says_so(face_bundle: Path) -> None:
    for choice in ({"level": "50"}, {"budget_ms": 5.0}):
        with pytest.raises(BundleVariantError, match="has none"):
            load(face_bundle, **choice)


def test_somebody_enrolled_at_one_level_is_compared_with_at_another(built_levels: Built, bundle: Bundle, tmp_path: Path) -> None:
    """Their templates count as the whole net's, and the threshold is one that holds across levels. (A net of sixty steps knows nobody.)"""
    people = {
        f"person {number}": png(photograph(Identity.draw(5, number), View.draw(5, number, 0), 200, 200, 0.35).image) for number in (0, 1)
    }
    with Gallery(tmp_path / "people.pfgallery") as gallery:
        enrolled = Identifier(load(built_levels.bundle, level="50"), gallery)
        templates = {name: enrolled.recognizer.embed(picture) for name, picture in people.items()}
        for name, template in templates.items():
            gallery.enrol(name, template, enrolled.model)
        assert gallery.models() == (TemplateModel.of(bundle.variant("fp32")),)
        for level in LEVELS:
            identifier = Identifier(load(built_levels.bundle, level=level), gallery)
            for name, picture in people.items():
                (found,) = identifier.identify(Named(name, picture), fpir=0.5)
                probe = identifier.recognizer.embed(picture)
                for person, similarity in found.candidates:
                    assert similarity == pytest.approx(float(probe @ templates[person.name]), abs=1e-5)  # float32 sums of 64 terms
                stated = {item.similarity for item in bundle.shared_thresholds(identifier.recognizer.variant)}
                assert found.threshold.similarity in stated


def test_the_command_line_takes_a_level(built_levels: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crop = next(built_levels.faces.glob("*/*.png"))
    printed = []
    for choice in (["--level", "50"], ["--budget-ms", "1000"]):
        assert run_runtime(["embed", str(built_levels.bundle), str(crop), "--aligned", "--json", *choice]) == 0
        printed.append(json.loads(capsys.readouterr().out))
    assert [item["variant"] for item in printed] == ["fp32-50", "fp32"]
    pixels = np.asarray(Image.open(crop).convert("RGB"))
    # Printed as the shortest decimal form of a float32.
    assert np.array_equal(np.float32(printed[0]["embeddings"][0]), load(built_levels.bundle, level="50").embed(pixels))
    assert run_runtime(["inspect", str(built_levels.bundle)]) == 0
    assert "levels of fp32: 100 (fp32), 75 (fp32-75), 50 (fp32-50)" in capsys.readouterr().out


def test_the_page_of_the_runtime_does_what_it_says(
    built_levels: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(built_levels.bundle, tmp_path / "levels.pface")
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```py\n(.*?)```", (Path(__file__).parents[3] / "docs" / "runtime.md").read_text(), re.S)
    exec(block.replace("budget_ms=5", "budget_ms=60_000"), {})  # however busy the machine is
    assert re.fullmatch(r"fp32 \d.*\n", capsys.readouterr().out)


def test_a_level_needs_its_whole_net_in_the_bundle() -> None:
    with pytest.raises(RecipeError, match="fp32-50: is stored as a part of fp32"):
        Order(find_recipe(str(LEVELS_RECIPE)), variants=("fp32-50",))
