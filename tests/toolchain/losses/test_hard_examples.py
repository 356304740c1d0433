"""Hard example mining keeps the rows of largest loss, counted by hand, and sends no gradient to the others."""

import math

import pytest
import torch

from tests.toolchain.losses.derivation import CENTRES, LABELS, Rows, assert_as_derived, cosine, cross_entropy, set_parameter
from toolchain.errors import RecipeError
from toolchain.losses import CosFace, HardExamples
from toolchain.losses.cosface import CosFaceHead
from toolchain.losses.hard_examples import HardExamplesHead, hard_example_loss


def test_of_four_rows_the_harder_half_counts() -> None:
    """Two classes, logits (g, 0): the loss of class 0 is ln(1 + e^-g)."""
    gaps = (3.0, -1.0, 0.0, 2.0)
    logits = torch.tensor([[gap, 0.0] for gap in gaps], requires_grad=True)
    loss = hard_example_loss(logits, torch.zeros(4, dtype=torch.long), keep=0.5)
    loss.backward()
    assert float(loss.detach()) == pytest.approx((math.log1p(math.e) + math.log(2)) / 2, abs=1e-6)
    assert logits.grad is not None and logits.grad.abs().sum(1).gt(0).tolist() == [False, True, True, False]


@pytest.mark.parametrize(("keep", "rows"), [(0.01, 1), (0.25, 1), (0.26, 2), (1.0, 4)])
def test_the_kept_share_is_rounded_up_so_that_one_row_always_counts(keep: float, rows: int) -> None:
    logits = torch.tensor([[gap, 0.0] for gap in (3.0, -1.0, 0.0, 2.0)], requires_grad=True)
    hard_example_loss(logits, torch.zeros(4, dtype=torch.long), keep).backward()
    assert logits.grad is not None and int(logits.grad.abs().sum(1).gt(0).sum()) == rows


def test_a_share_is_the_decimal_that_it_is_written_as() -> None:
    """By floats 0.07 * 100 is 7.000000000000001."""
    logits = torch.tensor([[gap / 100, 0.0] for gap in range(100)], requires_grad=True)
    hard_example_loss(logits, torch.zeros(100, dtype=torch.long), keep=0.07).backward()
    assert logits.grad is not None and int(logits.grad.abs().sum(1).gt(0).sum()) == 7


def test_loss_and_gradients_are_those_of_the_kept_rows() -> None:
    head = HardExamples(of=CosFace(scale=4.0, margin=0.1), keep=0.6).build(4, 3).double()
    assert isinstance(head, HardExamplesHead) and isinstance(head.classifier, CosFaceHead)
    set_parameter(head.classifier.centres, CENTRES)

    def by_hand(rows: Rows) -> float:
        losses = [
            cross_entropy([4.0 * (cosine(row, c) - (0.1 if n == label else 0)) for n, c in enumerate(CENTRES)], label)
            for row, label in zip(rows, LABELS, strict=True)
        ]
        return sum(sorted(losses)[-3:]) / 3

    assert_as_derived(head, by_hand)


@pytest.mark.parametrize("keep", [0.0, 1.5])
def test_a_share_that_makes_no_sense_is_refused(keep: float) -> None:
    with pytest.raises(RecipeError, match="keep"):
        HardExamples(keep=keep)
