"""Fire module (Iandola et al., arXiv:1602.07360, section 3.2): squeeze by 1×1, then expand by 1×1 and 3×3 side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolchain.backbones.conv_norm import ConvNorm


class Fire(nn.Module):
    """`[N, inputs, H, W]` to `[N, outputs, H, W]`; either expand makes half of the outputs. Batch norm follows every convolution,
    which the paper's net does without and which lets it train from scratch on few faces.

    For 256 → 512 with squeeze 64: 256·64 + 64·256 + 9·64·256 = 180,224 weights.
    """

    def __init__(self, inputs: int, squeeze: int, outputs: int) -> None:
        super().__init__()
        self.squeeze = ConvNorm(inputs, squeeze, 1, 1, 1, "relu")
        self.expand_1x1 = ConvNorm(squeeze, outputs - outputs // 2, 1, 1, 1, "relu")
        self.expand_3x3 = ConvNorm(squeeze, outputs // 2, 3, 1, 1, "relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        return torch.cat([self.expand_1x1(x), self.expand_3x3(x)], 1)
