"""Pattern binarization (Li et al., SEP-Nets, arXiv:1706.03912): filters that look for patterns, k×k with k > 1, become signs with a
scale; 1×1 filters, which transform data and need what they know, stay floats.

As the authors do it: train, binarize the k×k filters, fine-tune the signs with the floats. The scale is BWN's, a filter's mean magnitude
(toolchain.compress.xnor). The first layer, whose patterns are those of pixels, and the last stay floats.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from toolchain.compress.latent_weights import LatentTraining
from toolchain.compress.layers import WeightedLayer, weighted_layers
from toolchain.compress.xnor import ScaledSigns


@dataclass(frozen=True)
class PatternBinarize(LatentTraining):
    """Stores the weights of all k×k convolutions, k > 1, but the first and the last layer as ±α, those of grouped and depthwise ones
    too."""

    def latent(self, weight: Tensor) -> ScaledSigns:
        return ScaledSigns(weight, self.pace)

    def chosen(self, net: nn.Module) -> tuple[WeightedLayer, ...]:
        inner = ((layer, net.get_submodule(layer.name)) for layer in weighted_layers(net)[1:-1])
        return tuple(layer for layer, module in inner if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1)
