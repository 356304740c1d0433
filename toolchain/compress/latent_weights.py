"""What the stages share that train weights of few values: latent weights, which move a little at every step, and decide.

BinaryConnect (Courbariaux, Bengio, David, NeurIPS 2015, sections 2.3 and 2.4) trains nets of signs so: the net computes with the
few values, the gradient goes on to latent weights, one a weight. XNOR-Net, BNN, TTQ and SEP-Net's pattern binarization differ in the
values, in the gradient and in the layers. Here each is a parametrization, `LatentWeights`, and a stage, `LatentTraining`, which
starts from a trained net and takes that net for its teacher; the papers train from scratch, which a table does by `constrained`.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from toolchain.compress.clustering import SMALLEST_SCALE, by_channel, channel_rms
from toolchain.compress.fine_tune import fine_tune, trained_rest
from toolchain.compress.fold_batch_norm import graph_of, norms_behind
from toolchain.compress.layers import WeightedLayer, parametrization, weighted_layers
from toolchain.compress.refit import refit_last
from toolchain.encodings import Encoding
from toolchain.errors import RecipeError, ToolchainError
from toolchain.model import Model
from toolchain.stage import Context, Stage, Trait
from toolchain.training.loop import Phase, TrainSettings

REACH = 3.0
"""A latent weight of 1 is this many mean magnitudes of its filter: of normally distributed weights, 1.7 % are clipped."""


def signs(latent: Tensor) -> Tensor:
    """+1 where `latent` >= 0, else -1."""
    return torch.where(latent >= 0, 1.0, -1.0).to(latent.dtype)


def with_gradient(value: Tensor, through: Tensor) -> Tensor:
    """`value`, bit for bit, with its own gradient; `through` gets the gradient too, as if it were the value."""
    return value + (through - through.detach())


class LatentWeights(nn.Module, ABC):
    """A parametrization: the weight `[O, ...]` of few values that latent weights amount to. What the optimiser sees are the latent
    weights divided by `pace`, so that they move that many times faster than other parameters."""

    def __init__(self, pace: float) -> None:
        super().__init__()
        self.pace = pace

    @abstractmethod
    def right_inverse(self, weight: Tensor) -> Tensor:
        """The latent weights to start from, divided by `pace`."""

    @abstractmethod
    def forward(self, latent: Tensor) -> Tensor:
        """The weight."""

    @abstractmethod
    def encoding(self, latent: Tensor) -> Encoding:
        """What `forward` gives in evaluation mode, as it is stored."""

    def clip(self, latent: Tensor) -> None:
        """Clips the latent weights to [-1, 1], in place, while training. BinaryConnect (algorithm 1) clips after each update; before
        each use is the same, and the optimiser needs to know nothing of it."""
        if self.training:
            latent.data.clamp_(-1 / self.pace, 1 / self.pace)


class UnitWeights(nn.Module):
    """A parametrization that changes no value: latent weights in units of their channel's root mean square, so that the
    layers that stay floats learn at the same relative rate as the others."""

    rms: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("rms", channel_rms(weight).clamp_min(SMALLEST_SCALE))

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight / by_channel(self.rms, weight)

    def forward(self, latent: Tensor) -> Tensor:
        return latent * by_channel(self.rms, latent)


@dataclass(frozen=True)
class LatentTraining(Stage, ABC):
    """Fine-tunes the chosen layers' weights, unless a subclass says otherwise those of all conv and linear layers but the first, the
    last and the depthwise, as few values. Batch norm must stand behind each of them, since it takes up at once what other weights do
    to the mean and the spread of a map; it still does afterwards: FoldBatchNorm comes after the stage. Needs faces."""

    trains: ClassVar[bool] = True
    needs: ClassVar[Mapping[Trait, str]] = {
        Trait.BATCH_NORM: "put it before FoldBatchNorm(), and InsertBatchNorm() before it where the net came without"
    }
    refuses: ClassVar[Mapping[Trait, str]] = {
        Trait.UNNORMED: "put InsertBatchNorm() between",
        Trait.PRUNED: "it decides every weight anew, so the pruned ones would come back",
        Trait.ENCODED: "training would change the encoded weights; put it before what encodes",
    }
    gives: ClassVar[frozenset[Trait]] = frozenset({Trait.ENCODED})

    settings: TrainSettings = TrainSettings((Phase(3000, learning_rate=2e-3),), batch=64, optimizer="adamw", weight_decay=0.0)
    """How to fine-tune, by self-distillation."""
    pace: float = 8.0
    """How many times faster than all other parameters the latent weights move (BinaryConnect, section 2.5, scales the rates of
    layers too): a weight must be able to turn within the fine-tuning, while batch norm and slopes should hardly move in a step."""
    refit: int = 8192
    """How many training faces the last layer is solved from afterwards, by least squares (toolchain.compress.refit); 0: it is left
    as it was trained."""

    def __post_init__(self) -> None:
        if not 0 < self.pace < math.inf or self.refit < 0:
            raise RecipeError(f"{type(self).__name__}: expected pace > 0 and refit >= 0, got {self.pace} and {self.refit}")

    @abstractmethod
    def latent(self, weight: Tensor) -> LatentWeights:
        """The parametrization of a chosen layer of this `weight`."""

    def chosen(self, net: nn.Module) -> tuple[WeightedLayer, ...]:
        """The layers whose weights become few values."""
        return tuple(layer for layer in weighted_layers(net)[1:-1] if not layer.depthwise)

    def schedule(self, net: nn.Module) -> Callable[[int], None] | None:
        """What is to be set in the constrained `net` before each step, if anything."""
        return None

    def constrained(self, net: nn.Module) -> nn.Module:
        """A copy of `net` with the layers of `prepared` and latent weights in its conv and linear layers, to train in any way."""
        made = copy.deepcopy(self._with_layers(net))
        self._constrain(made)
        return made

    def prepared(self, model: Model) -> Model:
        net = self._with_layers(model.net)
        return model if net is model.net else model.with_net(net)

    def transform(self, model: Model, context: Context) -> Model:
        name = type(self).__name__
        faces = context.training_faces(name)
        chosen = self.chosen(model.net)
        if not chosen:
            got = len(weighted_layers(model.net))
            raise RecipeError(
                f"{name}: expected a layer of its kind between the first and the last, which stay floats, got {got} layers, none such"
            )
        require_batch_norm(name, model.net, chosen)
        start = self.prepared(model)

        def constrain(net: nn.Module) -> Callable[[int], None] | None:
            self._constrain(net)
            return self.schedule(net)

        net = fine_tune(model, constrain, self.settings, self._map_weight(), context, name, start)
        encoded: dict[str, Tensor | Encoding] = {}
        for layer in weighted_layers(net):
            weights, latent = parametrization(net, layer)
            if isinstance(weights, LatentWeights):
                encoded[layer.weight] = weights.encoding(latent)
            else:
                parametrize.remove_parametrizations(net.get_submodule(layer.name), "weight")
        trained = start.with_weights({**trained_rest(net, start, set(encoded)), **encoded})
        return refit_last(trained, model, faces, self.refit) if self.refit else trained

    def _map_weight(self) -> float:
        """What matching feature maps counts beside the embeddings' 1 - cos."""
        return 0.0

    def _with_layers(self, net: nn.Module) -> nn.Module:
        """`net` itself, or a copy with other layers."""
        return net

    def _constrain(self, net: nn.Module) -> None:
        chosen = set(self.chosen(net))
        for layer in weighted_layers(net):
            weight = net.get_parameter(layer.weight).detach()
            kind = self.latent(weight) if layer in chosen else UnitWeights(weight)
            parametrize.register_parametrization(net.get_submodule(layer.name), "weight", kind)


def require_batch_norm(stage: str, net: nn.Module, layers: Sequence[WeightedLayer]) -> None:
    """Error: ToolchainError where one of `layers` has no batch norm of its own behind it."""
    has_one = norms_behind(graph_of(net))
    for layer in layers:
        if layer.name not in has_one:
            helps = f"put {stage}() before FoldBatchNorm(), or InsertBatchNorm() before it where the net came without"
            raise ToolchainError(f"{stage}: {layer.name} has no batch norm of its own behind it, and signs do not train without; {helps}")
