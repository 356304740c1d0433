"""Prune: the smallest weights become zero, the others are trained again, in rounds.

Han, Pool, Tran, Dally ("Learning both Weights and Connections for Efficient Neural Networks", NIPS 2015, section 3): weights below a
threshold are removed, the net is retrained with what is left, and both are repeated; the threshold of a layer is a multiple of the
spread of its weights (section 3, "q × standard deviation"). It is the first step of Deep Compression (Han, Mao, Dally, ICLR 2016,
section 2). Choices that the papers leave open:

- The multiple q, one for all layers, is the one that leaves the wanted share of all weights; the spread is the root mean square, so
  that a layer whose weights are all alike has one. `scope="layer"` leaves the same share of every layer instead.
- Of R rounds, round r leaves density^(r/R) of the weights: each removes the same share of what was left.
- Retraining is self-distillation: what is left has to give what the whole net gave. A weight that was removed stays removed.
- The first layer and depthwise ones have few weights, each of which matters more: they keep `fine_density`.

What is removed is exactly 0, and later stages keep it so: FoldBatchNorm by arithmetic, Share and Palettize since they look for zeros.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from toolchain.compress.fine_tune import fine_tune, trained_rest
from toolchain.compress.layers import WeightedLayer, parametrization, weighted_layers
from toolchain.encodings import Encoding
from toolchain.errors import RecipeError, ToolchainError
from toolchain.model import Model
from toolchain.stage import Context, Stage, Trait
from toolchain.training.loop import Phase, TrainSettings

Scope = Literal["net", "layer"]


def density_after(rounds_done: int, rounds: int, density: float) -> float:
    """The share of the weights that is left after so many of the rounds."""
    return density ** (rounds_done / rounds)


def largest(importance: Tensor, share: float) -> Tensor:
    """bool in the shape of `importance`: True for the largest round(share · n), at least one; of equal ones the first.

    Error: ToolchainError where one is NaN.
    """
    flat = importance.flatten()
    if bool(flat.isnan().any()):
        raise ToolchainError("Prune: expected weights that are numbers, got NaN; the net before it is damaged, train it again")
    kept = torch.zeros(len(flat), dtype=torch.bool, device=flat.device)
    kept[flat.sort(descending=True, stable=True).indices[: max(1, round(share * len(flat)))]] = True
    return kept.reshape(importance.shape)


def magnitude_masks(weights: Sequence[Tensor], share: float, scope: Scope) -> list[Tensor]:
    """Of each weight tensor a bool mask of what stays. "layer": the largest `share` of each tensor. "net": the largest `share` of all,
    each weight in units of its tensor's root mean square."""
    if scope == "layer":
        return [largest(weight.abs(), share) for weight in weights]
    relative = [weight.abs() / weight.square().mean().sqrt().clamp_min(torch.finfo(weight.dtype).tiny) for weight in weights]
    kept = largest(torch.cat([item.flatten() for item in relative]), share).split([item.numel() for item in relative])
    return [mask.reshape(weight.shape) for mask, weight in zip(kept, weights, strict=True)]


class MaskedWeights(nn.Module):
    """A parametrization: weights with zeros where `mask`, which is part of every checkpoint, is False."""

    mask: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", torch.ones_like(weight, dtype=torch.bool))

    def forward(self, weight: Tensor) -> Tensor:
        # Its gradient is zero where the mask is False: what was removed is not trained either.
        return weight * self.mask


@dataclass(frozen=True)
class Prune(Stage):
    """Removes the smallest weights of all conv and linear layers in rounds, and retrains those that stay. Batch norm may stand behind
    the layers, which helps retraining, or be folded. Needs faces; what it leaves is float, with zeros."""

    trains: ClassVar[bool] = True
    refuses: ClassVar[Mapping[Trait, str]] = {
        Trait.PRUNED: "its masks begin anew, so pruned weights would come back; set rounds instead",
        Trait.ENCODED: "pruning changes weights whose stored form is settled; put Prune() before what encodes",
    }
    gives: ClassVar[frozenset[Trait]] = frozenset({Trait.PRUNED})

    settings: TrainSettings = TrainSettings((Phase(900, learning_rate=1e-3),), batch=64, optimizer="adamw", weight_decay=0.0)
    """How to retrain; the steps are shared evenly by the rounds."""
    density: float = 0.2
    """The share of the weights that is left."""
    rounds: int = 3
    """How often weights are removed and the others retrained."""
    scope: Scope = "net"
    """net: one multiple of each layer's root mean square; layer: the same share of every layer."""
    fine_density: float = 0.6
    """`density` of the first layer and of depthwise ones, each on its own."""
    map_weight: float = 0.0
    """What matching feature maps counts beside the embeddings' 1 - cos."""

    def __post_init__(self) -> None:
        for name in ("density", "fine_density"):
            if not 0 < getattr(self, name) <= 1:
                raise RecipeError(f"Prune.{name}: expected a share above 0 and up to 1, got {getattr(self, name)}")
        if self.rounds < 1 or not 0 <= self.map_weight < math.inf:
            raise RecipeError(f"Prune: expected rounds >= 1 and map_weight >= 0, got {self.rounds} and {self.map_weight}")
        if self.scope not in get_args(Scope):
            raise RecipeError(f"Prune.scope: expected net or layer, got {self.scope}")

    def transform(self, model: Model, context: Context) -> Model:
        layers = weighted_layers(model.net)
        fine = [layer for layer in layers if layer.depthwise or layer is layers[0]]
        coarse = [layer for layer in layers if layer not in fine]

        def constrain(net: nn.Module) -> Callable[[int], None]:
            for layer in layers:
                mask = MaskedWeights(net.get_parameter(layer.weight))
                parametrize.register_parametrization(net.get_submodule(layer.name), "weight", mask)
            return self._schedule(net, fine, coarse)

        net = fine_tune(model, constrain, self.settings, self.map_weight, context, "prune")
        pruned: dict[str, Tensor | Encoding] = {}
        for layer in layers:
            masked, weight = parametrization(net, layer)
            pruned[layer.weight] = masked(weight)
        return model.with_weights({**trained_rest(net, model, set(pruned)), **pruned})

    def first_steps(self) -> dict[int, int]:
        """By the step that it begins with, the number of each round, from 1; rounds that would begin with the same one are one."""
        return {(number - 1) * self.settings.steps // self.rounds: number for number in range(1, self.rounds + 1)}

    def _schedule(self, net: nn.Module, fine: Sequence[WeightedLayer], coarse: Sequence[WeightedLayer]) -> Callable[[int], None]:
        begins = self.first_steps()

        def at_step(step: int) -> None:
            if step in begins:
                for layer in fine:
                    _shrink(net, [layer], density_after(begins[step], self.rounds, self.fine_density), "layer")
                _shrink(net, coarse, density_after(begins[step], self.rounds, self.density), self.scope)

        return at_step


@torch.no_grad()
def _shrink(net: nn.Module, layers: Sequence[WeightedLayer], share: float, scope: Scope) -> None:
    """Leaves that share of the layers' weights; one that was removed is 0, and so among the smallest."""
    found = [parametrization(net, layer) for layer in layers]
    masks = magnitude_masks([masked(weight) for masked, weight in found], share, scope) if found else []
    for (masked, _), mask in zip(found, masks, strict=True):
        assert isinstance(masked, MaskedWeights)
        masked.mask &= mask
