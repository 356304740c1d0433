"""Batch hard triplets against a search by hand over distances worked out from angles."""

import math

import pytest
import torch

from tests.toolchain.losses.derivation import LABELS, Rows, assert_as_derived, distance
from toolchain.errors import RecipeError
from toolchain.losses import Triplet


@pytest.mark.parametrize("margin", [1.5, None])
def test_loss_and_gradients_are_those_of_the_hardest_triplets(margin: float | None) -> None:
    """Row 2 is the only one of its person: no anchor."""

    def by_hand(rows: Rows) -> float:
        losses = []
        for anchor in (0, 1, 3, 4):
            others = [row for row in range(len(rows)) if row != anchor]
            farthest = max(distance(rows[anchor], rows[row]) for row in others if LABELS[row] == LABELS[anchor])
            nearest = min(distance(rows[anchor], rows[row]) for row in others if LABELS[row] != LABELS[anchor])
            gap = farthest - nearest
            losses.append(math.log1p(math.exp(gap)) if margin is None else max(0.0, gap + margin))
        return sum(losses) / len(losses)

    assert_as_derived(Triplet(margin=margin).build(4, 3), by_hand)


@pytest.mark.parametrize("labels", [(0, 0, 0), (0, 1, 2)])
def test_a_batch_without_triplets_has_a_loss_and_gradient_of_0(labels: tuple[int, ...]) -> None:
    rows = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = Triplet().build(4, 3)(rows, torch.tensor(labels))
    loss.backward()
    assert float(loss.detach()) == 0 and rows.grad is not None and not rows.grad.any()


def test_gradient_is_finite_where_all_faces_coincide() -> None:
    rows = torch.ones(4, 3, requires_grad=True)
    Triplet().build(3, 2)(rows, torch.tensor([0, 0, 1, 1])).backward()
    assert rows.grad is not None and bool(rows.grad.isfinite().all())


@pytest.mark.parametrize("bad", [{"margin": -0.1}, {"images": 1}])
def test_bad_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="Triplet"):
        Triplet(**bad)  # type: ignore[arg-type]
