"""ShuffleNet V2 (Ma et al., ECCV 2018, figure 3 c and d, table 5): half of the channels pass, the others are convolved, then all mix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from toolchain.backbones.base import Backbone
from toolchain.backbones.conv_norm import ConvNorm
from toolchain.backbones.pooled import PooledBackbone, PooledNet
from toolchain.errors import RecipeError


class _EvenSplit(torch.autograd.Function):
    """ONNX's Split into two without stated sizes, for export alone: TFLite has no split by the 64-bit sizes that torch would state."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        first, second = x.chunk(2, 1)
        return first, second

    @staticmethod
    def symbolic(g: Any, x: Any) -> Any:
        return g.op("Split", x, axis_i=1, outputs=2)


@fx.wrap
def halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the second half of the channels of `[N, 2C, H, W]`."""
    if torch.onnx.is_in_onnx_export():
        split: tuple[Tensor, Tensor] = _EvenSplit.apply(x)
        return split
    first, second = x.chunk(2, 1)
    return first, second


class Shuffle(nn.Module):
    """The channels of two maps `[N, C, H, W]` in turn, `[N, 2C, H, W]`: concatenation, and a channel shuffle of two groups (Zhang et
    al., CVPR 2018, figure 1).

    As the sum of two depthwise convolutions, channel c to 2c of the first map and to 2c + 1 of the second, exact and with four
    multiplications a channel: reshaping and transposing in five dimensions, as the paper's code does, the converter cannot take.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.even: Tensor
        self.odd: Tensor
        for place, name in enumerate(("even", "odd")):
            taken = torch.eye(2)[place].repeat(channels).reshape(2 * channels, 1, 1, 1)
            self.register_buffer(name, taken, persistent=False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        spread = functional.conv2d(first, self.even, groups=self.channels)
        return spread + functional.conv2d(second, self.odd, groups=self.channels)


class ShuffleUnit(nn.Module):
    """`[N, C, H, W]` to `[N, C, H, W]`: the first half of the channels as it is, the second through 1×1, depthwise 3×3, 1×1, then
    both shuffled."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch = _branch(half, half, half, 1)
        self.shuffle = Shuffle(half)

    def forward(self, x: Tensor) -> Tensor:
        parts = halves(x)
        result: Tensor = self.shuffle(parts[0], self.branch(parts[1]))
        return result


class ShuffleReduction(nn.Module):
    """`[N, inputs, H, W]` to `[N, outputs, H/2, W/2]`: all channels through both branches, which halve the map, then shuffled."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.short = nn.Sequential(ConvNorm(inputs, inputs, 3, 2, inputs, None), ConvNorm(inputs, half, 1, 1, 1, "relu"))
        self.branch = _branch(inputs, half, half, 2)
        self.shuffle = Shuffle(half)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.shuffle(self.short(x), self.branch(x))
        return result


def _branch(inputs: int, hidden: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        ConvNorm(inputs, hidden, 1, 1, 1, "relu"),
        ConvNorm(hidden, hidden, 3, stride, hidden, None),
        ConvNorm(hidden, outputs, 1, 1, 1, "relu"),
    )


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
        # Without padding: TFLite pads on one side, and a padding of its own would leave XNNPACK. The next layer evens the size out.
        layers: list[nn.Module] = [ConvNorm(3, 24, 3, 2, 1, "relu"), nn.MaxPool2d(3, 2)]
        inputs = 24
        for channels, repeats in zip(stages, self.REPEATS, strict=True):
            layers.append(ShuffleReduction(inputs, channels))
            layers += [ShuffleUnit(channels) for _ in range(repeats)]
            inputs = channels
        layers.append(ConvNorm(inputs, last, 1, 1, 1, "relu"))
        return PooledNet(self, nn.Sequential(*layers), last)
