"""Share: k-means and the codebook's gradient beside derivations in numpy that share no code with it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from tests.toolchain.compress.tiny import context, mean_cosine, tiny_model
from toolchain.compress.clustering import channel_rms
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.palettize import Palettize
from toolchain.compress.share import Grid, Scaled, Share, ValuesOfClusters, shared_values
from toolchain.encodings import Codebook, Palette
from toolchain.errors import DataError, RecipeError, ToolchainError
from toolchain.model import Model
from toolchain.training.loop import Phase, TrainSettings

SETTINGS = TrainSettings(phases=(Phase(60, 32, 3e-2),), batch=16, optimizer="adamw", weight_decay=0.0)
WEIGHT = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(1))


def lloyd(values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """k-means from evenly spaced centres, as the paper states it."""
    centres = np.linspace(values.min(), values.max(), count)
    for _ in range(100):
        nearest = np.abs(values[:, None] - centres).argmin(1)
        centres = np.array([values[nearest == k].mean() for k in range(count)])
    return centres


def test_the_centres_are_those_of_k_means_from_the_linear_initialisation() -> None:
    values = np.array([-1.0, -0.9, -0.2, 0.0, 0.1, 0.8, 1.0, 2.0])
    centres, indices = shared_values(torch.from_numpy(values).float(), 3)
    # The histogram of 8192 bins keeps each bin's mean, so values in bins of their own are exact up to float32.
    np.testing.assert_allclose(centres.numpy(), lloyd(values, 3), atol=1e-6)
    np.testing.assert_array_equal(indices.numpy(), np.abs(values[:, None] - lloyd(values, 3)).argmin(1))


def test_fewer_values_than_clusters_are_their_own() -> None:
    values = torch.tensor([3.0, -1.0, 3.0])
    centres, indices = shared_values(values, 8)
    assert centres.tolist() == [-1.0, 3.0] and torch.equal(centres[indices], values)


@pytest.mark.parametrize("weight", [torch.full((2, 3), -0.7), torch.full((1, 1), 0.3), torch.zeros(2, 2)])
@pytest.mark.parametrize("grid", ["float", "int8"])
def test_a_constant_tensor_and_one_of_one_element_are_kept(weight: torch.Tensor, grid: Grid) -> None:
    shared = ValuesOfClusters(weight, 4, grid, "tensor")
    decoded = shared.encoding(shared.right_inverse(weight)).decode()
    # Float: w / rms · rms is rounded twice, 2⁻²⁴ each; int8: the scale is rounded to fp16, 2⁻¹¹.
    torch.testing.assert_close(decoded, weight, rtol=2.0**-22 if grid == "float" else 2.0**-11, atol=0)


def test_nan_is_refused() -> None:
    with pytest.raises(ToolchainError, match="Share: expected finite weights, got NaN"):
        shared_values(torch.tensor([1.0, torch.nan]), 2)


@pytest.mark.parametrize(("grid", "scaled"), [("float", "tensor"), ("int8", "tensor"), ("int8", "channel")])
def test_a_values_gradient_is_the_sum_over_its_cluster(grid: Grid, scaled: Scaled) -> None:
    weight = WEIGHT.clone()
    weight[0, 0] = 0  # pruned
    shared = ValuesOfClusters(weight, 5, grid, scaled)
    values = shared.right_inverse(weight).requires_grad_()
    made = shared(values)
    assert torch.equal(made.detach(), shared.encoding(values.detach()).decode()), "what runs is what is stored"
    assert bool((made[0, 0] == 0).all())
    gradient = torch.randn(made.shape, generator=torch.Generator().manual_seed(2))
    made.backward(gradient)
    # What a step of a value changes in each weight: the tensor's or channel's root mean square; on the int8 grid rounded to fp16.
    unit = channel_rms(weight) if scaled == "channel" else weight.square().mean().sqrt().expand(6)
    contributions = (gradient * unit.reshape(-1, 1, 1, 1))[weight != 0].numpy()
    members = shared.indices[weight != 0].numpy()
    expected = np.array([contributions[members == k].sum() for k in range(len(values))])
    np.testing.assert_allclose(
        values.grad, expected, rtol=2.0**-10, atol=1e-5 if grid == "float" else 2.0**-10 * np.abs(contributions).sum()
    )


def test_without_settings_it_needs_no_face_and_encodes_every_weight(tmp_path: Path) -> None:
    model = tiny_model()
    made = Share(clusters=5, fine_clusters=9).apply(model, context(tmp_path, faces=False))
    assert set(made.encodings) == {"0.weight", "2.weight", "4.weight", "6.weight", "10.weight"}
    counts = {name: len(item.values) for name, item in made.encodings.items() if isinstance(item, Codebook)}
    assert counts["0.weight"] == counts["2.weight"] == 9 and counts["6.weight"] == 5
    scaled = Share(clusters=5, grid="int8", scaled="channel").apply(model, context(tmp_path, faces=False))
    assert all(isinstance(item, Palette) for item in scaled.encodings.values())
    for name, tensor in made.net.state_dict().items():
        assert name in made.encodings or torch.equal(tensor, tensor.half().float()), name


@pytest.mark.parametrize(("grid", "scaled"), [("float", "tensor"), ("int8", "channel")])
def test_training_the_values_brings_the_embeddings_back_and_moves_no_weight_to_another_cluster(
    grid: Grid, scaled: Scaled, tmp_path: Path
) -> None:
    model = tiny_model()
    coarse = Share(clusters=4, fine_clusters=4, grid=grid, scaled=scaled)
    shared = coarse.apply(model, context(tmp_path, faces=False))
    tuned = dataclasses.replace(coarse, settings=SETTINGS).apply(model, context(tmp_path))
    assert 1 - mean_cosine(tuned, model) < 0.7 * (1 - mean_cosine(shared, model))
    for name in shared.encodings:
        before, after = (item.net.state_dict()[name].flatten(1) for item in (shared, tuned))
        for row in range(1 if scaled == "tensor" else len(before)):
            start, end = (x.flatten() if scaled == "tensor" else x[row] for x in (before, after))
            for value in start.unique():
                assert len(end[start == value].unique()) == 1, "weights that shared a value still do"


def test_encoded_weights_stay_and_batch_norm_must_be_folded(tmp_path: Path) -> None:
    model = tiny_model(batch_norm=True)
    with pytest.raises(ToolchainError, match=r"put FoldBatchNorm\(\) before Share"):
        Share().apply(model, context(tmp_path, faces=False))
    folded = FoldBatchNorm().apply(model, context(tmp_path))
    some = folded.with_weights({"4.weight": Codebook.of(folded.net.get_parameter("4.weight").sign())})
    made = Share(dataclasses.replace(SETTINGS, phases=(Phase(2, 32),))).apply(some, context(tmp_path))
    assert made.encodings["4.weight"] is some.encodings["4.weight"]


def test_training_without_faces_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Share needs face images"):
        Share(SETTINGS).apply(tiny_model(), context(tmp_path, faces=False))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"clusters": 0}, "clusters: expected 1 to 4095 on the float grid"),
        ({"fine_clusters": 255, "grid": "int8"}, "fine_clusters: expected 1 to 254 on the int8 grid"),
        ({"scaled": "channel"}, "a float codebook holds the weights themselves"),
        ({"grid": "int4"}, "expected grid float or int8"),
        ({"map_weight": float("nan")}, "map_weight"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Share(**wrong)  # type: ignore[arg-type]


def test_a_net_with_a_weight_that_is_not_a_number_is_refused(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    nn.init.constant_(net.get_parameter("0.weight"), torch.nan)
    with pytest.raises(ToolchainError, match="expected finite weights"):
        Share().apply(Model(net, tiny_model().input), context(tmp_path, faces=False))


@pytest.mark.parametrize("stage", [Share(grid="int8"), Share(grid="int8", scaled="channel"), Palettize()])
def test_weights_whose_scale_fp16_cannot_hold_stay_finite(stage: Share | Palettize, tmp_path: Path) -> None:
    model = tiny_model()
    weight = model.net.get_parameter("6.weight").detach() * 1e9
    made = stage.apply(model.with_weights({"6.weight": weight}), context(tmp_path, faces=False)).net.get_parameter("6.weight")
    # 32 levels a tensor: by far within a fifth of the weights' spread.
    assert float((made - weight).square().mean().sqrt()) < 0.2 * float(weight.square().mean().sqrt())
