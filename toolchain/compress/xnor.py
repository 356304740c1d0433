"""XNOR-Net's two kinds of net (Rastegari, Ordonez, Redmon, Farhadi, ECCV 2016): BWN, binary weights, and XNOR, binary weights and inputs.

BWN (section 3.1): W ≈ α B with B = sign(W), sign(0) = +1, and α = ‖W‖₁ / n of each filter (equations 4 to 6). Both are taken anew from
the latent weights W at every step, whose gradient is ∂C/∂W_i = ∂C/∂W̃_i (1/n + α ∂sign/∂W_i). (The paper prints ∂sign/∂r = r·1{|r| ≤ 1};
BNN, which it cites for it, has 1{|r| ≤ 1}, and so has this file.)

XNOR (section 3.2): the inputs too, X ∗ W ≈ (sign(X) ⊛ sign(W)) ⊙ K α (equation 11): K = A ∗ k, A the mean of |X| over the channels, k the
k×k filter of 1/(w·h); each place of the output has the mean magnitude of the inputs that it reads. In front stands batch norm and no other
activation, as the paper orders a block: batch norm, binary activation, binary convolution, pooling. The gradient goes through the signs as
in BNN, and through K as it is. The first and the last layer stay floats (section 3).

BWN and Binarize store the same, ±α. Binarize refines BWN for a start from a trained net: α is a parameter of its own, latent weights are
clipped, and the signs are brought in gradually.

As ordinary operations XNOR brings no speed, see `toolchain.compress.bnn`: the signs run as floats, and K and its product come on top.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from toolchain.compress.binarize import binary_scale
from toolchain.compress.bnn import BinaryActivation, binary_inputs, cleaned, full_convolutions, read_signs
from toolchain.compress.clustering import SMALLEST_SCALE, by_channel
from toolchain.compress.fold_batch_norm import graph_of, norms_behind, set_module, with_parameters
from toolchain.compress.latent_weights import REACH, LatentTraining, LatentWeights, require_batch_norm, signs, with_gradient
from toolchain.compress.layers import WeightedLayer, margins
from toolchain.encodings import Binary


def scaled_signs(weight: Tensor) -> Tensor:
    """α·sign(W) of `weight` `[O, ...]`, with the paper's gradient (section 3.1): that of W_i is 1/n + α·1{|W_i| ≤ 1} times that of the
    result, n the weights of a filter."""
    fixed = weight.detach()
    scale = by_channel(binary_scale(fixed).clamp_min(SMALLEST_SCALE), fixed)
    passed = 1 / fixed[0].numel() + scale * (fixed.abs() <= 1)
    return with_gradient(scale * signs(fixed), weight * passed)


class ScaledSigns(LatentWeights):
    """A parametrization: `scaled_signs` of latent weights, which are in units of three of their filter's mean magnitudes at the start,
    so that one learning rate fits all layers."""

    unit: Tensor

    def __init__(self, weight: Tensor, pace: float = 1.0) -> None:
        super().__init__(pace)
        self.register_buffer("unit", REACH * binary_scale(weight).clamp_min(SMALLEST_SCALE))

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight / by_channel(self.pace * self.unit, weight)

    def forward(self, latent: Tensor) -> Tensor:
        return scaled_signs(latent * by_channel(self.pace * self.unit, latent))

    @torch.no_grad()
    def encoding(self, latent: Tensor) -> Binary:
        weight = latent * by_channel(self.pace * self.unit, latent)
        scale = binary_scale(weight).clamp_min(SMALLEST_SCALE)
        return Binary((weight >= 0).cpu().numpy(), scale.cpu().numpy().astype(np.float32))


@dataclass(frozen=True)
class BWN(LatentTraining):
    """Stores the weights of all conv and linear layers but the first, the last and the depthwise as ±α."""

    def latent(self, weight: Tensor) -> ScaledSigns:
        return ScaledSigns(weight, self.pace)


class InputScale(nn.Module):
    """K of maps `[N, C, H, W]` for a convolution of one group: the mean of |X| over what each of its results reads, `[N, 1, H', W']`;
    padding counts as what it is to the convolution, as 0 or as what its `padding_mode` takes."""

    kernel: Tensor

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.stride, self.padding, self.dilation = convolution.stride, convolution.padding, convolution.dilation
        self.padding_mode, self.margins = convolution.padding_mode, margins(convolution)
        # A and k in one kernel, so that it converts as one convolution: the mean over C channels and w·h places.
        kernel = torch.ones(1, *convolution.weight.shape[1:])
        self.register_buffer("kernel", kernel / kernel.numel())

    def forward(self, x: Tensor) -> Tensor:
        if self.padding_mode == "zeros":
            return functional.conv2d(x.abs(), self.kernel, None, self.stride, self.padding, self.dilation)
        padded = functional.pad(x.abs(), self.margins, self.padding_mode)
        return functional.conv2d(padded, self.kernel, None, self.stride, 0, self.dilation)


@dataclass(frozen=True)
class XNOR(LatentTraining):
    """Stores the weights of all full convolutions but the first and the last as ±α, and makes what they read signs, times K
    afterwards. Grouped and depthwise convolutions and linear layers stay floats, and read floats. The batch norm behind K stays
    where it is, as a product and a sum: FoldBatchNorm cannot fold through K."""

    def latent(self, weight: Tensor) -> ScaledSigns:
        return ScaledSigns(weight, self.pace)

    def chosen(self, net: nn.Module) -> tuple[WeightedLayer, ...]:
        return full_convolutions(net)

    def _with_layers(self, net: nn.Module) -> nn.Module:
        made = graph_of(net)
        for layer in self.chosen(net):
            _move_bias(made, layer)
        for name, convolution, node in binary_inputs(made, self.chosen(net)):
            _scale_results(made, name, node, InputScale(convolution))
            read_signs(made, name, node, BinaryActivation(convolution.in_channels))
        return cleaned(made)


@torch.no_grad()
def _move_bias(net: fx.GraphModule, layer: WeightedLayer) -> None:
    """Takes, in place, the bias of a convolution into the batch norm behind it: K is to multiply the signs' results alone.

    Error: ToolchainError where there is a bias and no batch norm.
    """
    convolution = net.get_submodule(layer.name)
    assert isinstance(convolution, nn.Conv2d)
    if convolution.bias is None:
        return
    require_batch_norm("XNOR", net, [layer])
    norm = net.get_submodule(norms_behind(net)[layer.name])
    if isinstance(norm.running_mean, Tensor):  # without statistics of its own it takes a batch's mean, and any bias with it
        norm.running_mean -= convolution.bias
    set_module(net, layer.name, with_parameters(convolution, convolution.weight.detach(), None))


def _scale_results(net: fx.GraphModule, name: str, node: fx.Node, scale: InputScale) -> None:
    """Multiplies, in place, what the convolution `name` at `node` gives by K of what it reads."""
    set_module(net, f"{name}_scale", scale)
    with net.graph.inserting_after(node):
        product = net.graph.call_function(operator.mul, (node, node))
    with net.graph.inserting_before(product):
        factor = net.graph.call_module(f"{name}_scale", (node.args[0],))
    node.replace_all_uses_with(product, delete_user_cb=lambda user: user is not product)
    product.args = (node, factor)
