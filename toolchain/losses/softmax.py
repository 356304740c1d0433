"""Softmax with cross entropy on a linear classifier; optionally on features of one length (Ranjan, Castillo, Chellappa,
arXiv:1703.09507, eq. 2 and 3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from toolchain.errors import RecipeError
from toolchain.losses.base import ClassificationLoss, Classifier


class SoftmaxHead(Classifier):
    """Weights `[C, D]` and biases `[C]`."""

    def __init__(self, dim: int, classes: int, feature_length: float | None) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, classes)
        self.feature_length = feature_length

    @property
    def knows_length(self) -> bool:
        return self.feature_length is None

    def scores(self, embeddings: Tensor) -> Tensor:
        if self.feature_length is not None:
            embeddings = self.feature_length * functional.normalize(embeddings)
        scores: Tensor = self.linear(embeddings)
        return scores


@dataclass(frozen=True)
class Softmax(ClassificationLoss):
    """Cross entropy of a linear classifier."""

    feature_length: float | None = None
    """Length that every embedding is scaled to before it is classified; None: as the net gives it."""

    def __post_init__(self) -> None:
        if self.feature_length is not None and not 0 < self.feature_length < math.inf:
            raise RecipeError(f"Softmax.feature_length: expected more than 0 or None, got {self.feature_length}")

    def build(self, dim: int, classes: int) -> Classifier:
        return SoftmaxHead(dim, classes, self.feature_length)
