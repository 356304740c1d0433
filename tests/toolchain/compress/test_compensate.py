"""Rounding that makes up for itself: against a search over all roundings, and against a direct derivation of the best later weight."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.toolchain.compress.tiny import blobs, context, mean_cosine, tiny_model
from toolchain.compress.clustering import entropy_bits
from toolchain.compress.compensate import Nearest, Responses, compensate, compensated, damped, solved
from toolchain.compress.fold_batch_norm import graph_of
from toolchain.compress.palettize import Palettize
from toolchain.compress.palettize_by_responses import PalettizeByResponses, significant
from toolchain.encodings import Palette
from toolchain.errors import DataError, RecipeError, ToolchainError
from toolchain.model import Model, to_input


def whole(values: Tensor) -> Tensor:
    return values.round()


def error(weight: Tensor, rounded: Tensor, inputs: Tensor) -> float:
    return float(((weight - rounded) @ inputs).square().sum())


def test_the_second_of_two_weights_takes_over_the_error_of_the_first() -> None:
    """H = [[4, 2], [2, 3]]: the error of the first weight, 0.4, is best made up for where (w1 - q1) H11 + (w0 - q0) H01 = 0, that is
    at w1 + 0.4 · 2 / 3."""
    gram = torch.tensor([[[4.0, 2.0], [2.0, 3.0]]], dtype=torch.float64)
    before = compensated(torch.tensor([[[0.4, 0.1]]], dtype=torch.float64), gram, whole)
    assert before[0, 0].tolist() == pytest.approx([0.4, 0.1 + 0.4 * 2 / 3])


def test_the_error_in_the_results_comes_nearer_to_the_least_of_all_roundings() -> None:
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(5, 5, generator=generator, dtype=torch.float64) @ torch.randn(5, 200, generator=generator, dtype=torch.float64)
    weight = 3 * torch.randn(8, 5, generator=generator, dtype=torch.float64)
    rounded = whole(compensated(weight[None], (inputs @ inputs.T / 200)[None], whole))[0]
    offsets = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0, 2.0), repeat=5)), dtype=torch.float64)
    least = sum(float(((row - row.floor() - offsets) @ inputs).square().sum(1).min()) for row in weight)
    # Greedy, in one order of the columns for all filters: not the least, but most of the way from rounding each weight alone.
    assert error(weight, rounded, inputs) - least < 0.5 * (error(weight, weight.round(), inputs) - least)


def test_filters_are_solved_anew_for_the_inputs_that_there_are() -> None:
    generator = torch.Generator().manual_seed(4)
    exact = torch.randn(5, 1000, generator=generator, dtype=torch.float64)
    mixed = exact + 0.1 * torch.randn(5, 5, generator=generator, dtype=torch.float64) @ exact
    weight = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    gram, cross = ((left @ mixed.T / 1000)[None] for left in (mixed, exact))
    responses = Responses(damped(gram, 1000), cross - gram, exact.mean(1)[None], mixed.mean(1)[None])
    again = solved(weight[None], responses)[0]
    # The mixing can be undone; a damping of 1.5 % leaves about as much of it, squared in the error.
    assert error(torch.zeros(()), again @ mixed - weight @ exact, torch.eye(1000, dtype=torch.float64)) < 0.01 * error(
        torch.zeros(()), weight @ mixed - weight @ exact, torch.eye(1000, dtype=torch.float64)
    )


def test_every_kind_of_layer_is_made_up_for_and_the_net_stays_as_it_is() -> None:
    """A depthwise layer, whose groups have a Gram matrix each, strided ones and a linear one: rounded to a third of their root mean
    square, with and without compensation."""
    model = tiny_model()
    before = model.fingerprint()
    names = ("0", "2", "4", "6", "10")
    images = to_input(torch.from_numpy(blobs().images).permute(0, 3, 1, 2), model.input)

    def steps(weight: Tensor) -> Tensor:
        return weight.flatten(1).square().mean(1, keepdim=True).sqrt() / 1.5

    def choose(name: str, weight: Tensor) -> Nearest:
        step = steps(weight)
        return lambda values: (values / step).round() * step

    chosen = compensate(graph_of(model.net), names, images, choose)
    made: dict[str, Tensor] = {}
    plain: dict[str, Tensor] = {}
    for name in names:
        weight, bias = model.net.get_parameter(f"{name}.weight").detach(), chosen[name].bias
        assert bias is not None
        made |= {f"{name}.weight": _coarse(chosen[name].weight, steps(chosen[name].weight)), f"{name}.bias": bias}
        plain[f"{name}.weight"] = _coarse(weight, steps(weight))
    assert model.fingerprint() == before
    assert 1 - mean_cosine(model.with_weights(made), model) < 0.5 * (1 - mean_cosine(model.with_weights(plain), model))


def _coarse(weight: Tensor, step: Tensor) -> Tensor:
    return ((weight.flatten(1) / step).round() * step).reshape(weight.shape)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(3, 4, 3, padding="same", dilation=2),
        nn.Conv2d(3, 4, (4, 3), padding="same"),
        nn.Conv2d(3, 4, 3, padding="valid"),
        nn.Conv2d(3, 4, 3, 2, (1, 0)),
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(3, 4, 1, padding=1),
    ],
    ids=str,
)
def test_what_a_layer_reads_at_its_margins_counts_however_they_are_stated(convolution: nn.Conv2d) -> None:
    """Where all weights are rounded to 0 the bias has to become the mean of what the layer gave."""
    images = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(5))
    chosen = compensate(graph_of(nn.Sequential(convolution)), ("0",), images, lambda name, weight: torch.zeros_like)
    bias = chosen["0"].bias
    assert bias is not None
    torch.testing.assert_close(bias, convolution(images).mean((0, 2, 3)).detach(), atol=1e-5, rtol=0)


def test_few_samples_are_trusted_little() -> None:
    """5 unknowns: 1 % of the mean diagonal, 2, and a hundredth or all of it more for 500 or 5 samples."""
    gram = torch.diag(torch.arange(5.0))[None]
    for samples, share in ((500, 0.02), (5, 1.01)):
        torch.testing.assert_close(damped(gram, samples) - gram, 2 * share * torch.eye(5)[None])


@pytest.mark.parametrize("bits", [1, 4, 11])
def test_significant_bits(bits: int) -> None:
    values = torch.tensor([0.0, 1.0, -3.3, 1e-4, 777.7])
    rounded = significant(values, bits)
    assert ((rounded - values).abs() <= values.abs() * 2.0**-bits).all()
    fraction, _ = torch.frexp(rounded)
    assert torch.equal(fraction * 2**bits, (fraction * 2**bits).round())


def bytes_of(model: Model) -> float:
    palettes = [item for item in model.encodings.values() if isinstance(item, Palette)]
    return sum(entropy_bits(torch.from_numpy(item.indices)) * item.indices.size for item in palettes) / 8


def test_at_the_same_bits_the_start_is_nearer_to_the_net_than_nearest_levels(tmp_path: Path) -> None:
    model = tiny_model()
    ours = PalettizeByResponses(rate=0.1, fine_rate=0.1, faces=64, digits=11).apply(model, context(tmp_path))
    nearest = Palettize(rate=0.1, fine_rate=0.1, clusters=32).apply(model, context(tmp_path))
    assert bytes_of(ours) < 1.1 * bytes_of(nearest)
    assert 1 - mean_cosine(ours, model) < 0.7 * (1 - mean_cosine(nearest, model))


def test_a_rate_is_found_for_the_bytes_that_the_indices_may_take(tmp_path: Path) -> None:
    model = tiny_model()
    free = bytes_of(PalettizeByResponses(faces=16).apply(model, context(tmp_path)))
    # 1,736 weights in five small tensors: the rate is found for all of them together, which is 10 % off here.
    made = PalettizeByResponses(faces=16, most_bytes=round(0.7 * free)).apply(model, context(tmp_path))
    assert 0.6 * free < bytes_of(made) < 0.8 * free
    with pytest.raises(RecipeError, match=r"1\d\d\d weights do not fit 8 bytes"):
        PalettizeByResponses(faces=16, most_bytes=8).apply(model, context(tmp_path))


def test_it_needs_faces_even_without_training(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="PalettizeByResponses needs face images"):
        PalettizeByResponses().apply(tiny_model(), context(tmp_path, faces=False))


@pytest.mark.parametrize("wrong", [{"clusters": 1}, {"rate": -1.0}, {"digits": 0}, {"faces": 0}, {"most_bytes": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match=next(iter(wrong))):
        PalettizeByResponses(**wrong)  # type: ignore[arg-type]


def test_a_layer_without_a_bias_goes_without() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Flatten(), nn.Linear(4, 2))
    chosen = compensate(graph_of(net), ("0", "2"), torch.rand(8, 3, 3, 3), lambda name, weight: whole)
    assert chosen["0"].bias is None and chosen["2"].bias is not None


def test_inputs_that_do_not_vary_are_refused_by_the_layer_that_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damping bears inputs of exactly 0, but where they are all alike rounding may leave less than nothing of their variance: without
    damping, inputs of 0 are no better."""
    monkeypatch.setattr("toolchain.compress.compensate.damped", lambda gram, samples: gram)
    model = tiny_model()
    dead = {"4.weight": torch.zeros_like(model.net.get_parameter("4.weight")), "4.bias": torch.zeros(16)}
    with pytest.raises(ToolchainError, match="^6: its inputs do not vary over 16 faces; give more faces, or other ones$"):
        PalettizeByResponses(faces=16).apply(model.with_weights(dead), context(tmp_path))
