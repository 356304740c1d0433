"""Binarize: weights of one bit, α·sign(W), by binarization-aware fine-tuning with batch norm behind every binary layer.

BinaryConnect (Courbariaux, Bengio, David, NeurIPS 2015, sections 2.3 and 2.4): the net computes with signs, the gradient goes
straight through them to latent weights, which are clipped to [-1, 1]. XNOR-Net (Rastegari et al., ECCV 2016, section 3.1)
gives the scale of each filter, α = mean |W|. Both train with batch norm, which takes up what the signs do to the mean and the
spread of every map: without it a net of signs hardly learns. FoldBatchNorm afterwards makes it part of the scales and biases.

Two additions, since a trained net is the start and is its own teacher: the first and the last layer stay floats (XNOR-Net,
section 3), and the signs are brought in gradually: W = (1 - m)·latent + m·α·sign(latent) with m rising from 0 to 1 over a
share of the steps, so that the net follows from the float weights to the binary ones instead of falling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from toolchain.compress.clustering import SMALLEST_SCALE, by_channel, channel_rms
from toolchain.compress.fine_tune import fine_tune, trained_rest
from toolchain.compress.fold_batch_norm import graph_of, norms_behind
from toolchain.compress.layers import WeightedLayer, parametrization, weighted_layers
from toolchain.compress.refit import refit_last
from toolchain.encodings import Binary, Encoding
from toolchain.errors import RecipeError, ToolchainError
from toolchain.model import Model
from toolchain.stage import Context, Stage, Trait
from toolchain.train import Phase, TrainSettings

_REACH = 3.0
"""A latent weight of 1 is this many mean magnitudes of its filter: of normally distributed weights, 1.7 % are clipped."""


def binary_scale(weight: Tensor) -> Tensor:
    """α `[O]` = mean |W| of each filter: of all α it brings α·sign(W) nearest to W (XNOR-Net, equation 6)."""
    return weight.flatten(1).abs().mean(1)


def signs(latent: Tensor) -> Tensor:
    """+1 where `latent` >= 0, else -1."""
    return torch.where(latent >= 0, 1.0, -1.0).to(latent.dtype)


class SignWeights(nn.Module):
    """A parametrization: the weight `[O, ...]` that latent weights in [-1, 1] and log scales `[O]` amount to.

    `mix`: 0 gives the latent weights as floats, 1 their scaled signs, in between a weighted mean. What the optimiser sees are
    the latent weights divided by `pace`, so that they move that many times faster than other parameters.
    """

    start: Tensor

    def __init__(self, weight: Tensor, pace: float = 1.0) -> None:
        super().__init__()
        self.mix, self.pace = 1.0, pace
        self.register_buffer("start", binary_scale(weight).clamp_min(SMALLEST_SCALE))
        self.log_scale = nn.Parameter(torch.zeros(len(weight)))

    def right_inverse(self, weight: Tensor) -> Tensor:
        return (weight / by_channel(_REACH * self.start, weight)).clamp(-1, 1) / self.pace

    def scale(self) -> Tensor:
        """α of each channel, one that fp16 holds; its gradient goes straight through the rounding."""
        scale = self.start * self.log_scale.exp()
        return scale + (scale.half().float().clamp_min(SMALLEST_SCALE) - scale).detach()

    def forward(self, latent: Tensor) -> Tensor:
        if self.training:
            # The paper clips after each update; before each use is the same, and the optimiser needs to know nothing of it.
            latent.data.clamp_(-1 / self.pace, 1 / self.pace)
        binary = signs(latent.detach()) * by_channel(self.scale(), latent)
        plain = latent * by_channel(_REACH * self.pace * self.start, latent)
        # The gradient to the latent weights is that of the floats, whatever the mix: straight through.
        return self.mix * binary + (1 - self.mix) * plain.detach() + (plain - plain.detach())

    @torch.no_grad()
    def encoding(self, latent: Tensor) -> Binary:
        """What `forward` gives at `mix` 1, as it is stored."""
        return Binary((latent >= 0).cpu().numpy(), self.scale().cpu().numpy().astype(np.float32))


class UnitWeights(nn.Module):
    """A parametrization that changes no value: latent weights in units of their channel's root mean square, so that the
    layers that stay floats learn at the same relative rate as the binary ones."""

    rms: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("rms", channel_rms(weight).clamp_min(SMALLEST_SCALE))

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight / by_channel(self.rms, weight)

    def forward(self, latent: Tensor) -> Tensor:
        return latent * by_channel(self.rms, latent)


@dataclass(frozen=True)
class Binarize(Stage):
    """Stores the weights of all conv and linear layers but the first and the last as ±α. Batch norm must stand behind each
    of them, and still does afterwards: FoldBatchNorm comes after this stage. Needs faces to fine-tune on."""

    trains: ClassVar[bool] = True
    needs: ClassVar[Mapping[Trait, str]] = {
        Trait.BATCH_NORM: "put Binarize() before FoldBatchNorm(), or InsertBatchNorm() before it where the net came without"
    }
    refuses: ClassVar[Mapping[Trait, str]] = {
        Trait.PRUNED: "a sign is never 0, so the pruned weights would come back",
        Trait.ENCODED: "training would change the encoded weights; put Binarize() before what encodes",
    }
    gives: ClassVar[frozenset[Trait]] = frozenset({Trait.ENCODED})

    settings: TrainSettings = TrainSettings((Phase(3000, learning_rate=2e-3),), batch=64, optimizer="adamw", weight_decay=0.0)
    """How to fine-tune, by self-distillation."""
    pace: float = 8.0
    """How many times faster than all other parameters the latent weights move (BinaryConnect, section 2.5, scales the rates of
    layers too): a sign must be able to turn within the fine-tuning, while batch norm and slopes should hardly move in a step."""
    depthwise: bool = False
    """Binarize depthwise convolutions too; False leaves them floats."""
    ramp: float = 0.5
    """The share of the steps over which the signs are brought in."""
    map_weight: float = 0.0
    """What matching feature maps counts beside the embeddings' 1 - cos."""
    refit: int = 8192
    """How many training faces the last layer is solved from afterwards, by least squares (toolchain.compress.refit); 0: it is left
    as it was trained."""

    def __post_init__(self) -> None:
        if not 0 <= self.ramp <= 1 or not self.map_weight >= 0 or not self.pace > 0 or self.refit < 0:
            got = f"{self.ramp}, {self.map_weight}, {self.pace} and {self.refit}"
            raise RecipeError(f"Binarize: expected ramp in 0..1, map_weight >= 0, pace > 0 and refit >= 0, got {got}")

    def apply(self, model: Model, context: Context) -> Model:
        layers = weighted_layers(model.net)
        binary = [layer for layer in layers[1:-1] if self.depthwise or not layer.depthwise]
        if not binary:
            raise RecipeError(f"Binarize: expected 3 conv and linear layers or more, got {len(layers)}; the first and the last stay floats")
        _require_batch_norm(model.net, binary)
        floats = [layer for layer in layers if layer not in binary]

        def constrain(net: nn.Module) -> Callable[[int], None]:
            for layer in layers:
                weight = net.get_parameter(layer.weight).detach()
                kind = SignWeights(weight, self.pace) if layer in binary else UnitWeights(weight)
                parametrize.register_parametrization(net.get_submodule(layer.name), "weight", kind)
            return self._schedule(net)

        net = fine_tune(model, constrain, self.settings, self.map_weight, context, "binarize")
        for layer in floats:
            parametrize.remove_parametrizations(net.get_submodule(layer.name), "weight")
        encoded: dict[str, Tensor | Encoding] = {layer.weight: _encoding(net, layer) for layer in binary}
        trained = model.with_weights({**trained_rest(net, model, set(encoded)), **encoded})
        return refit_last(trained, model, context.training_faces("Binarize"), self.refit) if self.refit else trained

    def _schedule(self, net: nn.Module) -> Callable[[int], None]:
        constrained = [module for module in net.modules() if isinstance(module, SignWeights)]
        rising = max(1, round(self.ramp * self.settings.steps))

        def at_step(step: int) -> None:
            for module in constrained:
                module.mix = min(1.0, (step + 1) / rising)

        return at_step


def _require_batch_norm(net: nn.Module, layers: Sequence[WeightedLayer]) -> None:
    has_one = norms_behind(graph_of(net))
    for layer in layers:
        if layer.name not in has_one:
            helps = "put Binarize() before FoldBatchNorm(), or InsertBatchNorm() before it where the net came without"
            raise ToolchainError(f"Binarize: {layer.name} has no batch norm of its own behind it, and signs do not train without; {helps}")


def _encoding(net: nn.Module, layer: WeightedLayer) -> Binary:
    sign_weights, latent = parametrization(net, layer)
    assert isinstance(sign_weights, SignWeights)
    return sign_weights.encoding(latent)
