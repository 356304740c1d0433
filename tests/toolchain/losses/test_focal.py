"""Focal loss against its formula, and against cross entropy where they must agree."""

import math

import pytest
import torch
from torch.nn import functional

from tests.toolchain.losses.derivation import CENTRES, LABELS, Rows, assert_as_derived, cosine, cross_entropy, set_parameter
from toolchain.errors import RecipeError
from toolchain.losses import CosFace, Focal
from toolchain.losses.cosface import CosFaceHead
from toolchain.losses.focal import FocalHead, focal_loss


def test_two_faces_by_hand() -> None:
    """p = 0.8 and p = 0.5, γ = 2: 0.04·0.22314 and 0.25·0.69315."""
    logits = torch.tensor([[math.log(4.0), 0.0], [0.0, 0.0]])
    expected = (0.2**2 * -math.log(0.8) + 0.5**2 * -math.log(0.5)) / 2
    assert float(focal_loss(logits, torch.tensor([0, 1]), 2.0)) == pytest.approx(expected, abs=1e-7)


def test_without_focus_it_is_cross_entropy() -> None:
    logits, labels = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]]), torch.tensor([0, 2])
    assert torch.allclose(focal_loss(logits, labels, 0.0), functional.cross_entropy(logits, labels))


def test_loss_and_gradients_on_a_margin_losses_logits() -> None:
    head = Focal(of=CosFace(scale=4.0, margin=0.1), focus=1.5).build(4, 3).double()
    assert isinstance(head, FocalHead) and isinstance(head.classifier, CosFaceHead)
    set_parameter(head.classifier.centres, CENTRES)

    def by_hand(rows: Rows) -> float:
        total = 0.0
        for row, label in zip(rows, LABELS, strict=True):
            entropy = cross_entropy([4.0 * (cosine(row, c) - (0.1 if n == label else 0)) for n, c in enumerate(CENTRES)], label)
            total += (1 - math.exp(-entropy)) ** 1.5 * entropy
        return total / len(rows)

    assert_as_derived(head, by_hand)


@pytest.mark.parametrize("focus", [0.5, 2.0])
def test_gradient_is_finite_where_a_face_is_certain(focus: float) -> None:
    """p rounds to 1: a power below 1 of 1 - p has no finite slope there."""
    logits = torch.tensor([[200.0, 0.0]], requires_grad=True)
    focal_loss(logits, torch.tensor([0]), focus).backward()
    assert logits.grad is not None and bool(logits.grad.isfinite().all())


def test_a_negative_focus_is_refused() -> None:
    with pytest.raises(RecipeError, match="focus"):
        Focal(focus=-1)
