"""Focal loss (Lin et al., ICCV 2017, eq. 4) over all classes: faces that are told apart well already count little."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from toolchain.errors import RecipeError
from toolchain.losses.base import ClassificationLoss, Classifier
from toolchain.losses.softmax import Softmax


def focal_loss(logits: Tensor, labels: Tensor, focus: float) -> Tensor:
    """The mean of -(1 - p)^γ log p, p the softmax of `logits` `[B, C]` at the right class and γ `focus`."""
    log_p = functional.log_softmax(logits, 1).gather(1, labels[:, None])[:, 0]
    # 1 - p without cancellation, and never quite 0, where a power below 1 has no finite slope.
    missing = (-torch.expm1(log_p)).clamp_min(torch.finfo(logits.dtype).tiny)
    return -(missing**focus * log_p).mean()


class FocalHead(Classifier):
    """Focal loss of another classifier's logits."""

    def __init__(self, classifier: Classifier, focus: float) -> None:
        super().__init__()
        self.classifier, self.focus = classifier, focus

    def scores(self, embeddings: Tensor) -> Tensor:
        return self.classifier.scores(embeddings)

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return focal_loss(self.classifier.logits(embeddings, labels), labels, self.focus)


@dataclass(frozen=True)
class Focal(ClassificationLoss):
    """Focal loss on the logits of `of`."""

    of: ClassificationLoss = field(default_factory=Softmax)
    focus: float = 2.0
    """γ; 0 is cross entropy."""

    def __post_init__(self) -> None:
        if not 0 <= self.focus < math.inf:
            raise RecipeError(f"Focal.focus: expected 0 or more, got {self.focus}")

    def build(self, dim: int, classes: int) -> Classifier:
        return FocalHead(self.of.build(dim, classes), self.focus)
