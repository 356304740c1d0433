"""Flame module (Shih, Huang, Chung, National Taiwan University): a Fire module whose 3×3 expand is depthwise separable."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolchain.backbones.conv_norm import ConvNorm
from toolchain.backbones.depthwise import DepthwiseSeparable


class Flame(nn.Module):
    """`[N, inputs, H, W]` to `[N, outputs, H, W]`: squeeze 1×1; expand 1×1 beside depthwise 3×3 and pointwise 1×1, concatenated.

    For 256 → 512 with squeeze 64: 256·64 + 64·256 + 9·64 + 64·256 = 49,728 weights, 95.78 % fewer than a 3×3 convolution has.
    """

    def __init__(self, inputs: int, squeeze: int, outputs: int) -> None:
        super().__init__()
        self.squeeze = ConvNorm(inputs, squeeze, 1, 1, 1, "relu")
        self.expand_1x1 = ConvNorm(squeeze, outputs - outputs // 2, 1, 1, 1, "relu")
        self.expand_3x3 = DepthwiseSeparable(squeeze, outputs // 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        return torch.cat([self.expand_1x1(x), self.expand_3x3(x)], 1)
