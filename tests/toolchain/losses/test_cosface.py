"""CosFace against cosines worked out with Python's math."""

import pytest
import torch

from tests.toolchain.losses.derivation import (
    CENTRES,
    EMBEDDINGS,
    LABELS,
    Rows,
    assert_as_derived,
    assert_centres_as_derived,
    cosine,
    cross_entropy,
    set_parameter,
)
from toolchain.errors import RecipeError
from toolchain.losses import CosFace
from toolchain.losses.cosface import CosFaceHead, cosface_logits


def test_the_margin_is_taken_from_the_right_cosine_alone() -> None:
    logits = cosface_logits(torch.tensor([[0.5, 0.25], [0.1, -0.2]]), torch.tensor([0, 1]), scale=10.0, margin=0.35)
    # float32 of numbers up to 6: 1e-6 is two units in the last place
    assert logits.flatten().tolist() == pytest.approx([1.5, 2.5, 1.0, -5.5], abs=1e-6)


def test_loss_and_gradients_are_those_of_the_formula() -> None:
    head = CosFace(scale=8.0, margin=0.2).build(4, 3).double()
    assert isinstance(head, CosFaceHead)
    set_parameter(head.centres, CENTRES)

    def loss(rows: Rows, centres: Rows) -> float:
        total = 0.0
        for row, label in zip(rows, LABELS, strict=True):
            logits = [8.0 * (cosine(row, centre) - (0.2 if number == label else 0)) for number, centre in enumerate(centres)]
            total += cross_entropy(logits, label)
        return total / len(rows)

    assert_as_derived(head, lambda rows: loss(rows, CENTRES))
    head.zero_grad()
    assert_centres_as_derived(head, head.centres, lambda centres: loss(EMBEDDINGS, centres))


@pytest.mark.parametrize("bad", [{"scale": 0.0}, {"margin": -0.1}])
def test_bad_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="CosFace"):
        CosFace(**bad)
