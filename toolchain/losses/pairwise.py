"""What the losses on pairs share: distances within a batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def distances(embeddings: Tensor) -> Tensor:
    """Euclidean distances `[B, B]` of embeddings `[B, D]` scaled to length 1, so from 0 to 2.

    By differences, not by inner products, which lose half of the digits where two embeddings are close; the gradient at
    distance 0 is taken as 0.
    """
    rows = functional.normalize(embeddings)
    return torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")


def same_identity(labels: Tensor) -> Tensor:
    """bool `[B, B]`: two different rows of one identity."""
    return (labels[:, None] == labels[None]) & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
