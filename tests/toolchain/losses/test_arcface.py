"""ArcFace against a derivation by angles, with gradients by finite differences."""

import math

import pytest
import torch
from torch.nn import functional

from toolchain.errors import RecipeError
from toolchain.losses import ArcFace
from toolchain.losses.arcface import ArcFaceHead, arcface_logits


def test_logits_are_the_cosine_of_the_widened_angle() -> None:
    """θ = 60° and m = 0.5 rad, worked by hand: s·cos(π/3 + 0.5) at the right class, s·cos θ elsewhere."""
    cosines = torch.tensor([[0.5, 0.25]])
    logits = arcface_logits(cosines, torch.tensor([0]), scale=10.0, margin_radians=0.5)
    # float32 of numbers near 10: 1e-5 is ten units in the last place
    assert logits[0].tolist() == pytest.approx([10 * math.cos(math.pi / 3 + 0.5), 2.5], abs=1e-5)


def test_logit_falls_all_the_way_to_the_opposite_direction() -> None:
    cosines = torch.linspace(1, -1, 201)[:, None]
    logits = arcface_logits(cosines, torch.zeros(201, dtype=torch.long), 64.0, 0.5)[:, 0]
    assert bool((logits.diff() < 0).all())


def test_loss_and_gradients_match_finite_differences() -> None:
    torch.manual_seed(1)
    head = ArcFaceHead(4, 3, scale=8.0, margin_radians=0.3)
    with torch.no_grad():
        head.centres.copy_(torch.randn(3, 4))
    embeddings = torch.randn(5, 4, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 1, 0])
    head(embeddings, labels).backward()
    assert embeddings.grad is not None
    centres = functional.normalize(head.centres.detach().double())

    def by_angles(rows: torch.Tensor) -> float:
        angles = torch.acos(functional.normalize(rows) @ centres.T)
        total = 0.0
        for row, label in zip(angles.tolist(), labels.tolist(), strict=True):
            logits = [8.0 * math.cos(angle + (0.3 if column == label else 0)) for column, angle in enumerate(row)]
            total += math.log(sum(math.exp(value) for value in logits)) - logits[label]
        return total / 5

    base = embeddings.detach().double()
    for row, column in ((0, 0), (3, 2), (4, 1)):
        step = torch.zeros_like(base)
        step[row, column] = 1e-5
        slope = (by_angles(base + step) - by_angles(base - step)) / 2e-5
        # float32 gradients of a loss near 8: 1e-4 covers their rounding
        assert float(embeddings.grad[row, column]) == pytest.approx(slope, abs=1e-4)


def test_gradient_is_finite_where_embedding_and_centre_coincide() -> None:
    head = ArcFaceHead(2, 2, 64.0, 0.5)
    embeddings = head.centres.detach().clone().requires_grad_()
    head(embeddings, torch.tensor([0, 1])).backward()
    assert embeddings.grad is not None and bool(embeddings.grad.isfinite().all())


def test_bad_settings_are_refused() -> None:
    with pytest.raises(RecipeError, match="margin_radians"):
        ArcFace(margin_radians=2.0)
