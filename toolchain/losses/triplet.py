"""Triplet loss, batch hard (Hermans, Beyer, Leibe, arXiv:1703.07737, eq. 5): each face against the farthest of its own person and
the nearest of any other in the batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from toolchain.errors import RecipeError
from toolchain.losses.base import Criterion, Loss
from toolchain.losses.pairwise import distances, same_identity


def batch_hard_loss(apart: Tensor, labels: Tensor, margin: float | None) -> Tensor:
    """The mean over anchors of max(0, m + farthest own - nearest other), of distances `apart` `[B, B]`; without a margin, of the
    smooth ln(1 + exp(farthest own - nearest other)). Anchors without a second image, or without another person, are left out."""
    own, other = same_identity(labels), labels[:, None] != labels[None]
    anchors = own.any(1) & other.any(1)
    farthest = torch.where(own, apart, -torch.inf).amax(1)[anchors]
    nearest = torch.where(other, apart, torch.inf).amin(1)[anchors]
    gap = farthest - nearest
    losses = functional.softplus(gap) if margin is None else (gap + margin).clamp_min(0)
    return losses.sum() / anchors.sum().clamp_min(1)


class TripletHead(Criterion):
    """Batch hard triplets, on embeddings of length 1."""

    def __init__(self, margin: float | None) -> None:
        super().__init__()
        self.margin = margin

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return batch_hard_loss(distances(embeddings), labels, self.margin)


@dataclass(frozen=True)
class Triplet(Loss):
    """Batch hard triplet loss; of several processes each mines its own share."""

    margin: float | None = 0.3
    """In distance, of embeddings of length 1; None: the paper's soft margin."""
    images: int = 4
    """Images of an identity that come into a batch together: the paper's K."""

    def __post_init__(self) -> None:
        if self.margin is not None and not 0 < self.margin <= 2:
            raise RecipeError(f"Triplet.margin: expected more than 0 and at most 2, or None, got {self.margin}")
        if self.images < 2:
            raise RecipeError(f"Triplet.images: expected 2 or more, got {self.images}")

    @property
    def images_per_identity(self) -> int:
        return self.images

    def build(self, dim: int, classes: int) -> Criterion:
        return TripletHead(self.margin)
