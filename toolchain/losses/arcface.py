"""ArcFace (Deng, Guo, Xue, Zafeiriou, CVPR 2019, eq. 3): softmax on s·cos θ with an angular margin added to the angle of the
right class, on normalised features and centres."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from toolchain.errors import RecipeError
from toolchain.losses.base import ClassificationLoss, Classifier, CosineClassifier


def arcface_logits(cosines: Tensor, labels: Tensor, scale: float, margin_radians: float) -> Tensor:
    """`cosines` `[B, C]` to logits `[B, C]`: s·cos(θ + m) at the right class, s·cos θ elsewhere.

    Past θ = π - m the cosine would rise again; there the paper's reference continues with cos θ - m·sin m, which keeps the
    logit falling with the angle.
    """
    cosines = cosines.clamp(-1, 1)
    right = cosines.gather(1, labels[:, None])
    # The square root's slope is infinite at |cos| = 1; the smallest float32 step away from it keeps gradients finite.
    sine = torch.sqrt((1 - right * right).clamp_min(torch.finfo(torch.float32).eps))
    with_margin = right * math.cos(margin_radians) - sine * math.sin(margin_radians)
    beyond = right - margin_radians * math.sin(margin_radians)
    target = torch.where(right > math.cos(math.pi - margin_radians), with_margin, beyond)
    return scale * cosines.scatter(1, labels[:, None], target)


class ArcFaceHead(CosineClassifier):
    """Class centres `[C, D]` and the loss on them."""

    def __init__(self, dim: int, classes: int, scale: float, margin_radians: float) -> None:
        super().__init__(dim, classes, scale)
        self.margin_radians = margin_radians

    def logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return arcface_logits(self.cosines(embeddings), labels, self.scale, self.margin_radians)


@dataclass(frozen=True)
class ArcFace(ClassificationLoss):
    """Additive angular margin."""

    scale: float = 64.0
    margin_radians: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.scale < math.inf or not 0 <= self.margin_radians < math.pi / 2:
            raise RecipeError(f"ArcFace: expected scale > 0 and 0 <= margin_radians < pi/2, got {self.scale} and {self.margin_radians}")

    def build(self, dim: int, classes: int) -> Classifier:
        return ArcFaceHead(dim, classes, self.scale, self.margin_radians)
