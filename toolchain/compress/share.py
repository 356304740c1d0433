"""Share: the weights of a layer share few values, found by k-means and then trained, as Deep Compression states it.

Han, Mao, Dally (ICLR 2016, section 3). k-means over a layer's weights, pruned ones left out, minimises the sum of squares within
clusters (equation 2) from centres that are evenly spaced between the least and the largest weight (section 3.2: of the three
initialisations linear is best, since it keeps the large weights). The assignment is fixed from then on, and the shared values are
trained: the gradient of a value is the sum of the gradients of the weights that share it (equation 3). Here by self-distillation:
the net has to give what it gave before; biases and slopes learn along.

Palettize is this toolchain's refinement of the same, from the same k-means (toolchain.compress.clustering). It differs in three
points: a weight changes its cluster while it is trained, clusters are chosen by rate and distortion and not by distortion alone,
and the scales of the channels are trained too. Share is what the paper did and what others compare with.

Where the values lie is a choice. On the float grid a layer's K values are any floats, as in the paper. On the int8 grid they are int8
levels times a scale, which TFLite itself stores in a byte: one scale for the tensor, or one for each output channel, in units of
whose root mean square the weights are then clustered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from toolchain.compress.clustering import GRID, SMALLEST_SCALE, by_channel, channel_rms, clusters, stored_scale
from toolchain.compress.fine_tune import EncodedWeights, encoded
from toolchain.compress.layers import WeightedLayer, refuse_batch_norm, weighted_layers
from toolchain.compress.palettize import straight_through
from toolchain.encodings import Codebook, Encoding, Palette, Sparse
from toolchain.encodings.codebook import LARGEST_CODEBOOK
from toolchain.errors import RecipeError, ToolchainError
from toolchain.model import Model
from toolchain.stage import Context, Stage, Trait
from toolchain.training.loop import TrainSettings

Grid = Literal["float", "int8"]
Scaled = Literal["tensor", "channel"]
_MOST_LEVELS = 254
"""On the int8 grid: a level for each code from -127 to 127 but 0, which pruned weights take."""


def shared_values(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """`(centres [K] ascending, indices int64 in the shape of values)`: k-means of at most `count` clusters from the linear
    initialisation, and the nearest centre of each value (of two as near the lower).

    Error: ToolchainError where a value is not finite.
    """
    if not bool(values.isfinite().all()):
        raise ToolchainError("Share: expected finite weights, got NaN or infinity; the net before it is damaged, train it again")
    centres, _ = clusters(values, count, 0.0)
    return centres, torch.bucketize(values.contiguous(), (centres[1:] + centres[:-1]) / 2)


class _Gather(torch.autograd.Function):
    """values[indices]; the gradient of a value is the sum over its members (equation 3). As torch's own, but by counting bins, which
    takes a tenth of the time for a million weights."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, indices: Tensor) -> Tensor:
        ctx.save_for_backward(indices)
        ctx.count = len(values)
        return values[indices]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (indices,) = ctx.saved_tensors
        sums = torch.bincount(indices.flatten(), gradients[0].flatten().double(), ctx.count)
        return sums.to(gradients[0].dtype), None


