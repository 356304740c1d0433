"""VGG11 with batch norm (Simonyan and Zisserman, ICLR 2015, table 1, A) for faces, and the lighter nets that Shih, Huang and Chung
(National Taiwan University) make of it: its convolutions replaced by a module, its filters halved (Shrink), its layers dropped (Shallow).

Between the convolutions the map is halved five times; what is left is averaged. With 512 features, a 2360-way classifier behind them
and faces of 120×120 it is the 42 MB and 2.1 G multiply-adds of their baseline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from torch import nn

from toolchain.backbones.base import Backbone
from toolchain.backbones.conv_norm import ConvNorm
from toolchain.backbones.depthwise import DepthwiseSeparable
from toolchain.backbones.fire import Fire
from toolchain.backbones.flame import Flame
from toolchain.backbones.pooled import PooledBackbone, PooledNet
from toolchain.errors import RecipeError

Module = Literal["standard", "fire", "depthwise", "flame"]


def module(kind: Module, inputs: int, outputs: int, squeeze_ratio: float = 0.125, groups: int = 1) -> nn.Module:
    """What stands where VGG11 has a 3×3 convolution: maps `[N, inputs, H, W]` to `[N, outputs, H, W]`."""
    if kind == "standard":
        return ConvNorm(inputs, outputs, 3, 1, groups, "relu")
    if kind == "depthwise":
        return DepthwiseSeparable(inputs, outputs)
    made = Fire if kind == "fire" else Flame
    return made(inputs, round(squeeze_ratio * outputs), outputs)


@dataclass(frozen=True)
class VGG11(PooledBackbone):
    """Settings of VGG11 with batch norm and its substitutes. The first convolution, which reads the three colours, is never replaced."""

    STAGES: ClassVar = ((64,), (128,), (256, 256), (512, 512), (512, 512))
    """Filters of the eight convolutions; each stage ends in a 2×2 max pooling."""

    embedding_size: int = 512
    pixels: int = 120
    module: Module = "standard"
    """What stands in the place of the convolutions 2 to 8."""
    squeeze_ratio: float = 0.125
    """Squeeze filters of a Fire or Flame module, as a share of its outputs."""
    groups: int = 1
    """Groups of the standard convolutions 2 to 8: they divide weights and multiply-adds."""
    shrink: bool = False
    """Half as many filters in every convolution but the last two."""
    shallow: bool = False
    """Without the convolutions 3, 5 and 7."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.module not in get_args(Module):
            raise RecipeError(f"VGG11.module: expected one of {', '.join(get_args(Module))}, got {self.module}")
        if not 1 / 64 <= self.squeeze_ratio <= 1:
            raise RecipeError(f"VGG11.squeeze_ratio: expected 1/64 to 1, got {self.squeeze_ratio}")
        if self.groups not in (1, 2, 4, 8, 16, 32) or (self.groups > 1 and self.module != "standard"):
            raise RecipeError(f"VGG11.groups: expected 1, or 2, 4, 8, 16 or 32 with standard convolutions, got {self.groups}")

    @classmethod
    def sizes(cls) -> tuple[Backbone, ...]:
        """The rows of the authors' table of substitutions, from the lightest to the baseline."""
        flames = (cls(module="flame", shrink=a, shallow=b) for a, b in ((True, True), (False, True), (True, False), (False, False)))
        return *flames, cls(module="depthwise"), cls(module="fire"), cls()

    def filters(self) -> tuple[tuple[int, ...], ...]:
        """The filters of each stage that are left with `shrink` and `shallow`."""
        number, left = 0, []
        for stage in self.STAGES:
            kept = []
            for filters in stage:
                number += 1
                if not (self.shallow and number in (3, 5, 7)):
                    kept.append(filters // 2 if self.shrink and number <= 6 else filters)
            left.append(tuple(kept))
        return tuple(left)

    def build(self) -> nn.Module:
        layers: list[nn.Module] = []
        inputs = 3
        for stage in self.filters():
            for outputs in stage:
                kind = "standard" if inputs == 3 else self.module
                layers.append(module(kind, inputs, outputs, self.squeeze_ratio, self.groups if inputs > 3 else 1))
                inputs = outputs
            layers.append(nn.MaxPool2d(2))
        return PooledNet(self, nn.Sequential(*layers), inputs)
