"""Backbone: frozen settings of a network that maps a face to an embedding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import nn

from runtime_py.bundle import InputContract


@dataclass(frozen=True)
class Backbone(ABC):
    """Frozen settings, checked in `__post_init__`; `build()` makes a freshly initialised torch module that maps
    `[N, 3, H, W]` to `[N, embedding_size]`, not normalised."""

    embedding_size: int = 128

    @classmethod
    def sizes(cls) -> tuple[Backbone, ...]:
        """The settings that `toolchain methods --costs` tells the costs of, the cheapest for faces first; a paper's own among them."""
        return (cls(),)

    @property
    @abstractmethod
    def input(self) -> InputContract:
        """Size, colour order and range of the images that the net takes."""

    @abstractmethod
    def build(self) -> nn.Module:
        """A new module, initialised from torch's global generator."""
