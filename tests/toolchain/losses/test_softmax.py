"""Softmax against cross entropy worked out with Python's math, on plain features and on features of one length."""

import pytest

from tests.toolchain.losses.derivation import CENTRES, EMBEDDINGS, LABELS, Rows, assert_as_derived, cross_entropy, length, set_parameter
from toolchain.errors import RecipeError
from toolchain.losses import Softmax
from toolchain.losses.softmax import SoftmaxHead

BIASES = (0.1, -0.2, 0.3)


@pytest.mark.parametrize("feature_length", [None, 5.0])
def test_loss_and_gradients_are_those_of_cross_entropy(feature_length: float | None) -> None:
    head = Softmax(feature_length).build(4, 3).double()
    assert isinstance(head, SoftmaxHead)
    set_parameter(head.linear.weight, CENTRES)
    set_parameter(head.linear.bias, BIASES)  # type: ignore[arg-type]

    def by_hand(rows: Rows) -> float:
        total = 0.0
        for row, label in zip(rows, LABELS, strict=True):
            scale = 1.0 if feature_length is None else feature_length / length(row)
            logits = [scale * sum(a * b for a, b in zip(row, w, strict=True)) + c for w, c in zip(CENTRES, BIASES, strict=True)]
            total += cross_entropy(logits, label)
        return total / len(rows)

    assert_as_derived(head, by_hand, EMBEDDINGS)


def test_a_feature_length_of_nothing_is_refused() -> None:
    with pytest.raises(RecipeError, match="feature_length"):
        Softmax(feature_length=0)
