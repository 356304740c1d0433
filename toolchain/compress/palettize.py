"""Palettize: few distinct values in each weight tensor, on the int8 grid, with indices of low entropy.

Deep Compression (Han, Mao, Dally, ICLR 2016, section 3): weights share the values of a codebook, which is fine-tuned by
summing each cluster's gradients. Three things differ: the values are int8 levels times a scale per output channel, which is
what TFLite multiplies back; clusters are chosen by rate and distortion (see `clustering`), since the stored file
entropy-codes the indices; and a weight may change its cluster while it is fine-tuned: latent weights take the gradient
straight through (Bengio, Léonard, Courville, 2013) and are assigned anew at every step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from toolchain.compress.clustering import GRID, SMALLEST_SCALE, Codebook, boundaries, by_channel, channel_rms, codebook, stored_scale
from toolchain.compress.fine_tune import EncodedWeights, encoded
from toolchain.compress.layers import WeightedLayer, refuse_batch_norm, weighted_layers
from toolchain.encodings import Palette
from toolchain.errors import RecipeError
from toolchain.keep_float import KeepFloat, kept_float, require_names
from toolchain.model import Model
from toolchain.sensitivity.sensitivity import Damage, rule_damages
from toolchain.stage import Context, Stage, Trait, added
from toolchain.training.loop import TrainSettings


def straight_through(value: Tensor, through: Tensor) -> Tensor:
    """`value` forward; its gradient goes to `through`."""
    return through + (value - through).detach()


class SharedWeights(EncodedWeights):
    """A parametrization: the weight `[O, ...]` that latent weights, log scales `[O]` and levels `[K]` decode to.

    Latent weights are in units of their channel's root mean square at the start, so that one learning rate fits all layers.
    Weights that are exactly 0 at the start were pruned, and stay 0.
    """

    bits: Tensor
    rms: Tensor
    kept: Tensor

    def __init__(self, weight: Tensor, book: Codebook, rate: float) -> None:
        super().__init__()
        self.rate, self.unit = rate, book.unit
        self.register_buffer("rms", channel_rms(weight).clamp_min(SMALLEST_SCALE))
        self.register_buffer("bits", book.bits)
        self.register_buffer("kept", weight != 0)
        self.levels = nn.Parameter(book.levels.clone())
        self.log_scale = nn.Parameter(torch.zeros(len(weight)))

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight / by_channel(self.rms, weight)

    def scale(self) -> Tensor:
        """The scale of each channel, one that fp16 holds where its range allows; its gradient goes straight through the rounding."""
        scale = self.rms * self.unit * self.log_scale.exp()
        return straight_through(stored_scale(scale), scale)

    def grid_levels(self) -> Tensor:
        """The levels on the int8 grid, ascending."""
        return straight_through(self.levels.round().clamp(-GRID, GRID), self.levels)

    @torch.no_grad()
    def indices(self, latent: Tensor) -> Tensor:
        """The level of each weight: of least squared distance plus rate times bits."""
        places = (latent / by_channel(self.unit * self.log_scale.exp(), latent)).contiguous()
        return torch.bucketize(places, boundaries(self.levels, self.bits, self.rate / self.unit**2))

    def forward(self, latent: Tensor) -> Tensor:
        codes = self.grid_levels()[self.indices(latent)]
        # To the codes the gradient of the levels, to the latent weights the gradient as if nothing had been rounded.
        weight = codes * by_channel(self.scale(), latent)
        return (weight + (latent - latent.detach()) * by_channel(self.rms, latent)) * self.kept

    @torch.no_grad()
    def encoding(self, latent: Tensor) -> Palette:
        """What `forward` gives, as it is stored. Levels that fell on one grid point become one."""
        codes = (self.grid_levels()[self.indices(latent)] * self.kept).round().cpu().numpy().astype(np.int8)
        levels, indices = np.unique(codes, return_inverse=True)
        return Palette(levels, indices.reshape(codes.shape).astype(np.uint8), self.scale().cpu().numpy())


@dataclass(frozen=True)
class Palettize(Stage):
    """Stores each conv and linear weight that has no encoding yet as a palette; pruned weights stay 0; all other parameters become
    values that fp16 holds. Batch norm must be folded before. Without `settings` nothing is trained and no face is needed."""

    trains: ClassVar[bool] = True
    refuses: ClassVar[Mapping[Trait, str]] = {Trait.BATCH_NORM: "put FoldBatchNorm() before Palettize()"}
    gives: ClassVar[frozenset[Trait]] = frozenset({Trait.ENCODED})

    settings: TrainSettings | None = None
    """How to fine-tune, by self-distillation; None: clusters alone."""
    clusters: int = 32
    """The most levels of a tensor."""
    rate: float = 0.013
    """What a bit of index costs, against the squared error in units of the channel's mean square: 0 is k-means; 0.012 comes to
    about 3.7 bits a weight, 0.02 to 3.4."""
    fine_clusters: int = 64
    """`clusters` of the first layer and of depthwise ones: few weights, each of which matters more."""
    fine_rate: float = 0.001
    """`rate` of the same layers."""
    map_weight: float = 0.0
    """What matching feature maps counts beside the embeddings' 1 - cos."""
    keep_float: KeepFloat = added(())
    """Layers whose weights stay floats (that fp16 holds): names, or a rule that goes by what clusters alone do to each."""

    def __post_init__(self) -> None:
        require_names("Palettize", self.keep_float)
        for name in ("clusters", "fine_clusters"):
            if not 2 <= getattr(self, name) <= 255:
                raise RecipeError(f"Palettize.{name}: expected 2 to 255, got {getattr(self, name)}")
        for name in ("rate", "fine_rate", "map_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise RecipeError(f"Palettize.{name}: expected 0 or more, got {getattr(self, name)}")

    @property
    def needs_faces(self) -> bool:
        return self.settings is not None

    def transform(self, model: Model, context: Context) -> Model:
        layers = weighted_layers(model.net)
        chosen = [layer for layer in layers if layer.weight not in model.encodings]
        refuse_batch_norm("Palettize", model.net, chosen)
        fine = {layer.name for layer in chosen if layer.depthwise or layer is layers[0]}
        kept = self._kept_float(model, chosen, fine, context)
        chosen = [layer for layer in chosen if layer.name not in kept]

        def shared(layer: WeightedLayer, weight: Tensor) -> SharedWeights:
            return self._shared(weight, layer.name in fine)

        return encoded(model, chosen, shared, self.settings, self.map_weight, context, "palettize")

    def _shared(self, weight: Tensor, fine: bool) -> SharedWeights:
        count, rate = (self.fine_clusters, self.fine_rate) if fine else (self.clusters, self.rate)
        return SharedWeights(weight, codebook(weight, count, rate), rate)

    def _kept_float(self, model: Model, layers: list[WeightedLayer], fine: set[str], context: Context) -> tuple[str, ...]:
        """The names of those of `layers` that stay float."""

        def clustered(layer: WeightedLayer) -> Tensor:
            weight = model.net.get_parameter(layer.weight).detach().cpu()
            shared = self._shared(weight, layer.name in fine)
            return shared.encoding(shared.right_inverse(weight)).decode()

        def measure() -> tuple[Damage, ...]:
            return rule_damages(model, {layer: clustered(layer) for layer in layers}, context, "layers in few values")

        return kept_float("Palettize", self.keep_float, [layer.name for layer in layers], measure)
