"""Feature consistency: the student's embedding is pulled to the teacher's (FitNets' hint, Romero et al., ICLR 2015, eq. 3, on
the last layer), by angle or by distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from toolchain.distill.base import Consistency, ConsistencyLoss
from toolchain.errors import RecipeError
from toolchain.losses.base import Classifier


def feature_consistency(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - cos, averaged: `student`, `teacher` `[B, D]`, of any length; a scalar from 0 (same direction) to 2."""
    return (1 - functional.cosine_similarity(student.float(), teacher.float(), dim=1)).mean()


def feature_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """‖F_S - F_T‖₂, averaged over the rows of `[B, D]`: lengths count too. At distance 0 the gradient is 0."""
    return torch.linalg.vector_norm(student - teacher, dim=1).mean()


class _FeatureLoss(ConsistencyLoss):
    def __init__(self, form: Literal["cosine", "l2"]) -> None:
        super().__init__()
        self.form = form

    def loss(self, net: nn.Module, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return feature_consistency(student, teacher) if self.form == "cosine" else feature_distance(student, teacher)


@dataclass(frozen=True)
class FeatureConsistency(Consistency):
    """The embedding itself. `l2` pulls the student's length to the teachers' too, which is 1."""

    form: Literal["cosine", "l2"] = "cosine"

    def __post_init__(self) -> None:
        if self.form not in ("cosine", "l2"):
            raise RecipeError(f"FeatureConsistency.form: expected cosine or l2, got {self.form}")

    def build(self, dim: int, classes: int, classifier: Classifier | None) -> ConsistencyLoss:
        return _FeatureLoss(self.form)
