"""Equalize the channels of every feature map, so that one scale for a whole map wastes few of int8's 256 steps.

Cross-layer equalization (Nagel, van Baalen, Blankevoort, Welling, "Data-Free Quantization Through Weight Equalization and
Bias Correction", ICCV 2019, section 4.1): for f(s x) = s f(x), s > 0 (ReLU, PReLU), channel c of a map can be divided by s_c
where it is made and multiplied by s_c where it is read. Two choices differ from the paper:

- s_c comes from the map's measured range r_c and the largest weight w_c that reads the channel, each filter scaled to a
  largest weight of 1: s_c ∝ r_c^b · w_c^(b-1) with the balance b (SmoothQuant, Xiao et al., ICML 2023, equation 4, the same
  trade between activations and weights). Where only depthwise convolutions read the map, s_c ∝ r_c: their weights have a
  scale of their own in each channel, so that equal ranges cost nothing.
- Every map that an addition ties to others (residual streams) takes part, all with one s.

On a MobileFaceNet with PReLU this takes the mean cosine of static int8 to fp32 from 0.973 to 0.995.
s is not rounded to powers of two: that would keep the float net's bits, but cost a fifth more int8 error on a MobileFaceNet
with PReLU (1 - mean cosine 0.0058 against 0.0047).
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, fx, nn

from toolchain.compress.fold_batch_norm import calls, graph_of
from toolchain.errors import RecipeError
from toolchain.model import Model, to_input
from toolchain.stage import Context, Stage, Trait

_LARGEST_SCALE = 64.0  # a channel that hardly ever fires must not take all of a weight's precision
_BATCH = 32


def channel_scales(ranges: Tensor, weights: Tensor, balance: float) -> Tensor:
    """s `[C]`, of geometric mean about 1: ranges^balance * weights^(balance - 1).

    `ranges` `[C]`: largest magnitude of each channel; `weights` `[C]`: largest relative weight that reads it, all zero where
    only depthwise convolutions do.
    """
    floor = float(ranges.max()) / _LARGEST_SCALE**2
    scales = ranges.clamp_min(floor if floor > 0 else 1.0)
    if weights.max() > 0:
        scales = scales**balance * weights.clamp_min(float(weights.max()) / _LARGEST_SCALE**2) ** (balance - 1)
    scales = scales / scales.log().mean().exp()
    return scales.clamp(1 / _LARGEST_SCALE, _LARGEST_SCALE)


class _Maps:
    """Which feature maps of a graph share their channels' scale: sets of nodes, kept by union and find."""

    def __init__(self, net: fx.GraphModule, ranks: dict[fx.Node, int]) -> None:
        self.modules = dict(net.named_modules())
        self.nodes = list(net.graph.nodes)
        self._net = net
        self._parent: dict[fx.Node, fx.Node] = {}
        self._fixed: set[fx.Node] = set()
        for node in self.nodes:
            self._add(node, ranks)
        roots = {self.root(node) for node in self._fixed}
        self.free = sorted({self.root(node) for node in self.nodes} - roots, key=self.nodes.index)

    def root(self, node: fx.Node) -> fx.Node:
        while (parent := self._parent.setdefault(node, node)) is not node:
            node = parent
        return node

    def layer(self, node: fx.Node) -> nn.Module | None:
        return self.modules.get(str(node.target)) if node.op == "call_module" else None

    def _add(self, node: fx.Node, ranks: dict[fx.Node, int]) -> None:
        layer = self.layer(node)
        if isinstance(layer, nn.Conv2d | nn.Linear) and self._can_be_rescaled(node, layer, ranks):
            return
        if _keeps_scale(node, layer, ranks):
            for source in node.all_input_nodes:
                self._parent[self.root(source)] = self.root(node)
        else:  # input, output, and whatever is not known to pass a channel's scale on
            self._fixed.update((node, *node.all_input_nodes))

    def _can_be_rescaled(self, node: fx.Node, layer: nn.Conv2d | nn.Linear, ranks: dict[fx.Node, int]) -> bool:
        """Whether the layer's weight can make up for scales of its own of what it reads and of what it gives."""
        if calls(self._net, str(node.target)) > 1:  # one weight cannot follow the scales of several maps
            return False
        if isinstance(layer, nn.Linear):
            return ranks.get(node.all_input_nodes[0]) == 2
        return layer.groups == 1 or is_depthwise(layer)


def is_depthwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels == layer.out_channels


