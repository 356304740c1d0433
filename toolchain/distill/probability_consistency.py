"""Probability consistency (Hinton, Vinyals, Dean, arXiv:1503.02531, section 2): the student gives each class the teacher's probability."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def probability_consistency(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL(softmax(z_T / τ) ‖ softmax(z_S / τ)) · τ², averaged over the rows of logits `[B, C]`; τ² keeps the gradient's size whatever
    the temperature."""
    expected = functional.log_softmax(teacher / temperature, 1)
    given = functional.log_softmax(student / temperature, 1)
    return functional.kl_div(given, expected, reduction="batchmean", log_target=True) * temperature**2
