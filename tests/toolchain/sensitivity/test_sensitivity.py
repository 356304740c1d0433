"""Sensitivity: each layer alone, the worst first; rules of `keep_float` choose by it, and results kept before there were any are found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from torch import nn

from tests.toolchain.compress.tiny import SIZE, blobs, context, tiny_model
from toolchain.backbones import MobileFaceNet
from toolchain.cli import main
from toolchain.compress.binarize import Binarize
from toolchain.compress.layers import weighted_layers
from toolchain.compress.palettize import Palettize
from toolchain.convert.int8 import Int8
from toolchain.encodings import Palette
from toolchain.errors import RecipeError, ToolchainError
from toolchain.keep_float import Budget, Worst
from toolchain.load import save_model
from toolchain.model import Model
from toolchain.sensitivity import KNOWN_FORMS
from toolchain.sensitivity.forms import (
    Levels,
    LogGrid,
    Pruned,
    Rank,
    Signs,
    SignsOfBoth,
    ThreeValues,
    Uniform,
    WeightForm,
    form_damages,
    form_of,
)
from toolchain.sensitivity.sensitivity import Damage, Gauge, damages, some_of, worst_first
from toolchain.stage import Context, Stage, added, describe
from toolchain.training.loop import Phase, TrainSettings

DAMAGES = (Damage("large", 1000, 0.3), Damage("middle", 100, 0.2), Damage("small", 10, 0.1))
FEW = TrainSettings((Phase(2, SIZE),), batch=16, optimizer="adamw", weight_decay=0.0)


def gauge_of(model: Model) -> tuple[np.ndarray, Gauge]:
    images = blobs(32, seed=1).images
    return images, Gauge(model.embed(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy(), blobs(32, seed=1).identities)


def normed() -> Model:
    """Batch norm behind the one layer that Binarize may take: three layers, of which the first and the last stay floats."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, 4, 1), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 6)).eval()
    return Model(net, tiny_model().input)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        # Of -1 … 1 in 3 bits: steps of 1/3. Two values of k-means: the means of {-1, -0.5} and {0.4, 1}, on a grid of 127 steps to 0.75.
        (Uniform(3), [-1, -2 / 3, 1 / 3, 1]),
        (Levels(2), [-0.75, -0.75, 0.7, 0.7]),
        (Signs(), [-0.725, -0.725, 0.725, 0.725]),
        # All are beyond 5 % of the largest, so ±their mean magnitude.
        (ThreeValues(), [-0.725, -0.725, 0.725, 0.725]),
        # 3 bits, of them one the sign: four steps of log 2.5 / 4 from 0.4 on, each standing for its middle, 0.4 · 2.5^((k + 1/2) / 4).
        (LogGrid(3), [-0.4 * 2.5 ** (3.5 / 4), -0.4 * 2.5 ** (0.5 / 4), 0.4 * 2.5 ** (0.5 / 4), 0.4 * 2.5 ** (3.5 / 4)]),
        (Pruned(50), [-1.0, 0.0, 0.0, 1.0]),
    ],
)
def test_a_form_is_what_it_says(form: WeightForm, expected: list[float]) -> None:
    weight = torch.tensor([[-1.0, -0.5, 0.4, 1.0]])
    torch.testing.assert_close(form.weights(weight), torch.tensor([expected]), atol=0.75 / 127 / 2 + 1e-6, rtol=0)
    assert form_of(form.name) == form


@pytest.mark.parametrize(
    "name",
    [
        "9-bit",
        "1-bit",
        "palette-1",
        "palette-256",
        "log-13",
        "pruned-100",
        "rank-0",
        "ternary-2",
        "palette-x",
        "²-bit",
        "",
        f"{'8' * 5000}-bit",
        f"rank-{'8' * 5000}",
    ],
)
def test_a_form_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match="expected"):
        form_of(name)


def test_every_form_that_the_help_names_is_known() -> None:
    names = [name for item in KNOWN_FORMS.split(", ") for name in item.split(" to ")]
    assert len(names) == 13 and [form_of(name).name for name in names] == names


def test_ternary_is_0_within_a_twentieth_of_the_largest() -> None:
    made = ThreeValues().weights(torch.tensor([[-1.0, 0.04, 0.5], [-0.05, 0.06, 0.9]]))
    mean = (1 + 0.5 + 0.06 + 0.9) / 4
    torch.testing.assert_close(made, torch.tensor([[-mean, 0, mean], [0, mean, mean]]))


