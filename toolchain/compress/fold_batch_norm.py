"""Fold batch norm into the convolution or linear layer before it.

At inference batch norm is affine (Ioffe and Szegedy, ICML 2015, section 3.1): y = γ (x − μ) / √(σ² + ε) + β. After a
linear layer x = W u + b that is a linear layer again, W' = W · γ / √(σ² + ε) and b' = (b − μ) · γ / √(σ² + ε) + β per output channel.
What is encoded and stored must be what runs, and the converter folds in its own way, so folding comes before encoding.
"""

from __future__ import annotations

import copy
import operator
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from toolchain.errors import ToolchainError
from toolchain.model import Model
from toolchain.stage import Context, Stage

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_LINEAR = (nn.Conv2d, nn.Linear)


def folded(weight: Tensor, bias: Tensor | None, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """`(weight', bias')` of the layer that `norm` after (weight, bias) amounts to; `weight` has its outputs on axis 0.

    Computed in float64 and rounded once, so that folding costs half a unit in the last place of each weight.
    """
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ToolchainError("FoldBatchNorm: expected running statistics, got a batch norm without; build it with track_running_stats")
    gain = (variance.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        gain = gain * norm.weight.detach().double()
    shift = -mean.double() if bias is None else bias.detach().double() - mean.double()
    shift = shift * gain
    if norm.bias is not None:
        shift = shift + norm.bias.detach().double()
    scaled = weight.detach().double() * gain.reshape(-1, *[1] * (weight.ndim - 1))
    return scaled.to(weight.dtype), shift.to(weight.dtype)


class _Tracer(fx.Tracer):
    """Keeps every layer with parameters whole, subclasses outside torch.nn too: stages look for them."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (*_LINEAR, *_NORMS, nn.PReLU)) or super().is_leaf_module(m, module_qualified_name)


def graph_of(net: nn.Module) -> fx.GraphModule:
    """A copy of `net` as a graph of its layers, in evaluation mode. Error: ToolchainError where it cannot be traced."""
    net = copy.deepcopy(net).eval()
    if isinstance(net, fx.GraphModule):
        return net
    try:
        return fx.GraphModule(net, _Tracer().trace(net))
    except (fx.proxy.TraceError, TypeError) as error:
        raise ToolchainError(f"{type(net).__name__}: expected a net that torch.fx can trace, got: {str(error).splitlines()[0]}") from None


def fold_batch_norms(net: nn.Module) -> fx.GraphModule:
    """A copy of `net` in evaluation mode whose batch norms are folded wherever a conv or linear layer feeds one alone."""
    graph_net = graph_of(net)
    modules = dict(graph_net.named_modules())
    for node in list(graph_net.graph.nodes):
        if node.op != "call_module" or not isinstance(modules[node.target], _NORMS):
            continue
        source = node.args[0]
        if source.op != "call_module" or not isinstance(modules[source.target], _LINEAR) or len(source.users) != 1:
            continue
        if _calls(graph_net, source.target) != 1 or _calls(graph_net, node.target) != 1:
            continue  # a layer used twice cannot take on a norm that is used once
        layer, norm = modules[source.target], modules[node.target]
        assert isinstance(layer, nn.Conv2d | nn.Linear) and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
        modules[source.target] = _with(layer, *folded(layer.weight, layer.bias, norm))
        _set_module(graph_net, source.target, modules[source.target])
        node.replace_all_uses_with(source)
        graph_net.graph.erase_node(node)
    graph_net.delete_all_unused_submodules()
    graph_net.recompile()
    return graph_net


def _calls(net: fx.GraphModule, target: str) -> int:
    return sum(node.op == "call_module" and node.target == target for node in net.graph.nodes)


def _with(layer: nn.Conv2d | nn.Linear, weight: Tensor, bias: Tensor) -> nn.Module:
    """A plain layer of the same settings. Plain also where `layer` is of a subclass, whose forward may know no bias."""
    made: nn.Conv2d | nn.Linear
    if isinstance(layer, nn.Linear):
        made = nn.Linear(layer.in_features, layer.out_features)
    else:
        padding = layer.padding if isinstance(layer.padding, str) else _pair(layer.padding)
        made = nn.Conv2d(
            layer.in_channels,
            layer.out_channels,
            _pair(layer.kernel_size),
            _pair(layer.stride),
            padding,
            _pair(layer.dilation),
            layer.groups,
            padding_mode=layer.padding_mode,
        )
    made.weight = nn.Parameter(weight)
    made.bias = nn.Parameter(bias)
    return made.eval()


def _pair(size: tuple[int, ...]) -> tuple[int, int]:
    return size[0], size[1]


def _set_module(net: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(operator.attrgetter(parent)(net) if parent else net, last, module)


@dataclass(frozen=True)
class FoldBatchNorm(Stage):
    """Folds every batch norm that directly follows a conv or linear layer; others stay, and stay float."""

    def apply(self, model: Model, context: Context) -> Model:
        with torch.no_grad():
            return model.with_net(fold_batch_norms(model.net))
