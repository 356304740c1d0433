"""PruneChannels: the channels of the smallest batch norm gains are removed, and the net is built anew without them.

Liu, Li, Shen, Huang, Yan, Zhang ("Learning Efficient Convolutional Networks through Network Slimming", ICCV 2017, section 3): the gain γ
of the batch norm behind a channel says what the channel is worth, and one threshold for the whole net, a percentile of all |γ|, says
which go. Where they train with a penalty on |γ| first (their equation 1), here `Prioritise` can come before (it has that penalty), or
nothing. Channels that only make sense together, through depthwise layers and additions, go together, by the mean of their gains
(toolchain.compress.channel_groups). What is left is trained again by the stage that follows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from toolchain.compress.channel_groups import channel_groups, with_channels
from toolchain.compress.prune_by_gain import require_numbers, worth
from toolchain.errors import RecipeError, ToolchainError
from toolchain.model import Model
from toolchain.stage import Context, Stage, Trait


def threshold_of_share(worths: Sequence[Tensor], share: float) -> float:
    """The least worth, of those of all groups `[C]` that have one (finite), that stays where `share` of all channels go;
    fewer go where some are worth the same.

    Error: ToolchainError where one is NaN, or no channel has a worth.
    """
    every = torch.cat([*worths, torch.empty(0)])
    require_numbers("PruneChannels", every)
    finite = every[every.isfinite()].sort().values
    if not len(finite):
        raise ToolchainError("PruneChannels: expected channels with a batch norm behind them, got none that could go")
    gone = min(round(share * len(every)), len(finite))
    return float(finite[gone]) if gone < len(finite) else torch.inf


def kept_rows(worths: Tensor, threshold: float, least: int) -> Tensor:
    """The numbers, ascending, of the channels of these `worths` `[C]` that reach `threshold`, or of the worthiest `least` where those are
    fewer. Error: ToolchainError where one is NaN."""
    require_numbers("PruneChannels", worths)
    rows = (worths >= threshold).nonzero().flatten()
    if len(rows) >= least:
        return rows
    return worths.argsort(descending=True, stable=True)[:least].sort().values


@dataclass(frozen=True)
class PruneChannels(Stage):
    """Removes channels by one threshold for the whole net, from every tensor that has them. Refuses nets with layers of which it
    does not know what they do to channels (concatenations, grouped convolutions that are not depthwise, reshapes). Trains nothing:
    let a stage that trains follow."""

    needs: ClassVar[Mapping[Trait, str]] = {
        Trait.BATCH_NORM: "its gains say what a channel is worth; put PruneChannels() before FoldBatchNorm()"
    }
    refuses: ClassVar[Mapping[Trait, str]] = {
        Trait.ENCODED: "tensors of other shapes take the place of those that are encoded; put PruneChannels() before what encodes"
    }

    share: float | None = 0.3
    """The share of all channels that go. None: `threshold` decides."""
    threshold: float | None = None
    """The least |γ| that stays. None: `share` decides."""
    least: int = 8
    """How many channels stay of each layer at least (of a layer of fewer: all)."""

    def __post_init__(self) -> None:
        if (self.share is None) == (self.threshold is None):
            raise RecipeError(f"PruneChannels: expected either share or threshold, got {self.share} and {self.threshold}; set one to None")
        if self.share is not None and not 0 <= self.share < 1:
            raise RecipeError(f"PruneChannels.share: expected 0 up to but not 1, got {self.share}")
        if (self.threshold is not None and not 0 <= self.threshold < math.inf) or self.least < 1:
            raise RecipeError(f"PruneChannels: expected threshold >= 0 and least >= 1, got {self.threshold} and {self.least}")

    def transform(self, model: Model, context: Context) -> Model:
        groups = channel_groups(model.net)
        worths = [worth(group, model.net) for group in groups]
        threshold = threshold_of_share(worths, self.share or 0.0) if self.threshold is None else self.threshold
        rows = [kept_rows(item, threshold, min(self.least, group.size)) for group, item in zip(groups, worths, strict=True)]
        kept, all_of = sum(len(item) for item in rows), sum(group.size for group in groups)
        context.progress.say(f"PruneChannels: {kept} of {all_of} channels stay")
        return model.with_net(with_channels(model.net, list(zip(groups, rows, strict=True))))
