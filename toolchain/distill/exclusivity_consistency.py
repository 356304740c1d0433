"""Exclusivity and consistency, EC-KD (Wang, Fu, Liao, Wang, Lei, Mei, ECCV 2020): feature consistency in which hard faces weigh more,
and filters of a layer that are pushed to use different positions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from toolchain.distill.base import Consistency, ConsistencyLoss
from toolchain.errors import RecipeError
from toolchain.losses.base import Classifier


def hardness_weights(distances: Tensor, focus: float) -> Tensor:
    """Weights `[B]` of mean 1 that rise with the student's distance from its teacher, `distances` `[B]` >= 0: d^focus over its mean. They
    are constants to the gradient. `focus` 0: all alike.

    The paper weighs a face by how far the two embeddings are apart; the power is our choice of form, since its weights then do not
    depend on how far training has come, and the loss keeps its size.
    """
    tiny = torch.finfo(distances.dtype).tiny
    # Where all distances are 0 a power of them may be too; the least float is then the power of each.
    powers = (distances.detach().clamp_min(tiny) ** focus).clamp_min(tiny)
    return powers / powers.mean()


def reweighted_exclusivity(weight: Tensor, epsilon: float = 1e-6) -> Tensor:
    """R(W) = Σ_{i≠j} ‖w_i ⊙ w_j‖₁ over the filters w_i, the rows of `weight` `[M, ...]`: 0 where no two filters use one position.

    By iterative re-weighting: Σ_i w_iᵀ G_i w_i with the diagonal G_i = diag(Σ_{j≠i} |w_j| / (|w_i| + ε)) held constant.

    A quadratic form, smooth where R has a corner at 0: its value and, up to `epsilon`, its gradient are R's.
    """
    rows = weight.flatten(1)
    with torch.no_grad():
        size = rows.abs()
        diagonal = (size.sum(0) - size) / (size + epsilon)
    return (rows * diagonal * rows).sum()


def filters(net: nn.Module) -> list[Tensor]:
    """The weights of convolutions that mix channels: a depthwise filter has a channel, hence all its positions, to itself."""
    found = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    return [layer.weight for layer in found if layer.groups == 1 and layer.out_channels > 1]


class _ExclusivityLoss(ConsistencyLoss):
    def __init__(self, focus: float, weight: float) -> None:
        super().__init__()
        self.focus, self.weight = focus, weight

    def loss(self, net: nn.Module, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        distances = 1 - functional.cosine_similarity(student, teacher, dim=1)
        hard = (hardness_weights(distances, self.focus) * distances).mean()
        if self.weight == 0:
            return hard
        return hard + self.weight * torch.stack([reweighted_exclusivity(weight.float()) for weight in filters(net)]).sum()


@dataclass(frozen=True)
class ExclusivityConsistency(Consistency):
    """1 - cos with weights by hardness, and `weight` times the exclusivity of every layer's filters."""

    focus: float = 1.0
    """Power of the distance that a face is weighed by."""
    weight: float = 1e-5
    """The sums are large; so weighed their gradient is at most about a tenth of the other's in a fresh half-width MobileFaceNet."""

    def __post_init__(self) -> None:
        if not 0 <= self.focus < math.inf or not 0 <= self.weight < math.inf:
            raise RecipeError(f"ExclusivityConsistency: expected focus and weight >= 0, got {self.focus} and {self.weight}")

    def build(self, dim: int, classes: int, classifier: Classifier | None) -> ConsistencyLoss:
        return _ExclusivityLoss(self.focus, self.weight)
