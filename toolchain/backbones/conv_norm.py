"""Convolution, batch norm (Ioffe and Szegedy, ICML 2015) and activation: the layer that every backbone here is made of."""

from __future__ import annotations

from typing import Literal

from torch import nn

from toolchain.backbones.prelu import PReLU

Activation = Literal["prelu", "relu", "relu6", "hardswish"]


def activation(kind: Activation, channels: int) -> nn.Module:
    """A new activation module for maps `[N, channels, H, W]`. hardswish is x·ReLU6(x + 3) / 6 (Howard et al., ICCV 2019, section 5.2)."""
    if kind == "prelu":
        return PReLU(channels)
    if kind == "hardswish":
        return nn.Hardswish(inplace=True)
    return nn.ReLU(inplace=True) if kind == "relu" else nn.ReLU6(inplace=True)


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm and, unless `act` is None, an activation. Padding keeps size / stride."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int, act: Activation | None) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        if act is not None:
            layers.append(activation(act, outputs))
        super().__init__(*layers)


def initialise(net: nn.Module) -> None:
    """He's initialisation (He et al., ICCV 2015, eq. 14) of every convolution, in place."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
