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

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from toolchain.compress.clustering import SMALLEST_SCALE, by_channel, stored_scale
from toolchain.compress.latent_weights import REACH, LatentTraining, LatentWeights, signs
from toolchain.compress.layers import WeightedLayer, weighted_layers
from toolchain.encodings import Binary
from toolchain.errors import RecipeError
from toolchain.keep_float import KeepFloat, Rule, kept_float, require_names
from toolchain.model import Model
from toolchain.sensitivity.sensitivity import Damage, rule_damages
from toolchain.stage import Context, added


def binary_scale(weight: Tensor) -> Tensor:
    """α `[O]` = mean |W| of each filter: of all α it brings α·sign(W) nearest to W (XNOR-Net, equation 6)."""
    return weight.flatten(1).abs().mean(1)


class SignWeights(LatentWeights):
    """A parametrization: the weight `[O, ...]` that latent weights in [-1, 1] and log scales `[O]` amount to.

    `mix`: 0 gives the latent weights as floats, 1 their scaled signs, in between a weighted mean.
    """

    start: Tensor

    def __init__(self, weight: Tensor, pace: float = 1.0) -> None:
        super().__init__(pace)
        self.mix = 1.0
        self.register_buffer("start", binary_scale(weight).clamp_min(SMALLEST_SCALE))
        self.log_scale = nn.Parameter(torch.zeros(len(weight)))

    def right_inverse(self, weight: Tensor) -> Tensor:
        return (weight / by_channel(REACH * self.start, weight)).clamp(-1, 1) / self.pace

    def scale(self) -> Tensor:
        """α of each channel, one that fp16 holds; its gradient goes straight through the rounding."""
        scale = self.start * self.log_scale.exp()
        return scale + (stored_scale(scale) - scale).detach()

    def forward(self, latent: Tensor) -> Tensor:
        self.clip(latent)
        binary = signs(latent.detach()) * by_channel(self.scale(), latent)
        plain = latent * by_channel(REACH * self.pace * self.start, latent)
        # The gradient to the latent weights is that of the floats, whatever the mix: straight through.
        return self.mix * binary + (1 - self.mix) * plain.detach() + (plain - plain.detach())

    @torch.no_grad()
    def encoding(self, latent: Tensor) -> Binary:
        """What `forward` gives at `mix` 1, as it is stored."""
        return Binary((latent >= 0).cpu().numpy(), self.scale().cpu().numpy().astype(np.float32))


@dataclass(frozen=True)
class Binarize(LatentTraining):
    """Stores the weights of all conv and linear layers but the first and the last as ±α. Batch norm must stand behind each
    of them, and still does afterwards: FoldBatchNorm comes after this stage. Needs faces to fine-tune on."""

    depthwise: bool = False
    """Binarize depthwise convolutions too; False leaves them floats."""
    ramp: float = 0.5
    """The share of the steps over which the signs are brought in."""
    map_weight: float = 0.0
    """What matching feature maps counts beside the embeddings' 1 - cos."""
    keep_float: KeepFloat = added(())
    """Further layers that stay floats: names, or a rule that goes by what signs alone do to each before any training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_names("Binarize", self.keep_float)
        if not 0 <= self.ramp <= 1 or not 0 <= self.map_weight < math.inf:
            raise RecipeError(f"Binarize: expected ramp in 0..1 and map_weight >= 0, got {self.ramp} and {self.map_weight}")

    def latent(self, weight: Tensor) -> SignWeights:
        return SignWeights(weight, self.pace)

    def chosen(self, net: nn.Module) -> tuple[WeightedLayer, ...]:
        """Error: RecipeError for a `keep_float` that names another layer, or a rule that `transform` has not settled."""
        layers = [layer for layer in weighted_layers(net)[1:-1] if self.depthwise or not layer.depthwise]
        names = [layer.name for layer in layers]
        if isinstance(self.keep_float, Rule):
            raise RecipeError(f"Binarize.keep_float: {self.keep_float} measures on faces; apply the stage, or name layers")
        kept = kept_float("Binarize", self.keep_float, names, tuple)
        return tuple(layer for layer in layers if layer.name not in kept)

    def transform(self, model: Model, context: Context) -> Model:
        if not isinstance(self.keep_float, Rule):
            return super().transform(model, context)
        return replace(self, keep_float=self.keep_float.choose(self._damages(model, context))).transform(model, context)

    def _damages(self, model: Model, context: Context) -> tuple[Damage, ...]:
        layers = replace(self, keep_float=()).chosen(model.net)
        weights = {layer: model.net.get_parameter(layer.weight).detach().cpu() for layer in layers}
        signed = {layer: signs(weight) * by_channel(binary_scale(weight), weight) for layer, weight in weights.items()}
        return rule_damages(model, signed, context, "layers in signs")

    def schedule(self, net: nn.Module) -> Callable[[int], None]:
        """The signs rise from nothing to all there is."""
        constrained = [module for module in net.modules() if isinstance(module, SignWeights)]
        rising = max(1, round(self.ramp * self.settings.steps))

        def at_step(step: int) -> None:
            for module in constrained:
                module.mix = min(1.0, (step + 1) / rising)

        return at_step

    def _map_weight(self) -> float:
        return self.map_weight
