"""ShuffleNet V2 (Ma et al., ECCV 2018, figure 3 c and d, table 5): half of the channels pass, the others are convolved, then all mix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from toolchain.backbones.base import Backbone
from toolchain.backbones.conv_norm import ConvNorm
from toolchain.backbones.pooled import PooledBackbone, PooledNet
from toolchain.errors import RecipeError


class ShuffleUnit(nn.Module):
    """`[N, C, H, W]` to `[N, C, H, W]`: the first half of the channels as it is, the second through 1×1, depthwise 3×3, 1×1, then
    both shuffled with two groups."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch = _branch(half, half, half, 1)

    def forward(self, x: Tensor) -> Tensor:
        passed, convolved = x.chunk(2, 1)
        return shuffled(passed, self.branch(convolved))


class ShuffleReduction(nn.Module):
    """`[N, inputs, H, W]` to `[N, outputs, H/2, W/2]`: all channels through both branches, which halve the map, then shuffled."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.short = nn.Sequential(ConvNorm(inputs, inputs, 3, 2, inputs, None), ConvNorm(inputs, half, 1, 1, 1, "relu"))
        self.branch = _branch(inputs, half, half, 2)

    def forward(self, x: Tensor) -> Tensor:
        return shuffled(self.short(x), self.branch(x))


def _branch(inputs: int, hidden: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        ConvNorm(inputs, hidden, 1, 1, 1, "relu"),
        ConvNorm(hidden, hidden, 3, stride, hidden, None),
        ConvNorm(hidden, outputs, 1, 1, 1, "relu"),
    )


def shuffled(first: Tensor, second: Tensor) -> Tensor:
    """The channels of two maps `[N, C, H, W]` in turn, `[N, 2C, H, W]`: concatenation and a channel shuffle of two groups
    (Zhang et al., CVPR 2018, figure 1)."""
    return torch.stack((first, second), 2).flatten(1, 2)


@dataclass(frozen=True)
class ShuffleNetV2(PooledBackbone):
    """Settings of ShuffleNet V2. The paper tabulates four widths, each with channels of its own."""

    WIDTHS: ClassVar = {
        0.5: (48, 96, 192, 1024),
        1.0: (116, 232, 464, 1024),
        1.5: (176, 352, 704, 1024),
        2.0: (244, 488, 976, 2048),
    }
    """By width: channels of stages 2 to 4 and of the last convolution."""
    REPEATS: ClassVar = (3, 7, 3)
    """Units behind the reduction of each stage."""

    width: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width not in self.WIDTHS:
            raise RecipeError(f"ShuffleNetV2.width: expected one of {', '.join(map(str, self.WIDTHS))}, got {self.width}")

    @classmethod
    def sizes(cls) -> tuple[Backbone, ...]:
        """For faces at two widths, and the paper's four."""
        paper = (cls(embedding_size=channels[-1], pixels=224, width=width) for width, channels in cls.WIDTHS.items())
        return cls(width=0.5), cls(), *paper

    def build(self) -> nn.Module:
        *stages, last = self.WIDTHS[self.width]
        layers: list[nn.Module] = [ConvNorm(3, 24, 3, 2, 1, "relu"), nn.MaxPool2d(3, 2, ceil_mode=True)]
        inputs = 24
        for channels, repeats in zip(stages, self.REPEATS, strict=True):
            layers.append(ShuffleReduction(inputs, channels))
            layers += [ShuffleUnit(channels) for _ in range(repeats)]
            inputs = channels
        layers.append(ConvNorm(inputs, last, 1, 1, 1, "relu"))
        return PooledNet(self, nn.Sequential(*layers), last)
