"""Similarity consistency (SEED: Fang, Wang, Wang, Zhang, Yang, Liu, ICLR 2021, section 3.2): beside the embedding itself, which of many
other faces a face is most like is taken over. What decides whether two people are told apart are the few strangers that look alike, and
of them 1 - cos says next to nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from toolchain.distill.base import Consistency, ConsistencyLoss
from toolchain.distill.feature_consistency import feature_consistency
from toolchain.errors import RecipeError
from toolchain.losses.base import Classifier


def similarity_consistency(student: Tensor, teacher: Tensor, others: Tensor, temperature: float) -> Tensor:
    """-Σ_j p_j log q_j, averaged over the faces: p = softmax(t·o_j / τ), the teacher's likeness to each of the `others` `[K, D]`, and q the
    same of the student's embedding s. `student`, `teacher` `[B, D]`, all three of length 1."""
    wanted = functional.softmax(teacher @ others.T / temperature, 1)
    return functional.cross_entropy(student @ others.T / temperature, wanted)


class _SimilarityLoss(ConsistencyLoss):
    queue: Tensor
    seen: Tensor

    def __init__(self, settings: SimilarityConsistency, dim: int) -> None:
        super().__init__()
        self.settings = settings
        # Kept in checkpoints, so that a run that goes on compares with what it would have compared with.
        self.register_buffer("queue", torch.zeros(settings.others, dim))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def loss(self, net: nn.Module, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        self._take(teacher)
        student = functional.normalize(student)
        near = similarity_consistency(student, teacher, self.queue[: int(self.seen)], self.settings.temperature)
        # By τ, which makes the gradient to a similarity one of size 1, as that of 1 - cos is.
        return feature_consistency(student, teacher) + self.settings.weight * self.settings.temperature * near

    @torch.no_grad()
    def _take(self, teacher: Tensor) -> None:
        """In the place of the oldest."""
        newest = teacher[-len(self.queue) :]
        rows = (self.seen + torch.arange(len(newest), device=newest.device)) % len(self.queue)
        self.queue[rows] = newest
        self.seen += len(newest)


@dataclass(frozen=True)
class SimilarityConsistency(Consistency):
    """Feature consistency and, by `weight`, similarity consistency with the faces of the last batches, this one included.

    The faces that a student is compared with are the teacher's embeddings, for both, so that a queue of them does not age. On several
    processes it is one of the first process's shares of the batches."""

    others: int = 16_384
    """How many teacher's embeddings are kept to compare with: four bytes a number."""
    temperature: float = 0.05
    """τ: how near to the most alike the likeness must be to count. The paper has 0.01 for the teacher and 0.2 for the student; with one
    for both a student that gives the teacher's embeddings is at the minimum."""
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.others < 1 or not 0 < self.temperature < math.inf or not 0 <= self.weight < math.inf:
            got = f"{self.others}, {self.temperature} and {self.weight}"
            raise RecipeError(f"SimilarityConsistency: expected others >= 1, temperature > 0 and weight >= 0, got {got}")

    def build(self, dim: int, classes: int, classifier: Classifier | None) -> ConsistencyLoss:
        return _SimilarityLoss(self, dim)
