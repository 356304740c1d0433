"""PruneByGain: leaves out the channels whose gain fell below one threshold for the whole net, and puts the others in their order.

Channel prioritisation (Tang, Su, Lin, Chang, National Taiwan University, 2018), step 3, with their threshold of 0.1. The order was only
asked for by a penalty, so what is left is sorted: any order of a layer's channels is the same function, and only in this one are
the first channels of a level those that are worth most.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from toolchain.compress.channel_groups import ChannelGroup, channel_groups, with_channels
from toolchain.errors import RecipeError, ToolchainError
from toolchain.model import Model
from toolchain.stage import Context, Stage, Trait


def worth(group: ChannelGroup, net: nn.Module) -> Tensor:
    """|γ| `[N]` of a group's channels; of channels that several batch norms scale (those of a residual or depthwise layer) the mean.
    Without any, all are worth infinitely much."""
    gains = [net.get_parameter(name).detach().abs() for name in group.gains]
    return torch.stack(gains).mean(0) if gains else torch.full((group.size,), torch.inf)


def ordered_above(worths: Tensor, threshold: float, least: int) -> Tensor:
    """The numbers of the channels of these `worths` `[N]` that reach `threshold`, but at least `least` of them, the worthiest first;
    those of one worth in their old order. Error: ToolchainError where one is NaN."""
    require_numbers("PruneByGain", worths)
    order = torch.argsort(worths, descending=True, stable=True)
    return order[: max(min(least, len(worths)), int((worths >= threshold).sum()))]


def require_numbers(stage: str, worths: Tensor) -> None:
    """Error: ToolchainError where one of `worths` is NaN, which is neither above a threshold nor below. Infinite ones are never cut."""
    if bool(worths.isnan().any()):
        raise ToolchainError(f"{stage}: expected gains that are numbers, got NaN; the net before it is damaged, train it again")


@dataclass(frozen=True)
class PruneByGain(Stage):
    """Makes a narrower net of one that `Prioritise` trained."""

    needs: ClassVar[Mapping[Trait, str]] = {
        Trait.BATCH_NORM: "its gains say what a channel is worth; put PruneByGain() before FoldBatchNorm()"
    }
    refuses: ClassVar[Mapping[Trait, str]] = {
        Trait.ENCODED: "tensors of other shapes take the place of those that are encoded; put PruneByGain() before what encodes"
    }

    threshold: float = 0.1
    """The least |γ| that stays, the same for all layers."""
    least: int = 8
    """How many channels stay of each layer at least: a layer of none would cut the net in two."""

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < math.inf or self.least < 1:
            raise RecipeError(f"PruneByGain: expected a threshold of 0 or more and least >= 1, got {self.threshold} and {self.least}")

    def transform(self, model: Model, context: Context) -> Model:
        groups = channel_groups(model.net)
        chosen = [(group, ordered_above(worth(group, model.net), self.threshold, self.least)) for group in groups]
        kept, all_of = sum(len(rows) for _, rows in chosen), sum(group.size for group in groups)
        context.progress.say(f"PruneByGain: {kept} of {all_of} channels stay")
        return model.with_net(with_channels(model.net, chosen))
