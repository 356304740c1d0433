"""Depthwise separable convolution (Howard et al., arXiv:1704.04861, section 3.1): one k×k filter a channel, then 1×1 across channels.

Its weights are 9·M + M·N where a 3×3 convolution's are 9·M·N: for 256 → 512, 133,376 in place of 1,179,648.
"""

from __future__ import annotations

from torch import nn

from toolchain.backbones.conv_norm import ConvNorm


class DepthwiseSeparable(nn.Sequential):
    """Depthwise 3×3 and pointwise 1×1, each with batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(ConvNorm(inputs, inputs, 3, stride, inputs, "relu"), ConvNorm(inputs, outputs, 1, 1, 1, "relu"))
