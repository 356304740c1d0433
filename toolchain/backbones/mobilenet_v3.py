"""MobileNet V3 (Howard et al., ICCV 2019, tables 1 and 2): inverted residuals with squeeze-and-excite and hard swish, found by search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import nn

from toolchain.backbones.base import Backbone
from toolchain.backbones.conv_norm import Activation, ConvNorm, activation
from toolchain.backbones.inverted_residual import InvertedResidual, rounded
from toolchain.backbones.pooled import PooledBackbone, PooledNet
from toolchain.errors import RecipeError

Row = tuple[int, int, int, bool, Activation, int]


@dataclass(frozen=True)
class MobileNetV3(PooledBackbone):
    """Settings of MobileNet V3, large or small. The wide 1×1 layer comes behind the pooling, as in the paper's figure 5."""

    LARGE: ClassVar[tuple[Row, ...]] = (
        # kernel, hidden channels, outputs, squeeze-and-excite, activation, stride, all at width 1
        (3, 16, 16, False, "relu", 1),
        (3, 64, 24, False, "relu", 2),
        (3, 72, 24, False, "relu", 1),
        (5, 72, 40, True, "relu", 2),
        (5, 120, 40, True, "relu", 1),
        (5, 120, 40, True, "relu", 1),
        (3, 240, 80, False, "hardswish", 2),
        (3, 200, 80, False, "hardswish", 1),
        (3, 184, 80, False, "hardswish", 1),
        (3, 184, 80, False, "hardswish", 1),
        (3, 480, 112, True, "hardswish", 1),
        (3, 672, 112, True, "hardswish", 1),
        (5, 672, 160, True, "hardswish", 2),
        (5, 960, 160, True, "hardswish", 1),
        (5, 960, 160, True, "hardswish", 1),
    )
    SMALL: ClassVar[tuple[Row, ...]] = (
        (3, 16, 16, True, "relu", 2),
        (3, 72, 24, False, "relu", 2),
        (3, 88, 24, False, "relu", 1),
        (5, 96, 40, True, "hardswish", 2),
        (5, 240, 40, True, "hardswish", 1),
        (5, 240, 40, True, "hardswish", 1),
        (5, 120, 48, True, "hardswish", 1),
        (5, 144, 48, True, "hardswish", 1),
        (5, 288, 96, True, "hardswish", 2),
        (5, 576, 96, True, "hardswish", 1),
        (5, 576, 96, True, "hardswish", 1),
    )

    size: Literal["small", "large"] = "small"
    width: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size not in ("small", "large"):
            raise RecipeError(f"MobileNetV3.size: expected small or large, got {self.size}")
        if not 1 / 8 <= self.width <= 2:
            raise RecipeError(f"MobileNetV3.width: expected 1/8 to 2, got {self.width}")

    @classmethod
    def sizes(cls) -> tuple[Backbone, ...]:
        """For faces small and large, and both as in the paper."""
        paper = (cls(embedding_size=1024, pixels=224), cls(embedding_size=1280, pixels=224, size="large"))
        return cls(), cls(size="large"), *paper

    def build(self) -> nn.Module:
        inputs = rounded(16 * self.width)
        layers: list[nn.Module] = [ConvNorm(3, inputs, 3, 2, 1, "hardswish")]
        for kernel, hidden, filters, excite, act, stride in self.SMALL if self.size == "small" else self.LARGE:
            outputs = rounded(filters * self.width)
            layers.append(InvertedResidual(inputs, rounded(hidden * self.width), outputs, kernel, stride, act, excite))
            inputs = outputs
        layers.append(ConvNorm(inputs, 6 * inputs, 1, 1, 1, "hardswish"))
        last = rounded((1024 if self.size == "small" else 1280) * max(1.0, self.width))
        behind = nn.Sequential(nn.Conv2d(6 * inputs, last, 1), activation("hardswish", last))
        return PooledNet(self, nn.Sequential(*layers), last, behind)
