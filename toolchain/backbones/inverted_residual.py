"""Inverted residual with linear bottleneck (Sandler et al., CVPR 2018, table 1), with the squeeze-and-excite and the activations that
MobileNet V3 adds to it (Howard et al., ICCV 2019, figure 4)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from toolchain.backbones.conv_norm import Activation, ConvNorm


class SqueezeExcite(nn.Module):
    """Scales each channel by what the averages of all say (Hu, Shen, Sun, CVPR 2018): a quarter of the channels between, ReLU, and
    the hard sigmoid ReLU6(x + 3) / 6."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        between = rounded(channels / 4)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, between, 1)
        self.relu = nn.ReLU(inplace=True)
        self.expand = nn.Conv2d(between, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.expand(self.relu(self.reduce(self.pool(x))))
        # Written out: as one operation it becomes TFLite's RELU_0_TO_1, which XNNPACK does not take.
        return x * (functional.relu6(gate + 3) * (1 / 6))


class InvertedResidual(nn.Module):
    """Expand 1×1 (left out where `hidden` is `inputs`), depthwise k×k, squeeze-and-excite if asked, project 1×1 without activation;
    the input is added where stride and channels allow."""

    def __init__(self, inputs: int, hidden: int, outputs: int, kernel: int, stride: int, act: Activation, excite: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = [] if hidden == inputs else [ConvNorm(inputs, hidden, 1, 1, 1, act)]
        layers.append(ConvNorm(hidden, hidden, kernel, stride, hidden, act))
        if excite:
            layers.append(SqueezeExcite(hidden))
        layers.append(ConvNorm(hidden, outputs, 1, 1, 1, None))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


def rounded(channels: float) -> int:
    """The nearest multiple of 8, at least 8 and never less than nine tenths: how the authors' own code rounds scaled widths."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8
