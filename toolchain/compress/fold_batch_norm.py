"""Fold batch norm into the convolution or linear layer before it.

At inference batch norm is affine (Ioffe and Szegedy, ICML 2015, section 3.1): y = γ (x − μ) / √(σ² + ε) + β. After a
linear layer x = W u + b that is a linear layer again, W' = W · γ / √(σ² + ε) and b' = (b − μ) · γ / √(σ² + ε) + β per output channel.
What is encoded and stored must be what runs, and the converter folds in its own way, so folding comes before encoding. Two
encodings of signs bear it: of weights α·sign(W), γ / √(σ² + ε) of an output channel goes into α, its sign into the channel's signs.
"""

from __future__ import annotations

import copy
import operator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, fx, nn

from toolchain.compress.clustering import SMALLEST_SCALE
from toolchain.encodings import Binary, Encoding, Ternary
from toolchain.errors import ToolchainError
from toolchain.model import Model
from toolchain.stage import Context, Stage, Trait

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_LINEAR = (nn.Conv2d, nn.Linear)


def folded(weight: Tensor, bias: Tensor | None, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """`(weight', bias')` of the layer that `norm` after (weight, bias) amounts to; `weight` has its outputs on axis 0.

    Computed in float64 and rounded once, so that folding costs half a unit in the last place of each weight.
    """
    factor, mean = gain(norm), norm.running_mean
    assert mean is not None  # where the variance is, the mean is too
    shift = -mean.double() if bias is None else bias.detach().double() - mean.double()
    shift = shift * factor
    if norm.bias is not None:
        shift = shift + norm.bias.detach().double()
    scaled = weight.detach().double() * factor.reshape(-1, *[1] * (weight.ndim - 1))
    return scaled.to(weight.dtype), shift.to(weight.dtype)


def gain(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> Tensor:
    """γ / √(σ² + ε) of each channel, float64 `[C]`. Error: ToolchainError for a norm without running statistics."""
    if norm.running_mean is None or norm.running_var is None:
        raise ToolchainError("FoldBatchNorm: expected running statistics, got a batch norm without; build it with track_running_stats")
    factor = (norm.running_var.double() + norm.eps).rsqrt()
    return factor if norm.weight is None else factor * norm.weight.detach().double()


def folded_signs(signs: Binary, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> Binary:
    """What `norm` makes of ±α: the scale α·|γ| / √(σ² + ε), as the nearest value that fp16 holds (the packed file stores two
    bytes then), and the other signs where γ < 0. A channel that is switched off keeps fp16's least scale: runtimes refuse 0."""
    factor = gain(norm).cpu().numpy()
    flipped = (factor < 0).reshape(-1, *[1] * (signs.positive.ndim - 1))
    return Binary(signs.positive ^ flipped, _folded_scale(signs.scale, factor))


def folded_ternary(weights: Ternary, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> Ternary:
    """The same of -W_n, 0 and +W_p; where γ < 0 a channel's W_n and W_p change places too."""
    factor = gain(norm).cpu().numpy()
    flipped = factor < 0
    negative, positive = np.where(flipped, (weights.positive, weights.negative), (weights.negative, weights.positive))
    turned = np.where(flipped.reshape(-1, *[1] * (weights.signs.ndim - 1)), -weights.signs, weights.signs)
    return Ternary(turned, negative, positive, _folded_scale(weights.scale, factor))


def _folded_scale(scale: npt.NDArray[np.float32], factor: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    folded = (scale * np.abs(factor)).astype(np.float32)
    if folded.max() <= np.finfo(np.float16).max:
        folded = folded.astype(np.float16).astype(np.float32)
    return np.maximum(folded, np.float32(SMALLEST_SCALE))


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


def norms_behind(net: fx.GraphModule) -> dict[str, str]:
    """By the name of each conv or linear layer that feeds one batch norm and nothing else, the name of that norm."""
    modules = dict(net.named_modules())
    found = {}
    for node in net.graph.nodes:
        if node.op != "call_module" or not isinstance(modules[node.target], _NORMS):
            continue
        source = node.args[0]
        if source.op != "call_module" or not isinstance(modules[source.target], _LINEAR) or len(source.users) != 1:
            continue
        if calls(net, source.target) == 1 and calls(net, node.target) == 1:  # one used twice cannot take on a norm that is used once
            found[source.target] = node.target
    return found


def fold_batch_norms(net: nn.Module) -> fx.GraphModule:
    """A copy of `net` in evaluation mode whose batch norms are folded wherever a conv or linear layer feeds one alone."""
    graph_net = graph_of(net)
    sources = {norm: source for source, norm in norms_behind(graph_net).items()}
    for node in list(graph_net.graph.nodes):
        if node.op != "call_module" or node.target not in sources:
            continue
        source = sources[node.target]
        layer, norm = graph_net.get_submodule(source), graph_net.get_submodule(node.target)
        assert isinstance(layer, nn.Conv2d | nn.Linear) and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
        set_module(graph_net, source, with_parameters(layer, *folded(layer.weight, layer.bias, norm)))
        node.replace_all_uses_with(node.args[0])
        graph_net.graph.erase_node(node)
    graph_net.delete_all_unused_submodules()
    graph_net.recompile()
    return graph_net


def calls(net: fx.GraphModule, target: str) -> int:
    """How often the module of that name is used."""
    return sum(node.op == "call_module" and node.target == target for node in net.graph.nodes)


def with_parameters(layer: nn.Conv2d | nn.Linear, weight: Tensor, bias: Tensor | None) -> nn.Module:
    """A plain layer of the same settings, in evaluation mode. Plain also where `layer` is of a subclass, whose forward may know no bias."""
    made: nn.Conv2d | nn.Linear
    if isinstance(layer, nn.Linear):
        made = nn.Linear(layer.in_features, layer.out_features, bias is not None)
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
            bias is not None,
            padding_mode=layer.padding_mode,
        )
    made.weight = nn.Parameter(weight)
    if bias is not None:
        made.bias = nn.Parameter(bias)
    return made.eval()


def _pair(size: tuple[int, ...]) -> tuple[int, int]:
    return size[0], size[1]


def set_module(net: nn.Module, name: str, module: nn.Module) -> None:
    """Puts `module` where `net` has, or is to have, one of that name."""
    parent, _, last = name.rpartition(".")
    setattr(operator.attrgetter(parent)(net) if parent else net, last, module)


@dataclass(frozen=True)
class FoldBatchNorm(Stage):
    """Folds every batch norm that directly follows a conv or linear layer; others stay, and stay float. Binary and
    ternary encodings are kept, with scales that fp16 holds; a weight of another encoding loses it."""

    takes: ClassVar[frozenset[Trait]] = frozenset({Trait.BATCH_NORM})

    def transform(self, model: Model, context: Context) -> Model:
        with torch.no_grad():
            kept: dict[str, Tensor | Encoding] = {}
            for layer, norm in norms_behind(graph_of(model.net)).items():
                encoding, behind = model.encodings.get(f"{layer}.weight"), model.net.get_submodule(norm)
                assert isinstance(behind, nn.BatchNorm1d | nn.BatchNorm2d)
                if isinstance(encoding, Binary):
                    kept[f"{layer}.weight"] = folded_signs(encoding, behind)
                elif isinstance(encoding, Ternary):
                    kept[f"{layer}.weight"] = folded_ternary(encoding, behind)
            return model.with_net(fold_batch_norms(model.net)).with_weights(kept)