def _keeps_scale(node: fx.Node, layer: nn.Module | None, ranks: dict[fx.Node, int]) -> bool:
    """Whether dividing channel c of all inputs by s_c > 0 divides channel c of the result by s_c."""
    if isinstance(layer, nn.ReLU | nn.PReLU | nn.Identity | nn.Dropout):
        return True
    if node.op == "call_function" and node.target in (operator.add, operator.iadd, torch.add):
        # of two maps of one rank: adding a constant or a number would change by 1/s
        return len(node.all_input_nodes) == 2 and len({ranks.get(source) for source in node.all_input_nodes}) == 1
    return False


class _Ranges(fx.Interpreter):
    """Runs the net and keeps the largest magnitude of every channel of every map, and each result's rank."""

    def __init__(self, net: fx.GraphModule) -> None:
        super().__init__(net)
        self.largest: dict[fx.Node, Tensor] = {}
        self.ranks: dict[fx.Node, int] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor) and n.op != "get_attr":
            self.ranks[n] = result.ndim
            if result.ndim in (2, 4):
                largest = result.abs().transpose(0, 1).flatten(1).amax(1)
                self.largest[n] = torch.maximum(self.largest.get(n, largest), largest)
        return result


@torch.no_grad()
def equalized(net: nn.Module, images: Tensor, balance: float) -> fx.GraphModule:
    """A copy of `net` (batch norm folded) that computes the same, up to rounding, from equalized feature maps. `images` are float
    `[N, 3, H, W]` in the range of the net's input."""
    graph_net = graph_of(net)
    ranges = _Ranges(graph_net)
    for start in range(0, len(images), _BATCH):
        ranges.run(images[start : start + _BATCH])
    maps = _Maps(graph_net, ranges.ranks)
    for root in maps.free:
        members = [node for node in maps.nodes if maps.root(node) is root]
        largest = torch.stack([ranges.largest[node] for node in members]).amax(0)
        scales = channel_scales(largest, _reading_weights(maps, root, len(largest)), balance)
        for reader in _readers(maps, root):
            reader.weight.mul_(_along(scales, reader.weight, 0 if is_depthwise(reader) else 1))
        for node in members:
            layer = maps.layer(node)
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.div_(_along(scales, layer.weight, 0))
                if layer.bias is not None:
                    layer.bias.div_(scales)
    return graph_net


def _readers(maps: _Maps, root: fx.Node) -> Iterator[nn.Conv2d | nn.Linear]:
    for node in maps.nodes:
        layer = maps.layer(node)
        if isinstance(layer, nn.Conv2d | nn.Linear) and maps.root(node.all_input_nodes[0]) is root:
            yield layer


def _reading_weights(maps: _Maps, root: fx.Node, channels: int) -> Tensor:
    """The largest weight `[C]` that reads each channel, every filter scaled to a largest weight of 1; zero for depthwise."""
    largest = torch.zeros(channels)
    for layer in _readers(maps, root):
        if not is_depthwise(layer):
            weight = layer.weight.abs().flatten(2) if layer.weight.ndim == 4 else layer.weight.abs().unsqueeze(2)  # [O, I, k*k]
            relative = weight / weight.amax((1, 2), keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)
            largest = torch.maximum(largest, relative.amax((0, 2)).cpu())
    return largest


def _along(scales: Tensor, weight: Tensor, axis: int) -> Tensor:
    shape = [1] * weight.ndim
    shape[axis] = -1
    return scales.to(weight.device).reshape(shape)


@dataclass(frozen=True)
class Equalize(Stage):
    """Rescales channels so that int8 activations lose less; the float net computes the same, up to rounding."""

    trains: ClassVar[bool] = True
    refuses: ClassVar[Mapping[Trait, str]] = {
        Trait.BATCH_NORM: "maps before a batch norm have no scale of their own; put FoldBatchNorm() before Equalize()",
        Trait.ENCODED: "rescaling changes every weight; put Equalize() before what encodes",
    }

    faces: int = 256
    """How many training faces the ranges are measured on."""
    balance: float = 0.5
    """0: only weights count; 1: only activations."""

    def __post_init__(self) -> None:
        if self.faces < 1 or not 0 <= self.balance <= 1:
            raise RecipeError(f"Equalize: expected faces >= 1 and balance in 0..1, got {self.faces} and {self.balance}")

    def transform(self, model: Model, context: Context) -> Model:
        faces = context.training_faces("Equalize")
        rows = torch.randperm(len(faces), generator=context.generator("Equalize"))[: self.faces].sort().values
        images = torch.from_numpy(faces.images[rows.numpy()]).permute(0, 3, 1, 2)
        net = equalized(model.net.cpu(), to_input(images, model.input), self.balance)
        changed = {name: tensor for name, tensor in net.state_dict().items() if not torch.equal(tensor, model.net.state_dict()[name].cpu())}
        return model.with_weights(changed)
