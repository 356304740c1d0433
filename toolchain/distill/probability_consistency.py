"""Probability consistency (Hinton, Vinyals, Dean, arXiv:1503.02531, section 2): the student gives each class the teacher's probability."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from toolchain.distill.base import Consistency, ConsistencyLoss
from toolchain.errors import RecipeError
from toolchain.losses.arcface import ArcFace
from toolchain.losses.base import ClassificationLoss, Classifier


def probability_consistency(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL(softmax(z_T / τ) ‖ softmax(z_S / τ)) · τ², averaged over the rows of logits `[B, C]`; τ² keeps the gradient's size whatever
    the temperature."""
    expected = functional.log_softmax(teacher / temperature, 1)
    given = functional.log_softmax(student / temperature, 1)
    return functional.kl_div(given, expected, reduction="batchmean", log_target=True) * temperature**2


class _ProbabilityLoss(ConsistencyLoss):
    """The student's own loss on the labels, and its probabilities against the teacher's."""

    def __init__(self, own: Classifier, classifier: Classifier, temperature: float) -> None:
        super().__init__()
        self.own, self.temperature = own, temperature
        # In a tuple, so that it is neither trained nor kept in checkpoints.
        self._teacher = (classifier,)

    def loss(self, net: nn.Module, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        (classifier,) = self._teacher
        classifier.to(student.device)
        with torch.no_grad():
            wanted = classifier.scores(teacher)
        loss: Tensor = self.own(student, labels)
        return loss + probability_consistency(self.own.scores(student), wanted, self.temperature)


@dataclass(frozen=True)
class ProbabilityConsistency(Consistency):
    """The teacher's probabilities of the identities, beside `loss` on the labels; both nets' classifiers are dropped afterwards."""

    needs_classes: ClassVar[bool] = True
    any_sizes: ClassVar[bool] = True

    temperature: float = 4.0
    loss: ClassificationLoss = field(default_factory=lambda: ArcFace(scale=32))

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise RecipeError(f"ProbabilityConsistency.temperature: expected more than 0, got {self.temperature}")

    def build(self, dim: int, classes: int, classifier: Classifier | None) -> ConsistencyLoss:
        if classifier is None:
            raise RecipeError("ProbabilityConsistency: expected one teacher with a classifier, a TrainedTeacher, got one without")
        if classifier.knows_length:
            told = "the teacher's classifier was trained on embeddings of any length and is asked for those of length 1"
            raise RecipeError(f"ProbabilityConsistency: {told}; train it by Softmax(feature_length=…)")
        return _ProbabilityLoss(self.loss.build(dim, classes), classifier, self.temperature)
