"""SqueezeNet 1.0 (Iandola et al., arXiv:1602.07360, table 1), its 1×1 classifier left to the loss: eight Fire modules, pooled late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from toolchain.backbones.base import Backbone
from toolchain.backbones.fire import Fire
from toolchain.backbones.pooled import PooledBackbone, PooledNet


@dataclass(frozen=True)
class SqueezeNet(PooledBackbone):
    """Settings of SqueezeNet, with batch norm behind every convolution. Its 1000-way classifier was one more 1×1 convolution before
    the average; behind it, as here, the same weights cost 169 times less at 224 pixels and give the same result, both being linear
    but for the ReLU that the paper has between them."""

    MODULES: ClassVar = ((16, 128), (16, 128), (32, 256), None, (32, 256), (48, 384), (48, 384), (64, 512), None, (64, 512))
    """(squeeze, outputs) of fire2 to fire9; None: a 3×3 max pooling of stride 2."""

    embedding_size: int = 512

    @classmethod
    def sizes(cls) -> tuple[Backbone, ...]:
        """For faces, and as in the paper."""
        return cls(), cls(pixels=224)

    def build(self) -> nn.Module:
        # Neither the first convolution nor the poolings pad, as in the paper.
        layers: list[nn.Module] = [nn.Conv2d(3, 96, 7, 2, bias=False), nn.BatchNorm2d(96), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)]
        inputs = 96
        for item in self.MODULES:
            if item is None:
                layers.append(nn.MaxPool2d(3, 2))
                continue
            squeeze, outputs = item
            layers.append(Fire(inputs, squeeze, outputs))
            inputs = outputs
        return PooledNet(self, nn.Sequential(*layers), inputs)
