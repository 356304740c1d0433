"""LowRank: responses, their decomposition and the choice of ranks beside derivations in numpy that share no code with it."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.toolchain.compress.tiny import blobs, context, mean_cosine, tiny_model
from toolchain.backbones import VGG11, MobileFaceNet
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.low_rank import LowRank, decomposed, rank_by_energy, ranks_by_budget, responses, spectrum
from toolchain.costs import count
from toolchain.errors import DataError, RecipeError, ToolchainError
from toolchain.model import Model, to_input

DRAW = torch.Generator()


def test_the_decomposed_layer_gives_the_projection_of_its_responses() -> None:
    """By the formula, in numpy: M (y - ȳ) + ȳ for y = W x + b."""
    rng = np.random.default_rng(0)
    weight, bias, x = rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=(50, 3))
    y = x @ weight.T + bias
    mean = y.mean(0)
    _, vectors = np.linalg.eigh((y - mean).T @ (y - mean))
    u = vectors[:, ::-1][:, :2]
    wanted = (y - mean) @ (u @ u.T) + mean
    energies, directions = spectrum(torch.from_numpy((y - mean).T @ (y - mean)))
    filters, mixing, shift = decomposed(*(torch.from_numpy(item) for item in (weight, bias, mean)), directions[:, :2])
    np.testing.assert_allclose(x @ filters.numpy().T @ mixing.numpy().T + shift.numpy(), wanted, atol=1e-12)
    assert energies[3] < 1e-12 * energies[0], "three inputs span three directions"


def test_the_responses_are_those_of_the_layer_at_places_of_its_map() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 5, 3, stride=2, padding=1)
    image = torch.randn(1, 3, 8, 8)
    found = responses(nn.Sequential(layer), ["0"], [image], 4000, DRAW.manual_seed(0))["0"]
    y = layer(image).detach().flatten(2)[0].double().numpy()  # [5, 16]
    # Of 4,000 draws of 16 places the mean is off by 1/√4000 of the spread; six times that never happens.
    np.testing.assert_allclose(found.mean, y.mean(1), atol=6 / 4000**0.5 * y.std(1).max())
    np.testing.assert_allclose(found.energies, np.linalg.eigvalsh(np.cov(y, bias=True))[::-1], rtol=0.2, atol=0.01)
    assert (found.whole, found.per_rank) == (16 * 5 * 27, 16 * (27 + 5))


def test_a_constant_map_has_no_energy_and_nan_is_refused() -> None:
    energies, directions = spectrum(torch.zeros(3, 3))
    assert energies.tolist() == [0, 0, 0] and rank_by_energy(energies, 0.99) == 1
    assert torch.equal(directions @ directions.T, torch.eye(3, dtype=torch.float64))
    assert spectrum(torch.tensor([[4.0]]))[1].tolist() == [[1.0]], "one filter is its own direction"
    with pytest.raises(ToolchainError, match="LowRank: expected finite responses"):
        spectrum(torch.full((2, 2), torch.nan))


@pytest.mark.parametrize(("share", "rank"), [(0.5, 1), (0.6, 1), (0.61, 2), (0.9, 2), (0.91, 3), (1.0, 3)])
def test_the_rank_is_the_least_that_keeps_the_energy(share: float, rank: int) -> None:
    assert rank_by_energy(torch.tensor([6.0, 3.0, 1.0, 0.0], dtype=torch.float64), share) == rank


def test_ranks_by_a_budget_keep_nearly_the_largest_product_of_energies() -> None:
    """Beside every choice of ranks that keeps to the budget."""
    energies = [torch.tensor([8.0, 4.0, 2.0, 1.0]), torch.tensor([9.0, 0.5, 0.3, 0.2]), torch.tensor([5.0, 5.0, 5.0, 5.0])]
    per_rank, whole = [10, 20, 5], [100, 100, 100]
    for budget in (35, 60, 80, 110):
        ranks = ranks_by_budget(energies, per_rank, whole, budget)
        fits = [item for item in itertools.product(range(1, 5), repeat=3) if np.dot(item, per_rank) <= budget]
        kept = {item: float(np.prod([float(energy[:rank].sum()) for energy, rank in zip(energies, item, strict=True)])) for item in fits}
        assert tuple(ranks) in kept
        # Greedy, as in the paper, is not the best of all, but never far: of these budgets a fifth below at most.
        assert kept[tuple(ranks)] > 0.8 * max(kept.values())
    with pytest.raises(RecipeError, match="ranks of 1 can keep to, 35 multiply-adds, got 34"):
        ranks_by_budget(energies, per_rank, whole, 34)


def test_of_equal_losses_the_one_that_saves_more_is_taken() -> None:
    energies = torch.tensor([4.0, 3.0, 2.0, 1.0])
    assert ranks_by_budget([energies, energies], [1, 10], [100, 100], 43) == [4, 3]
    assert ranks_by_budget([energies, energies], [10, 10], [100, 100], 70) == [3, 4], "of equal ones the first layer's"


def test_a_layer_that_no_rank_makes_cheaper_costs_what_it_costs_whole() -> None:
    assert ranks_by_budget([torch.tensor([1.0, 1.0])], [60], [100], 100) == [2], "whole is within the budget, whatever rank 2 costs"


def test_at_full_energy_the_net_gives_the_same(tmp_path: Path) -> None:
    """Every direction of a 1×1 layer of 16 filters that reads 8 channels is kept by half the ranks."""
    model = tiny_model()
    made = LowRank(multiply_adds=None, energy=1.0, faces=64, positions=64).apply(model, context(tmp_path))
    assert set(made.net.state_dict()) - set(model.net.state_dict()) == {"6_mixing.weight", "6_mixing.bias"}
    images = to_input(torch.from_numpy(blobs(8, seed=1).images).permute(0, 3, 1, 2), model.input)
    # What lies outside the span of the seen responses is lost; 16 inputs span 16 of 32 dimensions, all of them seen. float32 is the rest.
    torch.testing.assert_close(made.net(images), model.net(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("backbone", "share"), [(MobileFaceNet(embedding_size=64, width=0.25), 0.6), (VGG11(pixels=32, shrink=True), 0.25)]
)
def test_backbones_come_to_their_budget_before_and_after_folding(backbone: MobileFaceNet | VGG11, share: float, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Model(backbone.build().eval(), backbone.input)
    before = model.fingerprint()
    whole = count(model.net, model.input.height, model.input.width).multiply_adds
    stage = LowRank(multiply_adds=share, faces=8)
    for start in (model, FoldBatchNorm().apply(model, context(tmp_path))):
        made = stage.apply(start, context(tmp_path))
        found = count(made.net, model.input.height, model.input.width).multiply_adds
        assert 0.97 * share * whole < found <= share * whole, "within a rank of the budget"
        assert made.embed(torch.zeros(1, 3, backbone.input.height, backbone.input.width, dtype=torch.uint8)).shape == (
            1,
            backbone.embedding_size,
        )
    assert model.fingerprint() == before


def test_more_energy_keeps_more_of_the_embedding(tmp_path: Path) -> None:
    model = tiny_model()
    made = [LowRank(None, energy, faces=64).apply(model, context(tmp_path)) for energy in (0.5, 0.9, 0.999)]
    cosines = [mean_cosine(item, model) for item in made]
    assert cosines[0] < cosines[1] < cosines[2] and cosines[2] > 0.99


def test_it_needs_faces_and_one_target(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="LowRank needs face images"):
        LowRank().apply(tiny_model(), context(tmp_path, faces=False))
    with pytest.raises(RecipeError, match="either multiply_adds or energy"):
        LowRank(energy=0.9)
    with pytest.raises(RecipeError, match="multiply_adds: expected a share"):
        LowRank(multiply_adds=0.0)
    with pytest.raises(RecipeError, match="faces >= 1"):
        dataclasses.replace(LowRank(), faces=0)


def test_a_share_that_ranks_of_1_cannot_keep_to_is_refused_with_the_least_that_they_can(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^LowRank.multiply_adds: expected at least 0\.\d+ of [\d,]+, .* got 0\.01$") as refused:
        LowRank(multiply_adds=0.01, faces=8).apply(tiny_model(), context(tmp_path))
    least = float(str(refused.value).split("at least ")[1].split()[0])
    assert LowRank(multiply_adds=least, faces=8).apply(tiny_model(), context(tmp_path))
    with pytest.raises(RecipeError, match=f"at least {least} of"):
        LowRank(multiply_adds=least - 0.002, faces=8).apply(tiny_model(), context(tmp_path))


def test_a_net_without_a_layer_of_its_kind_is_refused(tmp_path: Path) -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 8, 3, 2, groups=8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 24)
    ).eval()
    with pytest.raises(RecipeError, match="a convolution of one group behind the first layer, got 2 layers, none such"):
        LowRank(faces=8).apply(Model(net, tiny_model().input), context(tmp_path))
