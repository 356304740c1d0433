"""Embeddings that share a direction and vary in few are evened out, in the last layer alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.toolchain.compress.tiny import blobs, context, normed_model, tiny_model
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.layers import weighted_layers
from toolchain.compress.palettize import Palettize
from toolchain.compress.whiten import Whiten, whitening
from toolchain.errors import RecipeError, ToolchainError
from toolchain.model import Model, to_input

CROSS = torch.tensor([[5.0, 1.0], [1.0, 1.0], [3.0, 2.0], [3.0, 0.0]])
"""About (3, 1); of variance 2 along the first axis and 1/2 along the second, so 1.25 in the mean."""


@pytest.mark.parametrize(
    ("strength", "penalty", "expected"),
    [
        (0.0, 0.2, [1, 1]),
        (1.0, 1e-12, [1.6**-0.5, 0.4**-0.5]),  # 2 / 1.25 and 0.5 / 1.25
        (0.5, 0.4, [2**-0.25, 0.8**-0.25]),
    ],
)
def test_each_direction_is_divided_by_a_power_of_its_spread(strength: float, penalty: float, expected: list[float]) -> None:
    mean, even = whitening(CROSS, strength, penalty)
    np.testing.assert_allclose(mean, [3, 1])
    np.testing.assert_allclose(even, np.diag(expected), atol=1e-9)


def embedded(model: Model) -> torch.Tensor:
    """As the net gives them, not normalised, of the faces that the stage was given."""
    images = torch.from_numpy(blobs().images).permute(0, 3, 1, 2)
    with torch.no_grad():
        found: torch.Tensor = model.net.eval()(to_input(images, model.input)).flatten(1)
    return found


@pytest.mark.parametrize("normed", [False, True])
def test_the_net_gives_the_evened_embeddings_and_only_its_last_layer_is_another(normed: bool, tmp_path: Path) -> None:
    model = normed_model(tmp_path) if normed else tiny_model()
    made = Whiten(strength=1.0, penalty=1e-4).apply(model, context(tmp_path))
    before, after = embedded(model).double(), embedded(made).double()
    centred = before - before.mean(0)
    covariance = centred.T @ centred / len(before)
    # The inverse square root by Newton's iteration (Denman and Beavers), which shares no code with an eigendecomposition.
    spread = covariance.diagonal().mean()
    root, inverse = covariance / spread + 1e-4 * torch.eye(24), torch.eye(24, dtype=torch.float64)
    for _ in range(40):
        root, inverse = (root + torch.linalg.inv(inverse)) / 2, (inverse + torch.linalg.inv(root)) / 2
    torch.testing.assert_close(after, centred @ inverse, atol=2e-3, rtol=2e-3)
    last = weighted_layers(model.net)[-1].name
    changed = {name for name, value in made.net.state_dict().items() if not torch.equal(value, model.net.state_dict()[name])}
    assert changed and all(name.startswith(last) for name in changed)
    folded = FoldBatchNorm().apply(made, context(tmp_path))
    torch.testing.assert_close(embedded(folded).double(), after, atol=1e-3, rtol=1e-3)


def test_a_direction_that_all_share_is_gone() -> None:
    """Two strangers who share most of what they are become what tells them apart."""
    shared = torch.tensor([3.0, 0.0, 0.0])
    people = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
    mean, even = whitening(shared + people, 0.0, 0.2)
    evened = (shared + people - mean) @ even
    assert float(torch.cosine_similarity(*(shared + people)[:2], dim=0)) > 0.8
    assert float(torch.cosine_similarity(*evened[:2], dim=0)) == pytest.approx(0)


def test_a_last_layer_that_is_encoded_is_refused(tmp_path: Path) -> None:
    encoded = Palettize(clusters=4, fine_clusters=4).apply(tiny_model(), context(tmp_path, faces=False))
    with pytest.raises(ToolchainError, match=r"^Whiten: 10\.weight is encoded, and would be changed; put Whiten\(\) before"):
        Whiten().apply(encoded, context(tmp_path))


def test_a_last_layer_that_gives_a_map_is_refused(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3, 4), nn.ReLU(), nn.Conv2d(8, 6, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with pytest.raises(ToolchainError, match=r"^2: expected a last layer with a bias that gives the embedding, got another"):
        Whiten(faces=16).apply(Model(net, tiny_model().input), context(tmp_path))


def test_embeddings_that_do_not_vary_are_refused() -> None:
    with pytest.raises(ToolchainError, match="Whiten: embeddings do not vary"):
        whitening(torch.ones(4, 3), 0.5, 0.1)


@pytest.mark.parametrize("wrong", [{"strength": 1.1}, {"strength": -0.1}, {"penalty": 0.0}, {"faces": 1}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="Whiten: expected strength in 0..1, penalty > 0 and faces >= 2"):
        Whiten(**wrong)  # type: ignore[arg-type]
