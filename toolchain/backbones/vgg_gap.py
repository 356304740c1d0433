"""VGG-16 with batch norm and global average pooling in place of its fully connected layers: the base net of channel prioritisation
(Tang, Su, Lin, Chang, National Taiwan University, 2018), whose batch norm gains order and prune the channels of every layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from toolchain.backbones.base import Backbone
from toolchain.backbones.conv_norm import ConvNorm
from toolchain.backbones.pooled import PooledBackbone, PooledNet
from toolchain.errors import RecipeError


@dataclass(frozen=True)
class VGGGAP(PooledBackbone):
    """Settings of VGG-GAP. Every convolution is followed by a batch norm and a ReLU; no layer adds or concatenates maps, so that
    any prefix of a layer's channels makes a smaller net."""

    STAGES: ClassVar = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
    """Filters of VGG-16's convolutions (Simonyan and Zisserman, ICLR 2015, table 1, D); a 2×2 max pooling after all but the last stage."""

    embedding_size: int = 512
    width: float = 1.0
    """Scales the filters of every layer."""
    dropout: float = 0.0
    """Share of the pooled features that is set to zero in training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 / 64 <= self.width <= 2:
            raise RecipeError(f"VGGGAP.width: expected 1/64 to 2, got {self.width}")
        if not 0 <= self.dropout < 1:
            raise RecipeError(f"VGGGAP.dropout: expected 0 up to but not 1, got {self.dropout}")

    @classmethod
    def sizes(cls) -> tuple[Backbone, ...]:
        """A net for a phone, and the authors'."""
        return cls(embedding_size=128, width=0.25), cls()

    def build(self) -> nn.Module:
        layers: list[nn.Module] = []
        inputs = 3
        for number, stage in enumerate(self.STAGES):
            if number > 0:
                layers.append(nn.MaxPool2d(2))
            for filters in stage:
                outputs = round(filters * self.width)
                layers.append(ConvNorm(inputs, outputs, 3, 1, 1, "relu"))
                inputs = outputs
        behind = nn.Sequential(nn.Dropout(self.dropout)) if self.dropout else None
        return PooledNet(self, nn.Sequential(*layers), inputs, behind)
