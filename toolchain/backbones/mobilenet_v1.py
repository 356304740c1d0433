"""MobileNet V1 (Howard et al., arXiv:1704.04861, table 1): depthwise separable convolutions, a width and a resolution multiplier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from toolchain.backbones.base import Backbone
from toolchain.backbones.conv_norm import ConvNorm
from toolchain.backbones.depthwise import DepthwiseSeparable
from toolchain.backbones.pooled import PooledBackbone, PooledNet
from toolchain.errors import RecipeError


@dataclass(frozen=True)
class MobileNetV1(PooledBackbone):
    """Settings of MobileNet V1. `width` is the paper's α; its resolution multiplier ρ is `pixels` / 224. The last depthwise
    convolution has stride 1: the table's sizes say so, its "s2" notwithstanding."""

    BLOCKS: ClassVar = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
    """Outputs at width 1, and stride, of the 13 depthwise separable convolutions."""

    width: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 / 32 <= self.width <= 2:
            raise RecipeError(f"MobileNetV1.width: expected 1/32 to 2, got {self.width}")

    @classmethod
    def sizes(cls) -> tuple[Backbone, ...]:
        """For faces at four widths, and the paper's four at 224 pixels, with all features of each."""
        widths = (0.25, 0.5, 0.75, 1.0)
        faces = (cls(width=width) for width in widths)
        return *faces, *(cls(embedding_size=round(1024 * width), pixels=224, width=width) for width in widths)

    def build(self) -> nn.Module:
        inputs = round(32 * self.width)
        layers: list[nn.Module] = [ConvNorm(3, inputs, 3, 2, 1, "relu")]
        for filters, stride in self.BLOCKS:
            outputs = round(filters * self.width)
            layers.append(DepthwiseSeparable(inputs, outputs, stride))
            inputs = outputs
        return PooledNet(self, nn.Sequential(*layers), inputs)