def test_a_layer_of_full_rank_suffers_nothing_and_one_of_low_rank_what_its_responses_lose(tmp_path: Path) -> None:
    """Sixteen filters, of them twelve copies: four directions hold all that the layer gives, two do not."""
    model = tiny_model()
    weight = model.net.get_parameter("4.weight").detach().clone()
    weight[4:] = weight[:4].repeat(3, 1, 1, 1)
    model = model.with_weights({"4.weight": weight})
    seen = torch.randn(4, 8, 5, 5, generator=torch.Generator().manual_seed(0))
    filters, inputs = weight.shape[0], weight[0].numel()
    lost = {}
    for rank in (4, 2):
        percent = -(-100 * rank * (filters + inputs) // (filters * inputs))
        made = Rank(percent).layers(model, context(tmp_path))
        assert set(made) <= {layer.name for layer in weighted_layers(model.net)[1:] if not layer.depthwise}
        assert made["4"].get_submodule("0").get_parameter("weight").shape[0] == rank
        lost[rank] = float((made["4"](seen) - model.net.get_submodule("4")(seen)).detach().abs().max())
    assert lost[4] < 1e-5 and lost[2] > 0.1


def test_xnor_is_the_product_of_signs_and_scales() -> None:
    """One place of two channels: inputs 3 and -1, whose mean magnitude is K = 2, filters (1, 0.5) and (-0.2, 0.4), biases 0.1 and 0."""
    net = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)).eval()
    net[1].weight.data = torch.tensor([[1.0, 0.5], [-0.2, 0.4]]).view(2, 2, 1, 1)
    net[1].bias.data = torch.tensor([0.1, 0.0])
    made = SignsOfBoth().layers(Model(net, tiny_model().input), Context(Path()))
    assert set(made) == {"1"}, "not the first"
    given = made["1"](torch.tensor([3.0, -1.0]).view(1, 2, 1, 1)).flatten()
    torch.testing.assert_close(given, torch.tensor([0.75 * (1 - 1) * 2 + 0.1, 0.3 * (-1 - 1) * 2]))


