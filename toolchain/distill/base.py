"""Consistency: what a student takes over from its teachers, as frozen settings; ConsistencyLoss: what they build."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from toolchain.losses.base import Classifier


class ConsistencyLoss(nn.Module, ABC):
    """`(net, student [B, D], teacher [B, T], labels int64 [B]) -> scalar`, a mean over the batch, with parameters of its own (a
    classifier) if any; computed in float32 whatever the net's precision.

    `student` are the embeddings that `net` gave, `teacher` those of the teachers, of length 1. D = T unless `Consistency.any_sizes`.
    """

    def forward(self, net: nn.Module, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(student.device.type, enabled=False):
            return self.loss(net, student.float(), teacher.float(), labels)

    @abstractmethod
    def loss(self, net: nn.Module, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """The scalar, of float32 embeddings."""


@dataclass(frozen=True)
class Consistency(ABC):
    """Frozen settings, checked in `__post_init__`; the mathematics is a pure function in the same file."""

    needs_classes: ClassVar[bool] = False
    """True where the teacher must have a classifier and each face an identity."""
    any_sizes: ClassVar[bool] = False
    """True where the student's embeddings and the teacher's are not compared with each other, so that their sizes may differ."""

    @abstractmethod
    def build(self, dim: int, classes: int, classifier: Classifier | None) -> ConsistencyLoss:
        """A new loss for student embeddings of `dim` numbers, initialised from torch's global generator. `classifier`: the teacher's of
        `classes` identities, on its own embeddings; None where it has none, then `classes` is 0."""
