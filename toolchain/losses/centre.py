"""Centre loss (Wen, Zhang, Li, Qiao, ECCV 2016, eq. 2 to 5): beside a classifier's loss, each embedding is drawn to the running
centre of its class."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from toolchain.errors import RecipeError
from toolchain.losses.base import ClassificationLoss, Classifier
from toolchain.losses.softmax import Softmax


def centre_distance(embeddings: Tensor, centres: Tensor, labels: Tensor) -> Tensor:
    """½‖x - c_y‖², averaged over the rows of `embeddings` `[B, D]`; the paper sums, which would tie the weight to the batch."""
    return (embeddings - centres[labels]).pow(2).sum(1).mean() / 2


@torch.no_grad()
def moved_centres(embeddings: Tensor, centres: Tensor, labels: Tensor, rate: float) -> Tensor:
    """Centres `[C, D]` after a batch: c_j - α Σ(c_j - x) / (1 + n_j) over the n_j rows of class j (eq. 4)."""
    counts = torch.bincount(labels, minlength=len(centres)).to(centres.dtype)
    sums = torch.zeros_like(centres).index_add_(0, labels, centres[labels] - embeddings)
    return centres - rate * sums / (1 + counts)[:, None]


class CentreLossHead(Classifier):
    """Another classifier's loss, and the centres `[C, D]`, which are moved by every training batch and not by the optimiser."""

    def __init__(self, classifier: Classifier, dim: int, classes: int, weight: float, rate: float) -> None:
        super().__init__()
        self.classifier, self.weight, self.rate = classifier, weight, rate
        self.centres: Tensor
        self.register_buffer("centres", torch.zeros(classes, dim))

    def scores(self, embeddings: Tensor) -> Tensor:
        return self.classifier.scores(embeddings)

    def logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return self.classifier.logits(embeddings, labels)

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        drawn = centre_distance(embeddings, self.centres, labels)
        if self.training:
            self.centres.copy_(moved_centres(embeddings, self.centres, labels, self.rate))
        return self.classifier.loss(embeddings, labels) + self.weight * drawn


@dataclass(frozen=True)
class CentreLoss(ClassificationLoss):
    """The loss of `of` and centre loss. Of several processes the first one's share of a batch moves the centres."""

    of: ClassificationLoss = field(default_factory=Softmax)
    weight: float = 1e-3
    """λ: how much the distance to the centre counts."""
    rate: float = 0.5
    """α: how fast the centres move."""

    def __post_init__(self) -> None:
        if not 0 <= self.weight < math.inf or not 0 < self.rate <= 1:
            raise RecipeError(f"CentreLoss: expected weight >= 0 and rate in 0..1, got {self.weight} and {self.rate}")

    def build(self, dim: int, classes: int) -> Classifier:
        return CentreLossHead(self.of.build(dim, classes), dim, classes, self.weight, self.rate)
