"""CosFace (Wang et al., CVPR 2018, eq. 4): softmax on s·cos θ with a margin taken from the cosine of the right class, on normalised
features and centres."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from toolchain.errors import RecipeError
from toolchain.losses.base import ClassificationLoss, Classifier, CosineClassifier


def cosface_logits(cosines: Tensor, labels: Tensor, scale: float, margin: float) -> Tensor:
    """`cosines` `[B, C]` to logits `[B, C]`: s·(cos θ - m) at the right class, s·cos θ elsewhere."""
    taken = torch.full_like(labels, 1, dtype=cosines.dtype)[:, None] * -margin
    return scale * cosines.scatter_add(1, labels[:, None], taken)


class CosFaceHead(CosineClassifier):
    """Class centres `[C, D]` and the loss on them."""

    def __init__(self, dim: int, classes: int, scale: float, margin: float) -> None:
        super().__init__(dim, classes, scale)
        self.margin = margin

    def logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return cosface_logits(self.cosines(embeddings), labels, self.scale, self.margin)


@dataclass(frozen=True)
class CosFace(ClassificationLoss):
    """Additive cosine margin."""

    scale: float = 64.0
    margin: float = 0.35

    def __post_init__(self) -> None:
        if not 0 < self.scale < math.inf or not 0 <= self.margin < 2:
            raise RecipeError(f"CosFace: expected scale > 0 and 0 <= margin < 2, got {self.scale} and {self.margin}")

    def build(self, dim: int, classes: int) -> Classifier:
        return CosFaceHead(dim, classes, self.scale, self.margin)