class ValuesOfClusters(EncodedWeights):
    """A parametrization: the weight `[O, ...]` that K trained values decode to, by fixed indices; zero where it was pruned.

    What is trained is in units of the tensor's (or, `channel`, its channel's) root mean square, so that one learning rate fits all
    layers. `start` `[K]`: the centres before training, in the same units.
    """

    start: Tensor
    indices: Tensor
    kept: Tensor
    rms: Tensor

    def __init__(self, weight: Tensor, count: int, grid: Grid, scaled: Scaled) -> None:
        super().__init__()
        kept = weight != 0
        rms = channel_rms(weight) if scaled == "channel" else weight.square().mean().sqrt().expand(len(weight))
        rms = rms.clamp_min(SMALLEST_SCALE).contiguous()
        relative = weight / by_channel(rms, weight)
        centres, members = shared_values(relative[kept] if bool(kept.any()) else relative.flatten()[:1], count)
        indices = torch.zeros(weight.shape, dtype=torch.int64)
        if bool(kept.any()):
            indices[kept] = members
        self.grid = grid
        self.step = max(float(centres.abs().max()), 1e-6) / GRID
        for name, buffer in (("start", centres), ("indices", indices), ("kept", kept), ("rms", rms)):
            self.register_buffer(name, buffer)

    def right_inverse(self, weight: Tensor) -> Tensor:
        return self.start.clone()

    def scale(self) -> Tensor:
        """On the int8 grid: what a level counts in each channel, `[O]`, values that fp16 holds where its
        range allows."""
        return stored_scale(self.rms * self.step)

    def levels(self, values: Tensor) -> Tensor:
        """On the int8 grid: `values` `[K]` rounded to it; the gradient goes straight through."""
        exact = values / self.step
        return straight_through(exact.round().clamp(-GRID, GRID), exact)

    def forward(self, values: Tensor) -> Tensor:
        if self.grid == "float":
            return _Gather.apply(values * self.rms[0], self.indices) * self.kept
        return _Gather.apply(self.levels(values), self.indices) * by_channel(self.scale(), self.indices) * self.kept

    @torch.no_grad()
    def encoding(self, values: Tensor) -> Encoding:
        """What `forward` gives, as it is stored. Values that met in training become one."""
        if self.grid == "float":
            return Codebook.of(self(values))
        codes = (self.levels(values).round()[self.indices] * self.kept).cpu().numpy().astype(np.int8)
        scale = self.scale().cpu().numpy()
        if not bool(self.kept.all()):
            return Sparse.of(codes, scale)
        levels, indices = np.unique(codes, return_inverse=True)
        return Palette(levels, indices.reshape(codes.shape).astype(np.uint8), scale)


@dataclass(frozen=True)
class Share(Stage):
    """Stores each conv and linear weight that has no encoding yet by shared values; pruned weights, those that are exactly 0, stay 0.
    All other parameters become values that fp16 holds. Batch norm must be folded before. Without `settings` nothing is trained
    and no face is needed."""

    trains: ClassVar[bool] = True
    refuses: ClassVar[Mapping[Trait, str]] = {Trait.BATCH_NORM: "put FoldBatchNorm() before Share()"}
    gives: ClassVar[frozenset[Trait]] = frozenset({Trait.ENCODED})

    settings: TrainSettings | None = None
    """How to train the values, by self-distillation; None: k-means alone."""
    clusters: int = 32
    """The most values of a tensor, beside 0. (The paper: 256 for convolutions, 32 for fully connected layers.)"""
    fine_clusters: int = 64
    """`clusters` of the first layer and of depthwise ones: few weights, each of which matters more."""
    grid: Grid = "float"
    """float: any floats; int8: levels of the int8 grid, which TFLite stores in a byte."""
    scaled: Scaled = "tensor"
    """What the values are relative to: the whole tensor, or, on the int8 grid, each output channel's root mean square."""
    map_weight: float = 0.0
    """What matching feature maps counts beside the embeddings' 1 - cos."""

    def __post_init__(self) -> None:
        if self.grid not in get_args(Grid) or self.scaled not in get_args(Scaled):
            raise RecipeError(f"Share: expected grid float or int8 and scaled tensor or channel, got {self.grid} and {self.scaled}")
        if self.grid == "float" and self.scaled == "channel":
            raise RecipeError(
                "Share.scaled: a float codebook holds the weights themselves and has no scales; give grid='int8' with channel"
            )
        most = _MOST_LEVELS if self.grid == "int8" else LARGEST_CODEBOOK - 1
        for name in ("clusters", "fine_clusters"):
            if not 1 <= getattr(self, name) <= most:
                raise RecipeError(f"Share.{name}: expected 1 to {most} on the {self.grid} grid, got {getattr(self, name)}")
        if not 0 <= self.map_weight < math.inf:
            raise RecipeError(f"Share.map_weight: expected 0 or more, got {self.map_weight}")

    @property
    def needs_faces(self) -> bool:
        return self.settings is not None

    def transform(self, model: Model, context: Context) -> Model:
        layers = weighted_layers(model.net)
        chosen = [layer for layer in layers if layer.weight not in model.encodings]
        refuse_batch_norm("Share", model.net, chosen)

        def shared(layer: WeightedLayer, weight: Tensor) -> ValuesOfClusters:
            count = self.fine_clusters if layer.depthwise or layer is layers[0] else self.clusters
            return ValuesOfClusters(weight, count, self.grid, self.scaled)

        return encoded(model, chosen, shared, self.settings, self.map_weight, context, "share")
