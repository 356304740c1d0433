"""BNN: weights and activations that are +1 or -1 (Hubara, Courbariaux, Soudry, El-Yaniv, Bengio, NeurIPS 2016).

Weights are those of BinaryConnect, without a scale. What a binary layer reads are signs too: deterministic, or while training drawn,
+1 with p = clip((x + 1) / 2, 0, 1) (section 1.1, equations 1 to 3; sign(0) = +1). The gradient goes straight through a sign and is
cancelled where |x| > 1 (section 1.3, equation 4). In front of a sign stands batch norm, and no other activation, as XNOR-Net orders it
too (section 3.2): a ReLU there would leave nothing but +1.

The first layer reads pixels and stays float, as the paper's does; so do, here, its weights and the last layer. A binary layer's padding
is 0, as the authors' own is, a third value.

As ordinary operations signs bring no speed: a .tflite has no XNOR convolution, so the layers run as float convolutions of ±1. What is
gained is the stored file, and the accuracy that special kernels would have. Near 0 a sign is another on another runtime, whose sums
differ in the last bit: judge such a net by the share of faces above a cosine (`SIGNS_AGREE`), not by its largest difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from toolchain.compress.binary_connect import PlainSigns, drawn_signs
from toolchain.compress.fold_batch_norm import graph_of, set_module
from toolchain.compress.latent_weights import LatentTraining, signs, with_gradient
from toolchain.compress.layers import WeightedLayer, weighted_layers
from toolchain.errors import ToolchainError
from toolchain.recipe import Gate

SIGNS_AGREE = Gate(share_above=(0.999, 0.95))
"""On VGG11, LiteRT against torch, 255 of 256 faces reached 0.9999 and one 0.9987 with XNOR, 0.9973 with BNN; deeper nets turn more."""

_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.PReLU, nn.LeakyReLU, nn.Hardswish)
_ACTIVATION_FUNCTIONS = (functional.relu, functional.relu6, functional.hardswish, torch.relu)
_POOLINGS = (nn.MaxPool2d, nn.AvgPool2d, nn.Dropout)


def binary_activation(values: Tensor, stochastic: bool = False) -> Tensor:
    """sign(x), or +1 by chance, and -1 else; the gradient is that of clip(x, -1, 1)."""
    value = drawn_signs(values.detach()) if stochastic else signs(values.detach())
    return with_gradient(value, values.clamp(-1, 1))


class BinaryActivation(nn.Module):
    """`binary_activation` of maps `[N, channels, H, W]`, drawn only while training.

    In evaluation mode it is clip(2 floor(x) + 1, -1, 1): +1 at 0 and NaN for NaN, of operations that every TFLite runtime has and
    XNNPACK runs, where TFLite's own sign gives 0 for 0. The affine part is a depthwise convolution, which converts whatever the map's
    shape; its gain and offset are part of the net's state, so that a net with signs is told from one without.
    """

    gain: Tensor
    offset: Tensor

    def __init__(self, channels: int, stochastic: bool = False) -> None:
        super().__init__()
        self.channels, self.stochastic = channels, stochastic
        self.register_buffer("gain", torch.full((channels, 1, 1, 1), 2.0))
        self.register_buffer("offset", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return binary_activation(x, self.stochastic)
        return functional.conv2d(x.floor(), self.gain, self.offset, groups=self.channels).clamp(-1, 1)


@dataclass(frozen=True)
class BNN(LatentTraining):
    """Stores the weights of all full convolutions but the first and the last as signs, and makes what they read signs. Grouped and
    depthwise convolutions and linear layers stay floats, and read floats."""

    stochastic: bool = False
    """Draw the activations' signs while training, in place of taking them."""

    def latent(self, weight: Tensor) -> PlainSigns:
        return PlainSigns(weight, self.pace)

    def chosen(self, net: nn.Module) -> tuple[WeightedLayer, ...]:
        return full_convolutions(net)

    def _with_layers(self, net: nn.Module) -> nn.Module:
        made = graph_of(net)
        for name, convolution, node in binary_inputs(made, self.chosen(net)):
            read_signs(made, name, node, BinaryActivation(convolution.in_channels, self.stochastic))
        return cleaned(made)


def full_convolutions(net: nn.Module) -> tuple[WeightedLayer, ...]:
    """The convolutions of one group but the first and the last of the net's layers."""
    inner = weighted_layers(net)[1:-1]
    modules = ((layer, net.get_submodule(layer.name)) for layer in inner)
    return tuple(layer for layer, module in modules if isinstance(module, nn.Conv2d) and module.groups == 1)


def binary_inputs(net: fx.GraphModule, layers: Sequence[WeightedLayer]) -> list[tuple[str, nn.Conv2d, fx.Node]]:
    """Takes the activation away, in place, that each of `layers`, called once each, reads through nothing but poolings, and gives
    (name, convolution, its node). Other layers go on reading what they read.

    Error: ToolchainError where a layer reads maps that cannot be negative in another way.
    """
    names = {layer.name for layer in layers}
    found = []
    for node in list(net.graph.nodes):
        if node.op == "call_module" and node.target in names:
            convolution = net.get_submodule(str(node.target))
            assert isinstance(convolution, nn.Conv2d)
            node.update_arg(0, _before_activation(net, node))
            found.append((str(node.target), convolution, node))
    return found


def read_signs(net: fx.GraphModule, name: str, node: fx.Node, activation: nn.Module) -> None:
    """Puts `activation`, in place, in front of the convolution `name` at `node`."""
    set_module(net, f"{name}_sign", activation)
    with net.graph.inserting_before(node):
        node.update_arg(0, net.graph.call_module(f"{name}_sign", (_read_by(node),)))


def cleaned(net: fx.GraphModule) -> fx.GraphModule:
    """`net`, without what is no longer used; activations that are left no longer write over what a sign may read."""
    net.graph.eliminate_dead_code()
    net.delete_all_unused_submodules()
    for module in net.modules():
        if isinstance(module, _ACTIVATIONS) and getattr(module, "inplace", False):
            module.inplace = False
    net.recompile()
    return net


def _before_activation(net: fx.GraphModule, node: fx.Node) -> fx.Node:
    """What the convolution at `node` reads, less the activation: with the poolings between, if any, made again."""
    source, poolings = _read_by(node), []
    while _is_a(net, source, _POOLINGS):
        poolings.append(source)
        source = _read_by(source)
    if not _is_activation(net, source):
        if (
            source.op == "call_function"
            and source.target is torch.cat
            and any(_is_activation(net, part) for part in source.all_input_nodes)
        ):
            helps = "signs of these are all +1: take a net whose layers follow each other or add maps"
            raise ToolchainError(f"{node.target}: expected an input that can be negative, got a concatenation of activations; {helps}")
        return _read_by(node)
    value = _read_by(source)
    for pooling in reversed(poolings):
        with net.graph.inserting_before(node):
            value = net.graph.call_module(str(pooling.target), (value,))
    return value


def _read_by(node: fx.Node) -> fx.Node:
    (source, *_) = node.all_input_nodes
    return source


def _is_activation(net: fx.GraphModule, node: fx.Node) -> bool:
    return _is_a(net, node, _ACTIVATIONS) or (node.op == "call_function" and node.target in _ACTIVATION_FUNCTIONS)


def _is_a(net: fx.GraphModule, node: fx.Node, kinds: tuple[type[nn.Module], ...]) -> bool:
    return node.op == "call_module" and isinstance(net.get_submodule(str(node.target)), kinds)
