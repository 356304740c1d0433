"""MobileFaceNet (Chen, Liu, Gao, Han, CCBR 2018, table 1): inverted residuals, a global depthwise convolution in place of
average pooling, and a linear 1×1 layer to the embedding. Every layer is scaled by `width`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from runtime_py.bundle import InputContract
from toolchain.backbones.base import Backbone
from toolchain.backbones.conv_norm import Activation, ConvNorm, initialise
from toolchain.errors import RecipeError

WIDTHS = (2.0, 1.0, 0.5, 0.25, 0.125)


class Bottleneck(nn.Module):
    """Expand 1×1, depthwise 3×3, project 1×1 (linear); the input is added where shape allows and `residual` asks."""

    def __init__(self, inputs: int, hidden: int, outputs: int, stride: int, residual: bool, act: Activation) -> None:
        super().__init__()
        self.expand = ConvNorm(inputs, hidden, 1, 1, 1, act)
        self.depthwise = ConvNorm(hidden, hidden, 3, stride, hidden, act)
        self.project = ConvNorm(hidden, outputs, 1, 1, 1, None)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class GlobalDepthwiseConv(nn.Conv2d):
    """One k×k kernel a channel over the whole k×k map. On a map of another size the kernel is interpolated and rescaled
    to the same sum, so that one net can be trained at a low resolution first; the exported graph is a plain convolution."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__(channels, channels, kernel, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight
        size, trained = (int(x.shape[2]), int(x.shape[3])), (int(weight.shape[2]), int(weight.shape[3]))
        if size != trained:
            scale = trained[0] * trained[1] / (size[0] * size[1])
            weight = nn.functional.interpolate(weight, size=size, mode="bilinear", align_corners=True) * scale
        return nn.functional.conv2d(x, weight, None, groups=self.groups)


class MobileFaceNetModule(nn.Module):
    """`[N, 3, 112, 112]` to `[N, D]`; other sizes divisible by 16 run too, with an interpolated global kernel."""

    def __init__(self, settings: MobileFaceNet) -> None:
        super().__init__()
        self.settings = settings
        act = settings.activation
        base = round(64 * settings.width)
        self.stem = ConvNorm(3, base, 3, 2, 1, act)
        self.stem_depthwise = ConvNorm(base, base, 3, 1, base, act)
        blocks: list[nn.Module] = []
        inputs = base
        for factor, outputs, repeats, stride in MobileFaceNet.BLOCKS:
            for index in range(repeats):
                # Only repeated blocks are residual; a stage's down-sampling block stands alone, as in the paper's table.
                blocks.append(
                    Bottleneck(
                        inputs,
                        round(factor * settings.width),
                        round(outputs * settings.width),
                        stride if index == 0 else 1,
                        residual=stride == 1,
                        act=act,
                    )
                )
                inputs = round(outputs * settings.width)
        self.blocks = nn.Sequential(*blocks)
        last = round(512 * settings.width)
        self.head = ConvNorm(inputs, last, 1, 1, 1, act)
        self.pool = GlobalDepthwiseConv(last, 7)
        self.pool_norm = nn.BatchNorm2d(last)
        self.linear = nn.Conv2d(last, settings.embedding_size, 1, bias=False)
        self.norm = nn.BatchNorm2d(settings.embedding_size)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem_depthwise(self.stem(x))
        x = self.head(self.blocks(x))
        x = self.pool_norm(self.pool(x))
        return torch.flatten(self.norm(self.linear(x)), 1)


@dataclass(frozen=True)
class MobileFaceNet(Backbone):
    """Settings of MobileFaceNet. `width` scales every layer; the paper's net is width 1 with PReLU."""

    BLOCKS: ClassVar = (
        # hidden channels, output channels, repeats, stride, all at width 1
        (128, 64, 1, 2),
        (128, 64, 4, 1),
        (256, 128, 1, 2),
        (256, 128, 6, 1),
        (512, 128, 1, 2),
        (256, 128, 2, 1),
    )

    embedding_size: int = 128
    width: float = 1.0
    activation: Activation = "prelu"

    def __post_init__(self) -> None:
        if self.width not in WIDTHS:
            raise RecipeError(f"MobileFaceNet.width: expected one of {', '.join(f'{w:g}' for w in WIDTHS)}, got {self.width}")
        if self.embedding_size < 1:
            raise RecipeError(f"MobileFaceNet.embedding_size: expected at least 1, got {self.embedding_size}")
        if self.activation not in ("prelu", "relu", "relu6"):
            raise RecipeError(f"MobileFaceNet.activation: expected prelu, relu or relu6, got {self.activation}")

    @classmethod
    def sizes(cls) -> tuple[Backbone, ...]:
        """The lecture's five widths, with its 512 numbers."""
        return tuple(cls(embedding_size=512, width=width) for width in reversed(WIDTHS))

    @property
    def input(self) -> InputContract:
        """112×112 RGB, pixel / 127.5 - 1."""
        return InputContract.parse("rgb,-1..1")

    def build(self) -> nn.Module:
        return MobileFaceNetModule(self)
