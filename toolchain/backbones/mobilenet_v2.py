"""MobileNet V2 (Sandler et al., CVPR 2018, table 2): inverted residuals with linear bottlenecks, ReLU6."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from toolchain.backbones.base import Backbone
from toolchain.backbones.conv_norm import ConvNorm
from toolchain.backbones.inverted_residual import InvertedResidual, rounded
from toolchain.backbones.pooled import PooledBackbone, PooledNet
from toolchain.errors import RecipeError


@dataclass(frozen=True)
class MobileNetV2(PooledBackbone):
    """Settings of MobileNet V2. `width` scales every layer, the last one only where it widens, as in the paper."""

    BLOCKS: ClassVar = ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
    """Outputs at width 1, repeats, and the first one's stride; the first row does not expand."""

    width: float = 1.0
    expansion: int = 6
    """Channels between the 1×1 convolutions of a block, as a multiple of its inputs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 / 8 <= self.width <= 2:
            raise RecipeError(f"MobileNetV2.width: expected 1/8 to 2, got {self.width}")
        if self.expansion < 1:
            raise RecipeError(f"MobileNetV2.expansion: expected at least 1, got {self.expansion}")

    @classmethod
    def sizes(cls) -> tuple[Backbone, ...]:
        """For faces at two widths, and as in the paper."""
        return cls(width=0.5), cls(), cls(embedding_size=1280, pixels=224)

    def build(self) -> nn.Module:
        inputs = rounded(32 * self.width)
        layers: list[nn.Module] = [ConvNorm(3, inputs, 3, 2, 1, "relu6")]
        for number, (filters, repeats, stride) in enumerate(self.BLOCKS):
            outputs = rounded(filters * self.width)
            for index in range(repeats):
                hidden = inputs * (self.expansion if number else 1)
                layers.append(InvertedResidual(inputs, hidden, outputs, 3, stride if index == 0 else 1, "relu6"))
                inputs = outputs
        last = rounded(1280 * max(1.0, self.width))
        layers.append(ConvNorm(inputs, last, 1, 1, 1, "relu6"))
        return PooledNet(self, nn.Sequential(*layers), last)
