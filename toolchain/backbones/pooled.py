"""What the backbones share that end in global average pooling: settings, and the way from the last map to the embedding."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

from torch import Tensor, nn

from runtime_py.bundle import InputContract
from toolchain.backbones.base import Backbone
from toolchain.backbones.conv_norm import initialise
from toolchain.errors import RecipeError


@dataclass(frozen=True)
class PooledBackbone(Backbone, ABC):
    """Settings of a backbone that averages its last map, so that one net runs at any resolution.

    Where `embedding_size` is the number of channels of that map, the averages are the embedding, as in the paper's classifier;
    any other size is reached by a linear layer with batch norm.
    """

    pixels: int = 112
    """Side of the faces that it takes."""

    def __post_init__(self) -> None:
        if self.embedding_size < 1:
            raise RecipeError(f"{type(self).__name__}.embedding_size: expected at least 1, got {self.embedding_size}")
        if not 32 <= self.pixels <= 512:
            raise RecipeError(f"{type(self).__name__}.pixels: expected 32 to 512, got {self.pixels}")

    @property
    def input(self) -> InputContract:
        """`pixels` × `pixels` RGB, pixel / 127.5 - 1."""
        return InputContract.parse("rgb,-1..1", self.pixels, self.pixels)


class PooledNet(nn.Module):
    """`[N, 3, H, W]` to `[N, D]`: `features`, global average pooling, `behind` where the paper has layers there, the embedding."""

    def __init__(self, settings: PooledBackbone, features: nn.Sequential, channels: int, behind: nn.Sequential | None = None) -> None:
        """`channels`: those that the embedding's layer reads."""
        super().__init__()
        self.settings = settings
        self.features = features
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.behind = nn.Sequential() if behind is None else behind
        layers: list[nn.Module] = [nn.Flatten(1)]
        if channels != settings.embedding_size:
            linear = nn.Conv2d(channels, settings.embedding_size, 1, bias=False)
            layers = [linear, nn.BatchNorm2d(settings.embedding_size), *layers]
        self.embedding = nn.Sequential(*layers)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.embedding(self.behind(self.pool(self.features(x))))
        return result
