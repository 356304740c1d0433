"""Loss: frozen settings of a training criterion on embeddings and identities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Loss(ABC):
    """Frozen settings, checked in `__post_init__`."""

    @abstractmethod
    def build(self, dim: int, classes: int) -> nn.Module:
        """A module `(embeddings [B, dim], labels int64 [B]) -> scalar`, with its own parameters (class centres) if any."""
