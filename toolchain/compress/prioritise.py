"""Prioritise: training that puts the channels of every layer in the order of what they are worth, and makes the last ones worthless.

Channel prioritisation (Tang, Su, Lin, Chang, National Taiwan University, 2018), the pre-training stage. What a channel is worth is
told by its batch norm's gain γ, as in network slimming (Liu et al., ICCV 2017). The gains start in falling order,
γ_l^(k) = 1 − (k − 1) / N_l for channel k of the N_l of layer l, and the loss is that of the task with two penalties,

    λs Σ |γ_l^(k)| + λm Σ max(0, γ_l^(k+1) − γ_l^(k)),

of which the first thins the layers out and the second keeps the order. `PruneByGain` then cuts, `FineTuneLevels` trains the levels.
The authors train by Adam (β1 = 0.5, 1e-4, batches of 64) with early stopping. Here rate, batch and augmentation are settings of the
training, whose optimisers are Muon and AdamW with β1 = 0.9, and which runs for as many steps as it is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from toolchain.compress.channel_groups import channel_groups
from toolchain.errors import RecipeError
from toolchain.losses.base import Loss
from toolchain.losses.supervised import supervised
from toolchain.model import Model, trainable_copy
from toolchain.stage import TRAINS_FREELY, Context, Stage, Trait
from toolchain.training.loop import Batch, Phase, TrainSettings, fit


def falling_gains(channels: int) -> Tensor:
    """γ `[N]` at the start: 1 − (k − 1) / N for k from 1."""
    return 1 - torch.arange(channels) / channels


def sparsity(gains: Iterable[Tensor]) -> Tensor:
    """Σ |γ| over the `gains` `[N_l]` of all layers."""
    return torch.stack([gain.abs().sum() for gain in gains]).sum()


def disorder(gains: Iterable[Tensor]) -> Tensor:
    """Σ max(0, γ^(k+1) − γ^(k)) over the `gains` `[N_l]` of all layers: 0 where each layer's never rise."""
    return torch.stack([gain.diff().clamp_min(0).sum() for gain in gains]).sum()


class Penalised(nn.Module):
    """The criterion's loss on a batch and both penalties on the gains of a net, which start falling."""

    def __init__(self, net: nn.Module, criterion: nn.Module, sparsity_weight: float, order_weight: float) -> None:
        """Sets the gains of `net`, in place."""
        super().__init__()
        self.criterion = criterion
        self.sparsity_weight, self.order_weight = sparsity_weight, order_weight
        self.gains = tuple(name for group in channel_groups(net) for name in group.gains)
        with torch.no_grad():
            for name in self.gains:
                gain = net.get_parameter(name)
                gain.copy_(falling_gains(len(gain)))

    def forward(self, net: nn.Module, batch: Batch) -> Tensor:
        loss: Tensor = self.criterion(net(batch.images), batch.labels)
        gains = [net.get_parameter(name) for name in self.gains]
        return loss + self.sparsity_weight * sparsity(gains) + self.order_weight * disorder(gains)


@dataclass(frozen=True)
class Prioritise(Stage):
    """Trains a freshly built net by `loss` on labelled faces, from falling gains, with both penalties. The net must have batch norm
    behind its convolutions."""

    trains: ClassVar[bool] = True
    needs: ClassVar[Mapping[Trait, str]] = {Trait.BATCH_NORM: "its gains are what is put in order; put Prioritise() before FoldBatchNorm()"}
    refuses: ClassVar[Mapping[Trait, str]] = TRAINS_FREELY

    loss: Loss
    settings: TrainSettings = TrainSettings((Phase(1500),))
    sparsity_weight: float = 1e-3
    """λs."""
    order_weight: float = 4e-5
    """λm."""

    def __post_init__(self) -> None:
        if not 0 <= self.sparsity_weight < math.inf or not 0 <= self.order_weight < math.inf:
            raise RecipeError(f"Prioritise: expected weights of 0 or more, got {self.sparsity_weight} and {self.order_weight}")

    def transform(self, model: Model, context: Context) -> Model:
        task = supervised("Prioritise", self.loss, model, context)
        net = trainable_copy(model)
        objective = Penalised(net, task.criterion, self.sparsity_weight, self.order_weight)
        fit(net, objective, task.faces, model.input, self.settings, context, "prioritise", order=task.order)
        return model.with_net(net)
