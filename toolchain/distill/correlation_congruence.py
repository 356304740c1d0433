"""Correlation congruence, CC-KD (Peng et al., ICCV 2019): not only each embedding but how alike the faces of a batch are to each
other is taken over."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from toolchain.distill.base import Consistency, ConsistencyLoss
from toolchain.distill.feature_consistency import feature_consistency
from toolchain.errors import RecipeError
from toolchain.losses.base import Classifier


def inner_products(features: Tensor) -> Tensor:
    """C `[B, B]`, C_ij = f_i · f_j, of `features` `[B, D]`, each scaled to length 1 first: of other lengths the longest would rule."""
    features = functional.normalize(features)
    return features @ features.T


def gaussian_correlation(features: Tensor, gamma: float, order: int) -> Tensor:
    """C `[B, B]`, C_ij = exp(-γ‖f_i - f_j‖²) of `features` `[B, D]` scaled to length 1, by its Taylor series up to `order`.

    There ‖f_i - f_j‖² is 2 - 2 f_i·f_j, so C_ij = exp(-2γ) Σ_p (2γ f_i·f_j)^p / p!, with p from 0 (the paper's approximation of the
    Gaussian kernel, in which it takes γ = 0.4 and order 2).
    """
    products = 2 * gamma * inner_products(features)
    return math.exp(-2 * gamma) * sum(products**power / math.factorial(power) for power in range(order + 1))  # type: ignore[return-value]


def correlation_congruence(student: Tensor, teacher: Tensor) -> Tensor:
    """(1/n²) ‖C_S - C_T‖²: the mean squared difference of two correlation matrices `[B, B]`."""
    return (student - teacher).square().mean()


class _CorrelationLoss(ConsistencyLoss):
    def __init__(self, settings: CorrelationCongruence) -> None:
        super().__init__()
        self.settings = settings

    def loss(self, net: nn.Module, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return feature_consistency(student, teacher) + self.settings.weight * correlation_congruence(
            self.settings.correlations(student), self.settings.correlations(teacher)
        )


@dataclass(frozen=True)
class CorrelationCongruence(Consistency):
    """Feature consistency and, by `weight` (the paper's β), correlation congruence.

    On several processes each compares the faces of its own share of the batch."""

    weight: float = 30.0
    """Squared differences of correlations are small beside 1 - cos; so weighed they are about a tenth of the loss at its beginning."""
    kernel: Literal["inner", "gaussian"] = "gaussian"
    gamma: float = 0.4
    order: int = 2

    def __post_init__(self) -> None:
        if self.kernel not in ("inner", "gaussian"):
            raise RecipeError(f"CorrelationCongruence.kernel: expected inner or gaussian, got {self.kernel}")
        if not 0 <= self.weight < math.inf or not 0 < self.gamma < math.inf or self.order < 1:
            got = f"{self.weight}, {self.gamma} and {self.order}"
            raise RecipeError(f"CorrelationCongruence: expected weight >= 0, gamma > 0 and order >= 1, got {got}")

    def correlations(self, features: Tensor) -> Tensor:
        """`[B, B]` of `features` `[B, D]` by the chosen kernel."""
        return inner_products(features) if self.kernel == "inner" else gaussian_correlation(features, self.gamma, self.order)

    def build(self, dim: int, classes: int, classifier: Classifier | None) -> ConsistencyLoss:
        return _CorrelationLoss(self)
