"""Centre loss: its pull against a sum by hand, its centres against equation 4 by hand."""

import pytest
import torch

from tests.toolchain.losses.derivation import CENTRES, EMBEDDINGS, LABELS, Rows, assert_as_derived, cross_entropy, set_parameter
from toolchain.errors import RecipeError
from toolchain.losses import CentreLoss
from toolchain.losses.centre import CentreLossHead
from toolchain.losses.softmax import SoftmaxHead


def head_with_centres() -> CentreLossHead:
    head = CentreLoss(weight=0.3, rate=0.5).build(4, 3).double()
    assert isinstance(head, CentreLossHead) and isinstance(head.classifier, SoftmaxHead)
    set_parameter(head.classifier.linear.weight, CENTRES)
    torch.nn.init.zeros_(head.classifier.linear.bias)
    set_parameter(head.centres, CENTRES)
    return head


def test_loss_and_gradients_are_softmax_and_the_pull_to_the_centre() -> None:
    def by_hand(rows: Rows) -> float:
        total = 0.0
        for row, label in zip(rows, LABELS, strict=True):
            total += cross_entropy([sum(a * b for a, b in zip(row, weights, strict=True)) for weights in CENTRES], label)
            total += 0.3 * sum((a - b) ** 2 for a, b in zip(row, CENTRES[label], strict=True)) / 2
        return total / len(rows)

    assert_as_derived(head_with_centres(), by_hand)


def test_a_training_batch_moves_each_centre_by_equation_4_and_evaluation_none() -> None:
    head = head_with_centres()
    rows, labels = torch.tensor(EMBEDDINGS, dtype=torch.float64), torch.tensor(LABELS)
    before = head.centres.clone()
    head.eval()(rows, labels)
    assert torch.equal(head.centres, before)
    head.train()(rows, labels)
    for number, members in ((0, (0, 4)), (1, (1, 3)), (2, (2,))):
        for column in range(4):
            step = sum(float(before[number, column]) - EMBEDDINGS[row][column] for row in members) / (1 + len(members))
            assert float(head.centres[number, column]) == pytest.approx(float(before[number, column]) - 0.5 * step, abs=1e-12)


def test_a_class_that_the_batch_lacks_keeps_its_centre() -> None:
    head = head_with_centres().train()
    before = head.centres.clone()
    head(torch.tensor(EMBEDDINGS[:1], dtype=torch.float64), torch.tensor([0]))
    assert torch.equal(head.centres[1:], before[1:]) and not torch.equal(head.centres[0], before[0])


@pytest.mark.parametrize("bad", [{"weight": -1.0}, {"rate": 0.0}])
def test_bad_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="CentreLoss"):
        CentreLoss(**bad)
