"""SphereFace (Liu et al., CVPR 2017, eq. 6 and 7): A-Softmax, whose margin multiplies the angle of the right class.

Its logit is ψ(θ) = (-1)^k cos(mθ) - 2k for θ in [kπ/m, (k+1)π/m], which falls all the way from 0 to π. The paper normalises the
centres alone; here features are normalised too and scaled by s, as in the margin losses that came after. ψ alone does not train from
scratch: the authors' code mixes it with cos θ as (λ cos θ + ψ(θ)) / (1 + λ), where λ falls with the steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from toolchain.errors import RecipeError
from toolchain.losses.base import ClassificationLoss, Classifier, CosineClassifier


def psi(cosines: Tensor, margin: int) -> Tensor:
    """ψ of the angle, from its cosine in -1..1, any shape. cos(mθ) is Chebyshev's polynomial T_m(cos θ): its slope is finite where
    that of the arccosine is not."""
    before, multiple = torch.ones_like(cosines), cosines
    for _ in range(margin - 1):
        before, multiple = multiple, 2 * cosines * multiple - before
    with torch.no_grad():
        k = (margin * torch.acos(cosines) / math.pi).floor().clamp(max=margin - 1)
        sign = 1 - 2 * (k % 2)
    return sign * multiple - 2 * k


def sphereface_logits(cosines: Tensor, labels: Tensor, scale: float, margin: int, mix: float) -> Tensor:
    """`cosines` `[B, C]` to logits `[B, C]`: s·(λ cos θ + ψ(θ)) / (1 + λ) at the right class, λ being `mix`, s·cos θ elsewhere."""
    cosines = cosines.clamp(-1, 1)
    right = cosines.gather(1, labels[:, None])
    target = (mix * right + psi(right, margin)) / (1 + mix)
    return scale * cosines.scatter(1, labels[:, None], target)


class SphereFaceHead(CosineClassifier):
    """Class centres `[C, D]`, the loss on them, and the number of training steps so far, which λ depends on."""

    def __init__(self, dim: int, classes: int, settings: SphereFace) -> None:
        super().__init__(dim, classes, settings.scale)
        self.settings = settings
        self.steps: Tensor
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def mix(self) -> float:
        """λ at this step: max(least, first / (1 + decay · steps))."""
        return max(self.settings.least_mix, self.settings.first_mix / (1 + self.settings.mix_decay * int(self.steps)))

    def logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return sphereface_logits(self.cosines(embeddings), labels, self.scale, self.settings.margin, self.mix)

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        loss = super().loss(embeddings, labels)
        if self.training:
            self.steps += 1
        return loss


@dataclass(frozen=True)
class SphereFace(ClassificationLoss):
    """Multiplicative angular margin."""

    scale: float = 30.0
    margin: int = 4
    """m, a whole number: how many times the angle of the right class counts."""
    first_mix: float = 1000.0
    """λ at the first step; this, the decay and the least are those of the authors' code."""
    mix_decay: float = 0.12
    least_mix: float = 5.0

    def __post_init__(self) -> None:
        if not 0 < self.scale < math.inf or not 1 <= self.margin <= 8:
            raise RecipeError(f"SphereFace: expected scale > 0 and a margin of 1 to 8, got {self.scale} and {self.margin}")
        if not all(0 <= value < math.inf for value in (self.first_mix, self.mix_decay, self.least_mix)):
            raise RecipeError("SphereFace: expected first_mix, mix_decay and least_mix of 0 or more")

    def build(self, dim: int, classes: int) -> Classifier:
        return SphereFaceHead(dim, classes, self)
