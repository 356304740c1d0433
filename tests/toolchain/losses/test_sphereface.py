"""SphereFace's ψ against its definition by angles, and its λ against the authors' schedule."""

import math

import pytest
import torch

from tests.toolchain.losses.derivation import CENTRES, LABELS, Rows, angle, assert_as_derived, cross_entropy, set_parameter
from toolchain.errors import RecipeError
from toolchain.losses import SphereFace
from toolchain.losses.sphereface import SphereFaceHead, psi


def by_definition(theta: float, margin: int) -> float:
    """Equation 6: (-1)^k cos(mθ) - 2k on the k-th m-th of a half circle."""
    k = min(int(theta * margin / math.pi), margin - 1)
    return (-1) ** k * math.cos(margin * theta) - 2 * k


@pytest.mark.parametrize("margin", [1, 2, 3, 4])
def test_psi_is_its_definition_and_falls_from_0_to_pi(margin: int) -> None:
    angles = [math.pi * number / 200 for number in range(201)]
    values = psi(torch.tensor([math.cos(theta) for theta in angles], dtype=torch.float64), margin)
    # At the joints of two pieces either k gives the same value, so rounding of θ there does not matter.
    assert values.tolist() == pytest.approx([by_definition(theta, margin) for theta in angles], abs=1e-9)
    assert bool((values.diff() < 0).all())


def test_loss_and_gradients_are_those_of_the_formula() -> None:
    head = SphereFace(scale=4.0, margin=3, first_mix=2.0, least_mix=2.0).build(4, 3).double()
    assert isinstance(head, SphereFaceHead)
    set_parameter(head.centres, CENTRES)

    def by_hand(rows: Rows) -> float:
        total = 0.0
        for row, label in zip(rows, LABELS, strict=True):
            angles = [angle(row, centre) for centre in CENTRES]
            logits = [4.0 * math.cos(theta) for theta in angles]
            logits[label] = 4.0 * (2.0 * math.cos(angles[label]) + by_definition(angles[label], 3)) / 3.0
            total += cross_entropy(logits, label)
        return total / len(rows)

    assert_as_derived(head, by_hand)


def test_lambda_falls_with_training_steps_alone_and_is_kept_in_checkpoints() -> None:
    head = SphereFace().build(4, 3)
    assert isinstance(head, SphereFaceHead) and head.mix == 1000.0
    rows, labels = torch.ones(2, 4), torch.tensor([0, 1])
    for _ in range(10):
        head(rows, labels)
    assert head.mix == pytest.approx(1000 / (1 + 0.12 * 10))
    head.eval()(rows, labels)
    assert int(head.state_dict()["steps"]) == 10
    head.steps.fill_(10**6)
    assert head.mix == 5.0


def test_gradient_is_finite_where_embedding_and_centre_coincide_or_oppose() -> None:
    head = SphereFace().build(2, 2)
    assert isinstance(head, SphereFaceHead)
    embeddings = torch.cat([head.centres.detach(), -head.centres.detach()]).requires_grad_()
    head(embeddings, torch.tensor([0, 1, 0, 1])).backward()
    assert embeddings.grad is not None and bool(embeddings.grad.isfinite().all())


@pytest.mark.parametrize("bad", [{"scale": 0.0}, {"margin": 0}, {"least_mix": -1.0}])
def test_bad_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="SphereFace"):
        SphereFace(**bad)  # type: ignore[arg-type]
