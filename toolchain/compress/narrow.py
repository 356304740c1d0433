"""Narrow: a level of a net with prioritised channels, the first p % of the channels of every layer (Tang, Su, Lin, Chang, National
Taiwan University, 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from toolchain.compress.channel_groups import channel_groups, kept_channels, with_channels
from toolchain.errors import RecipeError
from toolchain.model import Model
from toolchain.stage import Context, Stage, Trait


def narrowed(net: nn.Module, utilisation: float) -> nn.Module:
    """A copy of `net` with the first `utilisation` (above 0, up to 1) of the channels of every layer; the embedding keeps its size."""
    return with_channels(net, [(group, torch.arange(kept_channels(group, utilisation))) for group in channel_groups(net)])


@dataclass(frozen=True)
class Narrow(Stage):
    """Keeps a prefix of every layer's channels, and so a prefix of every tensor: what is stored of the whole net holds this one."""

    refuses: ClassVar[Mapping[Trait, str]] = {
        Trait.ENCODED: "tensors of other shapes take the place of those that are encoded; make levels of a net of floats"
    }

    utilisation: float = 0.5
    """The share of the channels that stays."""

    def __post_init__(self) -> None:
        if not 0 < self.utilisation <= 1:
            raise RecipeError(f"Narrow.utilisation: expected a share above 0 and up to 1, got {self.utilisation}")

    def transform(self, model: Model, context: Context) -> Model:
        return model.with_net(narrowed(model.net, self.utilisation))
