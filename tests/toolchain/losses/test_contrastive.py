"""Contrastive loss against distances worked out from angles."""

import pytest
import torch

from tests.toolchain.losses.derivation import LABELS, Rows, assert_as_derived, distance
from toolchain.errors import RecipeError
from toolchain.losses import Contrastive


def test_loss_and_gradients_are_those_of_the_formula() -> None:
    def by_hand(rows: Rows) -> float:
        kinds: dict[bool, list[float]] = {True: [], False: []}
        for one in range(len(rows)):
            for other in range(one):
                apart, same = distance(rows[one], rows[other]), LABELS[one] == LABELS[other]
                kinds[same].append(apart**2 if same else max(0.0, 1.4 - apart) ** 2)
        return sum(sum(kind) / len(kind) for kind in kinds.values()) / 2

    assert_as_derived(Contrastive(margin=1.4).build(4, 3), by_hand)


def test_a_batch_of_one_kind_of_pairs_counts_that_kind_alone() -> None:
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # a right angle: distance √2
    criterion = Contrastive(margin=2.0).build(2, 2)
    assert float(criterion(rows, torch.tensor([0, 0]))) == pytest.approx(1.0, abs=1e-6)
    assert float(criterion(rows, torch.tensor([0, 1]))) == pytest.approx((2 - 2**0.5) ** 2 / 2, abs=1e-6)


def test_gradient_is_finite_where_two_people_coincide() -> None:
    rows = torch.ones(4, 3, requires_grad=True)
    Contrastive().build(3, 2)(rows, torch.tensor([0, 0, 1, 1])).backward()
    assert rows.grad is not None and bool(rows.grad.isfinite().all())


@pytest.mark.parametrize("bad", [{"margin": 0.0}, {"images": 1}])
def test_bad_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="Contrastive"):
        Contrastive(**bad)  # type: ignore[arg-type]
