"""Prune: what goes and what stays, beside hand-made examples, and that what went stays away."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.toolchain.compress.tiny import context, mean_cosine, tiny_model
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.palettize import Palettize
from toolchain.compress.prune import MaskedWeights, Prune, density_after, magnitude_masks
from toolchain.compress.share import Share
from toolchain.encodings import Sparse
from toolchain.errors import RecipeError, ToolchainError
from toolchain.model import Model
from toolchain.training.loop import Phase, TrainSettings

SETTINGS = TrainSettings(phases=(Phase(60, 32, 1e-2),), batch=16, optimizer="adamw", weight_decay=0.0)
FEW = dataclasses.replace(SETTINGS, phases=(Phase(3, 32, 1e-2),))
HALF = Prune(SETTINGS, density=0.5, fine_density=0.5)


def pruned_names(model: Model) -> dict[str, float]:
    """The share of zeros of each weight tensor that has some."""
    state = {name: value for name, value in model.net.state_dict().items() if value.ndim > 1}
    return {name: float((value == 0).float().mean()) for name, value in state.items() if bool((value == 0).any())}


def test_a_layer_keeps_its_largest_magnitudes() -> None:
    weight = torch.tensor([[0.5, -3.0], [1.0, -0.25]])
    (mask,) = magnitude_masks([weight], 0.5, "layer")
    assert mask.tolist() == [[False, True], [True, False]]


def test_one_multiple_of_every_layers_spread_decides_for_the_net() -> None:
    """By hand: root mean squares 2 and 20, so the weights come to (0.5, 1.32) and (0.1, 1.41) of them; half of four stay."""
    small, large = torch.tensor([1.0, 7.0**0.5]), torch.tensor([2.0, 796.0**0.5])
    masks = magnitude_masks([small, large], 0.5, "net")
    assert [mask.tolist() for mask in masks] == [[False, True], [False, True]]
    # Plain magnitude would have removed 1.0 and kept 2.0.
    assert [mask.tolist() for mask in magnitude_masks([small, large], 0.75, "net")] == [[True, True], [False, True]]


def test_the_spread_is_the_root_mean_square_and_not_the_mean_magnitude() -> None:
    """1 is 0.63 root mean squares of its tensor but a whole mean magnitude; 0.9 is 0.9 of either."""
    masks = magnitude_masks([torch.tensor([3.0, 1.0, 0.0, 0.0]), torch.tensor([0.9, 1.1])], 0.5, "net")
    assert [mask.tolist() for mask in masks] == [[True, False, False, False], [True, True]]


def test_of_a_constant_tensor_the_first_stay_and_of_one_element_the_one() -> None:
    (mask,) = magnitude_masks([torch.full((2, 2), -3.0)], 0.5, "net")
    assert mask.tolist() == [[True, True], [False, False]]
    assert magnitude_masks([torch.zeros(1, 1)], 0.01, "net")[0].tolist() == [[True]]


def test_nan_is_refused() -> None:
    with pytest.raises(ToolchainError, match="Prune: expected weights that are numbers, got NaN"):
        magnitude_masks([torch.tensor([1.0, torch.nan])], 0.5, "layer")


def test_every_round_leaves_the_same_share_of_what_the_one_before_left() -> None:
    left = [density_after(done, 3, 0.008) for done in range(4)]
    np.testing.assert_allclose(np.divide(left[1:], left[:-1]), 0.2, rtol=1e-12)
    assert dataclasses.replace(HALF, rounds=4).first_steps() == {0: 1, 15: 2, 30: 3, 45: 4}
    assert Prune(FEW, rounds=7).first_steps()[0] >= 1, "rounds that would begin with the same step are one"
    assert max(Prune(FEW, rounds=7).first_steps().values()) == 7, "the last of them counts"


def test_a_removed_weight_gets_no_gradient() -> None:
    layer = MaskedWeights(weight := torch.ones(2, 2, requires_grad=True))
    layer.mask[0] = False
    layer(weight).sum().backward()
    assert weight.grad is not None and weight.grad.tolist() == [[0.0, 0.0], [1.0, 1.0]]


def test_the_wanted_share_goes_and_retraining_brings_the_embeddings_back(tmp_path: Path) -> None:
    model = tiny_model()
    tuned = HALF.apply(model, context(tmp_path / "tuned"))
    found = pruned_names(tuned)
    assert set(found) == {"0.weight", "2.weight", "4.weight", "6.weight", "10.weight"} and not tuned.encodings
    count = sum(value.numel() for name, value in tuned.net.state_dict().items() if name in found)
    zeros = sum(int((tuned.net.state_dict()[name] == 0).sum()) for name in found)
    assert abs(zeros / count - 0.5) < 0.01, "each of three groups of layers is rounded to a whole weight"
    hardly = dataclasses.replace(HALF, settings=dataclasses.replace(FEW, phases=(Phase(1, 32, 1e-8),)), rounds=1)
    assert 1 - mean_cosine(tuned, model) < 0.5 * (1 - mean_cosine(hardly.apply(model, context(tmp_path / "once")), model))


@pytest.mark.parametrize(
    "then", [Share(clusters=8, fine_clusters=8), Share(grid="int8", scaled="channel"), Palettize(), Share(FEW, clusters=8, grid="int8")]
)
def test_what_was_pruned_stays_so_through_folding_and_sharing(then: Share | Palettize, tmp_path: Path) -> None:
    model = Prune(FEW, density=0.3).apply(tiny_model(batch_norm=True), context(tmp_path / "prune"))
    made = then.apply(FoldBatchNorm().apply(model, context(tmp_path)), context(tmp_path / "then"))
    for name in pruned_names(model):
        assert bool((made.net.state_dict()[name][model.net.state_dict()[name] == 0] == 0).all()), name
        assert name in made.encodings
    if isinstance(then, Share) and then.grid == "int8":
        assert isinstance(made.encodings["7.weight"], Sparse)


@pytest.mark.parametrize("wrong", [{"density": 0.0}, {"fine_density": 1.5}, {"rounds": 0}, {"scope": "all"}, {"map_weight": -1.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match=next(iter(wrong))):
        Prune(**wrong)  # type: ignore[arg-type]
