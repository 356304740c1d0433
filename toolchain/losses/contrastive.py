"""Contrastive loss (Hadsell, Chopra, LeCun, CVPR 2006, eq. 4): pairs of one person are pulled together, others pushed beyond a margin."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from toolchain.errors import RecipeError
from toolchain.losses.base import Criterion, Loss
from toolchain.losses.pairwise import distances, same_identity


def contrastive_loss(apart: Tensor, labels: Tensor, margin: float) -> Tensor:
    """½D² of the pairs of one identity and ½max(0, m - D)² of the others, of distances `apart` `[B, B]`.

    Each kind is averaged by itself, then both are added: among all pairs of a batch those of one identity are too few to count.
    A kind that the batch does not have adds nothing.
    """
    genuine = same_identity(labels)
    other = labels[:, None] != labels[None]
    pulled = (apart**2)[genuine].sum() / genuine.sum().clamp_min(1)
    pushed = ((margin - apart).clamp_min(0) ** 2)[other].sum() / other.sum().clamp_min(1)
    return (pulled + pushed) / 2


class ContrastiveHead(Criterion):
    """Every pair of the batch, on embeddings of length 1."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return contrastive_loss(distances(embeddings), labels, self.margin)


@dataclass(frozen=True)
class Contrastive(Loss):
    """Contrastive loss on the pairs of a batch; of several processes each pairs its own share."""

    margin: float = 1.2
    """Distance, of embeddings of length 1, from which two persons are far enough apart; 1.2 is a cosine of 0.28."""
    images: int = 4
    """Images of an identity that come into a batch together."""

    def __post_init__(self) -> None:
        if not 0 < self.margin <= 2:
            raise RecipeError(f"Contrastive.margin: expected more than 0 and at most 2, got {self.margin}")
        if self.images < 2:
            raise RecipeError(f"Contrastive.images: expected 2 or more, got {self.images}")

    @property
    def images_per_identity(self) -> int:
        return self.images

    def build(self, dim: int, classes: int) -> Criterion:
        return ContrastiveHead(self.margin)