def test_a_layer_that_is_changed_alone_gives_the_error_that_the_changed_net_has(tmp_path: Path) -> None:
    model = tiny_model()
    before = model.fingerprint()
    images, gauge = gauge_of(model)
    found = form_damages(model, Signs(), images, gauge, context(tmp_path), lambda names: names)
    assert model.fingerprint() == before
    assert {item.layer for item in found.layers} == {layer.name for layer in weighted_layers(model.net)}
    assert [item.error for item in found.layers] == sorted((item.error for item in found.layers), reverse=True)
    for item in found.layers:
        weight = model.net.get_parameter(f"{item.layer}.weight").detach()
        alone = model.with_weights({f"{item.layer}.weight": Signs().weights(weight)})
        cosines = (alone.embed(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy() * gauge.reference).sum(1)
        assert item.error == pytest.approx(1 - cosines.mean(), abs=1e-6) and item.weights == weight.numel()


def test_a_layer_that_stays_as_it_is_does_no_damage() -> None:
    model = tiny_model()
    images, gauge = gauge_of(model)
    (found,) = damages(model, {"6": model.net.get_submodule("6")}, images, gauge, lambda names: names)
    # Of embeddings of length 1 in float32: 24 products, each rounded to half of 2⁻²³.
    assert abs(found.error) < 24 * 2**-24
    assert found.tar == gauge.tar


def test_without_labels_there_is_no_true_accept_rate() -> None:
    model = tiny_model()
    gauge = Gauge(gauge_of(model)[1].reference)
    assert gauge.tar is None and gauge.damage("any", 1, gauge.reference).tar is None


def test_faces_to_measure_on_are_whole_people() -> None:
    faces = blobs(64)
    chosen = some_of(faces, 20)
    assert 16 <= len(chosen) <= 24
    assert all(chosen.identities.count(person) == faces.identities.count(person) for person in set(chosen.identities))


def test_a_rule_keeps_the_worst_or_what_fits() -> None:
    assert Worst(2).choose(DAMAGES) == ("large", "middle")
    assert Worst(9).choose(DAMAGES) == ("large", "middle", "small")
    # 440 bytes: the small layer first, which suffers most for its size, then the middle one; the large one would not fit.
    assert Budget(440).choose(DAMAGES) == ("middle", "small")
    assert Budget(4 * 1010).choose(DAMAGES) == ("middle", "small")
    assert Budget(39).choose(DAMAGES) == ()
    for wrong in (lambda: Worst(0), lambda: Budget(3)):
        with pytest.raises(RecipeError, match="leave keep_float out"):
            wrong()


def test_palettize_leaves_the_worst_in_float(tmp_path: Path) -> None:
    model, coarse = tiny_model(), Palettize(clusters=3, fine_clusters=3, rate=0.0, fine_rate=0.0)
    every = coarse.apply(model, context(tmp_path, faces=False))
    kept = replace(coarse, keep_float=Worst(2)).apply(model, context(tmp_path, faces=False))
    floats = set(every.encodings) - set(kept.encodings)
    assert len(floats) == 2 and all(isinstance(item, Palette) for item in kept.encodings.values())
    named = replace(coarse, keep_float=tuple(name.removesuffix(".weight") for name in floats))
    assert named.apply(model, context(tmp_path, faces=False)).fingerprint() == kept.fingerprint()
    images, _ = gauge_of(model)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    errors = [1 - float((made.embed(pixels) * model.embed(pixels)).sum(1).mean()) for made in (every, kept)]
    assert errors[1] < errors[0]


def test_binarize_leaves_the_worst_in_float(tmp_path: Path) -> None:
    stage = Binarize(FEW, refit=16)
    every, kept = (
        item.apply(normed(), context(tmp_path / name)) for name, item in (("every", stage), ("kept", replace(stage, keep_float=Worst(1))))
    )
    assert set(every.encodings) == {"2.weight", "4.weight"}
    assert len(kept.encodings) == 1


@pytest.mark.parametrize("stage", [Palettize(keep_float=("nowhere",)), Binarize(FEW, keep_float=("nowhere",))])
def test_a_layer_that_is_not_there_is_refused(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="keep_float: no such layer to keep float: nowhere"):
        stage.apply(tiny_model() if isinstance(stage, Palettize) else normed(), context(tmp_path))


@pytest.mark.parametrize("made", [Palettize, lambda **given: Binarize(FEW, **given), Int8])
def test_a_text_in_place_of_names_is_refused(made: Callable[..., object]) -> None:
    """Its letters are names too, of layers that may be there."""
    with pytest.raises(RecipeError, match=r"keep_float: expected a tuple of names, or a rule, got the text '4'; write \('4',\)$"):
        made(keep_float="4")


def test_a_field_that_was_added_is_told_only_where_it_is_set() -> None:
    @dataclass(frozen=True)
    class Settings:
        first: int = 1
        later: int = added(0)

    assert describe(Settings()) == {"type": "Settings", "first": 1}
    assert describe(Settings(later=2)) == {"type": "Settings", "first": 1, "later": 2}
    assert "keep_float" not in Palettize().describe() and "keep_float" not in Binarize().describe()
    rule = Palettize(keep_float=Budget(8)).describe()
    assert rule["keep_float"] == {"type": "Budget", "bytes": 8} and json.loads(json.dumps(rule)) == rule


def test_the_command_ranks_layers_and_draws_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    backbone = MobileFaceNet(embedding_size=16, width=0.125)
    save_model(tmp_path / "net.safetensors", Model(backbone.build().eval(), backbone.input))
    command = ["sensitivity", str(tmp_path / "net.safetensors"), "--forms", "binary,8-bit", "--faces", "4", "--quiet"]
    assert main([*command, "--json", "--plot", str(tmp_path / "layers.svg"), "--cache", str(tmp_path / "cache")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["drawn"] and found["tar"] is None and [item["form"] for item in found["forms"]] == ["binary", "8-bit"]
    for form in found["forms"]:
        errors = [layer["error"] for layer in form["layers"]]
        assert errors == sorted(errors, reverse=True)
    binary, fine = ({layer["layer"]: layer["error"] for layer in form["layers"]} for form in found["forms"])
    assert binary.keys() == fine.keys() and sum(binary.values()) > 10 * sum(fine.values())
    drawing = ElementTree.parse(tmp_path / "layers.svg").getroot()
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg" and "var(" not in (tmp_path / "layers.svg").read_text()


def test_a_layer_that_makes_embeddings_nan_is_the_worst() -> None:
    gauge = Gauge(np.ones((2, 1), np.float32))
    found = [gauge.damage(name, 1, np.full((2, 1), value, np.float32)) for name, value in (("a", 0.7), ("b", np.nan), ("c", 0.5))]
    assert [item.layer for item in worst_first(found)] == ["b", "c", "a"]


def test_weights_that_are_not_finite_are_refused_by_name(tmp_path: Path) -> None:
    model = tiny_model()
    weight = model.net.get_parameter("4.weight").detach().clone()
    weight[0] = torch.nan
    images, gauge = gauge_of(model)
    with pytest.raises(ToolchainError, match=r"^palette-8: 4\.weight: expected finite weights, got 8 that are not"):
        form_damages(model.with_weights({"4.weight": weight}), Levels(8), images, gauge, context(tmp_path), iter)
