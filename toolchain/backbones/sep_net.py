"""SEP-Net (Li et al., arXiv:1706.03912): pattern residual blocks of grouped convolutions, whose k×k filters are made to be binarized
while the 1×1 filters beside them stay floats.

The paper's account of the block and the module is followed: 1×1 and 3×3 side by side, summed, four groups; reduce, two blocks,
recover, a residual around. Widths and repeats are this file's choice, for the paper's 1.3 million weights with a 1000-way classifier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from toolchain.backbones.base import Backbone
from toolchain.backbones.conv_norm import ConvNorm
from toolchain.backbones.pooled import PooledBackbone, PooledNet
from toolchain.errors import RecipeError


class PatternResidualBlock(nn.Module):
    """Grouped 1×1 (the transformation) and grouped 3×3 (the pattern) of the same map, each with batch norm, summed, then ReLU."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.transform = ConvNorm(channels, channels, 1, 1, groups, None)
        self.pattern = ConvNorm(channels, channels, 3, 1, groups, None)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.transform(x) + self.pattern(x))


class SEPModule(nn.Module):
    """1×1 to a quarter of the channels, two pattern residual blocks, 1×1 back, and the input added."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        reduced = channels // 4
        self.layers = nn.Sequential(
            ConvNorm(channels, reduced, 1, 1, 1, "relu"),
            PatternResidualBlock(reduced, groups),
            PatternResidualBlock(reduced, groups),
            ConvNorm(reduced, channels, 1, 1, 1, None),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.layers(x))


@dataclass(frozen=True)
class SEPNet(PooledBackbone):
    """Settings of SEP-Net: a strided convolution and SEP modules in turn."""

    STAGES: ClassVar = ((64, 2), (128, 3), (256, 3), (512, 1))
    """Channels at width 1 of each strided 3×3 convolution, and the SEP modules behind it."""

    width: float = 1.0
    groups: int = 4
    """Groups of every 3×3 convolution but the first and of the blocks' 1×1: they divide weights and multiply-adds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width not in (0.5, 1.0, 2.0):
            raise RecipeError(f"SEPNet.width: expected 0.5, 1 or 2, got {self.width}")
        if self.groups not in (1, 2, 4, 8):
            raise RecipeError(f"SEPNet.groups: expected 1, 2, 4 or 8, got {self.groups}")

    @classmethod
    def sizes(cls) -> tuple[Backbone, ...]:
        """Half as wide, and the paper's weights, for faces."""
        return cls(width=0.5), cls()

    def build(self) -> nn.Module:
        inputs = round(32 * self.width)
        layers: list[nn.Module] = [ConvNorm(3, inputs, 3, 2, 1, "relu")]
        for channels, modules in self.STAGES:
            outputs = round(channels * self.width)
            layers.append(ConvNorm(inputs, outputs, 3, 2, self.groups, "relu"))
            layers += [SEPModule(outputs, self.groups) for _ in range(modules)]
            inputs = outputs
        return PooledNet(self, nn.Sequential(*layers), inputs)
