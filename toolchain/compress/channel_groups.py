"""Which channels of a net stand or fall together, and nets with some of their channels only.

A channel of a map runs through every layer that treats channels one by one (batch norm, activations, pooling, depthwise
convolutions), and an addition ties it to the channel of the same number on the other side. All of them make a group: what is left
out of one is left out of all, so that residual and depthwise layers stay consistent.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx, nn

from toolchain.compress.fold_batch_norm import graph_of
from toolchain.errors import RecipeError

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
# One channel in, the same channel out. Of Flatten and AdaptiveAvgPool2d this holds for maps of 1×1 and to such maps, which is all that
# backbones use them for; a linear layer behind a larger map is told by its size.
_CHANNELWISE_LAYERS = (
    nn.ReLU,
    nn.ReLU6,
    nn.Hardswish,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.Dropout,
    nn.Identity,
    nn.Flatten,
)
_CHANNELWISE_CALLS = (torch.flatten, nn.functional.relu, "flatten")
_ADDITIONS = (operator.add, operator.iadd, torch.add)


@dataclass(frozen=True)
class Axis:
    """`tensor` of the state dict has a group's channels on this `axis`."""

    tensor: str
    axis: int


@dataclass(frozen=True)
class ChannelGroup:
    """`size` channels that stand or fall together: where they lie, and the gains γ of the batch norms on their way."""

    size: int
    axes: tuple[Axis, ...]
    gains: tuple[str, ...]


@dataclass
class _Found:
    """A group in the making; `open`: none of its channels is a colour of the image or a number of the embedding."""

    axes: list[Axis] = field(default_factory=list)
    gains: list[str] = field(default_factory=list)
    open: bool = True


def channel_groups(net: nn.Module) -> tuple[ChannelGroup, ...]:
    """The groups of `net` in the order in which it makes them, without the image's colours and the embedding's numbers, which are what
    they are. Error: RecipeError for a layer of which it is not known what it does to channels; ToolchainError where torch.fx cannot
    trace the net."""
    graph_net = graph_of(net)
    walk = _Walk(graph_net)
    for node in graph_net.graph.nodes:
        walk.step(node)
    state = net.state_dict()
    groups = []
    for found in dict.fromkeys(walk.of_node.values()):
        group = walk.groups[found]
        if not group.open or not group.axes:
            continue
        sizes = {int(state[item.tensor].shape[item.axis]) for item in group.axes}
        if len(sizes) != 1:
            names = ", ".join(sorted({item.tensor for item in group.axes}))
            raise RecipeError(f"{type(net).__name__}: expected one number of channels in {names}, got {sorted(sizes)}")
        groups.append(ChannelGroup(sizes.pop(), tuple(dict.fromkeys(group.axes)), tuple(dict.fromkeys(group.gains))))
    return tuple(groups)


