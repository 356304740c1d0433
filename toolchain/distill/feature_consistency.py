"""Feature consistency: the student's embedding is pulled to the teacher's (FitNets' hint, Romero et al., ICLR 2015, eq. 3, on
the last layer, in its cosine form)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def feature_consistency(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - cos, averaged: `student`, `teacher` `[B, D]`, of any length; a scalar from 0 (same direction) to 2."""
    return (1 - functional.cosine_similarity(student.float(), teacher.float(), dim=1)).mean()
