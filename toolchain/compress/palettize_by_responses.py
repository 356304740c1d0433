"""PalettizeByResponses: palettes of so few bits that a layer must be rounded for what it gives, not for what its weights are.

Palettize (toolchain/compress/palettize.py) starts from the level nearest to each weight. At two or three bits a weight that start is far
off: the errors of a filter add up over its inputs, and those of the layers over the net. Here each layer starts from levels that make up
for each other on real images (toolchain/compress/compensate.py), clusters chosen by rate and distortion as there, and is then
fine-tuned the same way. The rate may be found from the bytes that the indices may take, and all that is not an index is rounded to few
significant bits: of a small net's packed file, scales, biases and slopes at fp16 are a fifth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from toolchain.compress.clustering import SMALLEST_SCALE, by_channel, channel_rms, clusters, codebook
from toolchain.compress.compensate import Chosen, Nearest, compensate
from toolchain.compress.fine_tune import encodings_of, fine_tune, trained_rest
from toolchain.compress.fold_batch_norm import graph_of
from toolchain.compress.layers import WeightedLayer, refuse_batch_norm, weighted_layers
from toolchain.compress.palettize import SharedWeights, straight_through
from toolchain.errors import RecipeError
from toolchain.model import Model, to_input
from toolchain.stage import Context, Stage, Trait
from toolchain.training.loop import TrainSettings

_HIGHEST_RATE = 1.0
"""At this price of a bit, the mean square of the weights themselves, next to nothing but zeros is left."""


def significant(values: Tensor, bits: int) -> Tensor:
    """Each value rounded to the nearest of `bits` binary digits, the leading one counted: to within 2^-bits of itself."""
    fraction, exponent = torch.frexp(values)
    return torch.ldexp((fraction * 2.0**bits).round() / 2.0**bits, exponent)


class CoarselyScaledWeights(SharedWeights):
    """SharedWeights whose scales have `digits` significant bits."""

    def __init__(self, weight: Tensor, count: int, rate: float, digits: int) -> None:
        super().__init__(weight, codebook(weight, count, rate), rate)
        self.digits = digits

    def scale(self) -> Tensor:
        scale = self.rms * self.unit * self.log_scale.exp()
        return straight_through(significant(scale.detach(), self.digits).clamp_min(SMALLEST_SCALE), scale)

    def nearest(self, weights: Tensor) -> Tensor:
        """Weights `[O, n]` as the levels that they fall to."""
        codes = self.grid_levels().detach()[self.indices(weights / by_channel(self.rms, weights))]
        return codes * by_channel(self.scale().detach(), weights)


@dataclass(frozen=True)
class PalettizeByResponses(Stage):
    """Stores every conv and linear weight as a palette, chosen by what the layers make of training faces, and fine-tunes it; all other
    parameters get few significant bits. Batch norm must be folded before."""

    trains: ClassVar[bool] = True
    refuses: ClassVar[Mapping[Trait, str]] = {
        Trait.BATCH_NORM: "put FoldBatchNorm() before PalettizeByResponses()",
        Trait.PRUNED: "weights take over the errors of others, so the pruned ones would come back; a rate prunes by itself",
        Trait.ENCODED: "it encodes every weight, so no encoding would hold",
    }
    gives: ClassVar[frozenset[Trait]] = frozenset({Trait.ENCODED})

    settings: TrainSettings | None = None
    """How to fine-tune, by self-distillation; None: the start alone, which is worth most of it where the bits are not very few."""
    faces: int = 256
    """How many training faces, evenly spaced, the layers' inputs are taken from. All of their maps are in memory at once: about 5 MB a
    face of a MobileFaceNet."""
    clusters: int = 32
    """The most levels of a tensor."""
    rate: float = 0.03
    """What a bit of index costs, as Palettize.rate."""
    fine_clusters: int = 64
    """`clusters` of the first layer and of depthwise ones."""
    fine_rate: float = 0.01
    """`rate` of the same layers."""
    most_bytes: int | None = None
    """What the indices of all layers may take: where `rate` comes to more, a higher one is found that does not. Fine-tuning moves the
    indices' entropy by a few per cent."""
    digits: int = 6
    """Significant bits of scales, biases and slopes."""
    map_weight: float = 0.0
    """What matching feature maps counts beside the embeddings' 1 - cos."""

    def __post_init__(self) -> None:
        for name in ("clusters", "fine_clusters"):
            if not 2 <= getattr(self, name) <= 255:
                raise RecipeError(f"PalettizeByResponses.{name}: expected 2 to 255, got {getattr(self, name)}")
        for name in ("rate", "fine_rate", "map_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise RecipeError(f"PalettizeByResponses.{name}: expected 0 or more, got {getattr(self, name)}")
        if self.faces < 1 or not 1 <= self.digits <= 11:
            raise RecipeError(f"PalettizeByResponses: expected faces >= 1 and digits in 1..11, got {self.faces} and {self.digits}")
        if self.most_bytes is not None and self.most_bytes < 1:
            raise RecipeError(f"PalettizeByResponses.most_bytes: expected at least 1, got {self.most_bytes}")

    def transform(self, model: Model, context: Context) -> Model:
        layers = weighted_layers(model.net)
        refuse_batch_norm("PalettizeByResponses", model.net, layers)
        shared, chosen = self._start(model, layers, context)

        def constrain(net: nn.Module) -> None:
            for layer in layers:
                module, start = net.get_submodule(layer.name), chosen[layer.name]
                module.weight.data = start.weight
                if start.bias is not None:
                    module.bias.data = start.bias
                parametrize.register_parametrization(module, "weight", shared[layer.name])

        if self.settings is None:
            net = model.with_weights({}).net.cpu()
            constrain(net)
        else:
            net = fine_tune(model, constrain, self.settings, self.map_weight, context, "palettize")
        palettes = encodings_of(net, layers)
        buffers = {name for name, _ in model.net.named_buffers()}
        rest = trained_rest(net, model, set(palettes))
        coarse = {name: value if name in buffers else significant(value, self.digits) for name, value in rest.items()}
        return model.with_weights({**coarse, **palettes})

    def _start(
        self, model: Model, layers: tuple[WeightedLayer, ...], context: Context
    ) -> tuple[dict[str, CoarselyScaledWeights], Mapping[str, Chosen]]:
        """The palettes of the layers and what they start from, by the layers' names."""
        given = context.training_faces("PalettizeByResponses")
        rows = np.linspace(0, len(given) - 1, min(self.faces, len(given))).round().astype(int)
        images = torch.from_numpy(np.ascontiguousarray(given.images[rows])).permute(0, 3, 1, 2)
        fine = {layer.name for layer in layers if layer.depthwise or layer is layers[0]}
        rate = self._rate(model, layers, fine)
        context.progress.say(f"palettize: choosing levels by {len(rows)} faces, a bit at {rate:.4f}")
        shared: dict[str, CoarselyScaledWeights] = {}

        def choose(name: str, weight: Tensor) -> Nearest:
            count, price = (self.fine_clusters, self.fine_rate) if name in fine else (self.clusters, rate)
            shared[name] = CoarselyScaledWeights(weight, count, price, self.digits)
            return shared[name].nearest

        return shared, compensate(graph_of(model.net), tuple(layer.name for layer in layers), to_input(images, model.input), choose)

    def _rate(self, model: Model, layers: tuple[WeightedLayer, ...], fine: set[str]) -> float:
        """`rate`, or the least higher one at which the indices take no more than `most_bytes`, by bisection."""
        if self.most_bytes is None:
            return self.rate
        small, large = (
            torch.cat([_in_units(model.net.get_parameter(layer.weight)) for layer in layers if (layer.name in fine) == is_fine])
            for is_fine in (True, False)
        )
        left = 8 * self.most_bytes - _coded_bits(small, self.fine_clusters, self.fine_rate)
        if _coded_bits(large, self.clusters, self.rate) <= left:
            return self.rate
        low, high = math.log(max(self.rate, 1e-6)), math.log(_HIGHEST_RATE)
        if _coded_bits(large, self.clusters, _HIGHEST_RATE) > left:
            raise RecipeError(
                f"PalettizeByResponses.most_bytes: {large.numel() + small.numel()} weights do not fit {self.most_bytes} bytes"
            )
        for _ in range(12):
            middle = (low + high) / 2
            low, high = (low, middle) if _coded_bits(large, self.clusters, math.exp(middle)) <= left else (middle, high)
        return math.exp(high)


def _in_units(weight: Tensor) -> Tensor:
    """Every weight in units of its channel's root mean square."""
    return (weight.detach() / by_channel(channel_rms(weight.detach()).clamp_min(SMALLEST_SCALE), weight)).flatten()


def _coded_bits(values: Tensor, count: int, rate: float) -> float:
    """What an entropy coder spends on the indices of all `values`, clustered together."""
    bits = clusters(values, count, rate)[1]
    return float((torch.exp2(-bits) * bits).sum()) * values.numel()