class _Walk:
    """Goes through a net in the order in which it runs and says of each result which group its channels are of."""

    def __init__(self, graph_net: fx.GraphModule) -> None:
        self.net = type(graph_net).__name__
        self.modules = dict(graph_net.named_modules())
        self.groups: list[_Found] = []
        self.of_node: dict[fx.Node, int] = {}

    def step(self, node: fx.Node) -> None:
        """Takes in one node."""
        if node.op == "placeholder":
            self.of_node[node] = self._new(open=False)
        elif node.op == "output":
            self.groups[self._source(node)].open = False
        elif node.op == "call_module":
            self.of_node[node] = self._layer(str(node.target), self._source(node))
        elif node.target in _ADDITIONS and all(isinstance(item, fx.Node) for item in node.args):
            self.of_node[node] = self._tied(node)
        elif node.target in _CHANNELWISE_CALLS:
            self.of_node[node] = self._source(node)
        else:
            raise self._unknown(str(node.target))

    def _source(self, node: fx.Node) -> int:
        source = node.args[0]
        if not isinstance(source, fx.Node):
            raise self._unknown(str(node.target))
        return self.of_node[source]

    def _new(self, open: bool = True) -> int:
        self.groups.append(_Found(open=open))
        return len(self.groups) - 1

    def _layer(self, name: str, group: int) -> int:
        """The group of what the layer gives, where `group` is that of what it takes."""
        layer = self.modules[name]
        if isinstance(layer, nn.Conv2d | nn.Linear):
            return self._weighted(name, layer, group)
        if isinstance(layer, _NORMS):
            here = self.groups[group]
            here.axes += [Axis(f"{name}.{item}", 0) for item in ("weight", "bias", "running_mean", "running_var")]
            here.gains.append(f"{name}.weight")
        elif isinstance(layer, nn.PReLU):
            if layer.num_parameters > 1:
                self.groups[group].axes.append(Axis(f"{name}.weight", 0))
        elif not isinstance(layer, _CHANNELWISE_LAYERS):
            raise self._unknown(f"{name} ({type(layer).__name__})")
        return group

    def _weighted(self, name: str, layer: nn.Conv2d | nn.Linear, group: int) -> int:
        made = [Axis(f"{name}.{item}", 0) for item in ("weight", "bias") if getattr(layer, item) is not None]
        groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
        if groups == 1:
            self.groups[group].axes.append(Axis(f"{name}.weight", 1))
            group = self._new()
        elif not groups == layer.weight.shape[0] == layer.in_channels:
            raise self._unknown(f"{name} (a convolution of {groups} groups)")
        self.groups[group].axes += made
        return group

    def _tied(self, node: fx.Node) -> int:
        """The one group that the two sides of an addition make."""
        first, second = (self.of_node[item] for item in node.args if isinstance(item, fx.Node))
        if first == second:
            return first
        kept, gone = self.groups[first], self.groups[second]
        kept.axes += gone.axes
        kept.gains += gone.gains
        kept.open &= gone.open
        for other, group in self.of_node.items():
            if group == second:
                self.of_node[other] = first
        return first

    def _unknown(self, what: str) -> RecipeError:
        return RecipeError(
            f"{self.net}: {what}: not known what it does to channels; choose a net of convolutions, batch norms and additions"
        )


def kept_channels(group: ChannelGroup, utilisation: float) -> int:
    """How many of a group's channels a level of `utilisation` (0 to 1) keeps: the nearest whole number, at least one."""
    return max(1, round(utilisation * group.size))


def with_channels(net: nn.Module, chosen: Sequence[tuple[ChannelGroup, Tensor]]) -> nn.Module:
    """A copy of `net` with, of each group, the channels of these numbers (int64 `[K]`, K at least 1), in this order."""
    made = copy.deepcopy(net)
    for name, axes in _by_tensor(chosen).items():
        owner, _, item = name.rpartition(".")
        module = made.get_submodule(owner)
        old = getattr(module, item)
        new = old.detach()
        for axis, rows in axes.items():
            new = new.index_select(axis, rows.to(new.device))
        setattr(module, item, nn.Parameter(new, requires_grad=old.requires_grad) if isinstance(old, nn.Parameter) else new)
        _restate(module)
    return made


def prefix(tensors: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of each tensor of `like` the first rows, columns, … of the tensor of that name in `tensors`, as many as `like` has: views."""
    return {name: tensors[name][tuple(slice(size) for size in wanted.shape)] for name, wanted in like.items()}


def _by_tensor(chosen: Sequence[tuple[ChannelGroup, Tensor]]) -> dict[str, dict[int, Tensor]]:
    result: dict[str, dict[int, Tensor]] = {}
    for group, rows in chosen:
        for item in group.axes:
            result.setdefault(item.tensor, {})[item.axis] = rows
    return result


def _restate(module: nn.Module) -> None:
    """A layer's own statement of its sizes, after its tensors changed."""
    if isinstance(module, nn.Conv2d):
        outputs, inputs = int(module.weight.shape[0]), int(module.weight.shape[1])
        if module.groups > 1:
            module.groups = inputs = outputs
        module.out_channels, module.in_channels = outputs, inputs
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, _NORMS):
        module.num_features = len(module.weight)
    elif isinstance(module, nn.PReLU):
        module.num_parameters = len(module.weight)
