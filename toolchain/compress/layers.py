"""Which layers of a net carry the weights that are encoded, in the order in which the net runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from toolchain.backbones.prelu import PReLU
from toolchain.compress.fold_batch_norm import graph_of
from toolchain.errors import ToolchainError

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
LARGEST_HALF = 65504.0


@dataclass(frozen=True)
class WeightedLayer:
    """A convolution or linear layer by its name in the net."""

    name: str
    depthwise: bool
    """A convolution that reads one channel for each that it makes."""

    @property
    def weight(self) -> str:
        """The name of its weight in the state dict."""
        return f"{self.name}.weight"


def weighted_layers(net: nn.Module) -> tuple[WeightedLayer, ...]:
    """The conv and linear layers of `net`, first to last as the net runs them, each once.

    Error: ToolchainError where torch.fx cannot trace the net.
    """
    graph_net = graph_of(net)
    modules = dict(graph_net.named_modules())
    called = dict.fromkeys(str(node.target) for node in graph_net.graph.nodes if node.op == "call_module")
    found = ((name, modules[name]) for name in called)
    return tuple(
        WeightedLayer(name, isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1)
        for name, layer in found
        if isinstance(layer, nn.Conv2d | nn.Linear)
    )


def refuse_batch_norm(stage: str, net: nn.Module, layers: Sequence[WeightedLayer]) -> None:
    """Error: ToolchainError where a batch norm reads one of `layers`: the converter would fold it into the encoded weight."""
    graph_net = graph_of(net)
    modules = dict(graph_net.named_modules())
    names = {layer.name for layer in layers}
    for node in graph_net.graph.nodes:
        if node.op == "call_module" and isinstance(modules[node.target], _NORMS) and str(node.args[0].target) in names:
            followed = f"{node.args[0].target} is followed by the batch norm {node.target}"
            raise ToolchainError(f"{stage}: {followed}; put FoldBatchNorm() before {stage}()")


def margins(layer: nn.Conv2d) -> list[int]:
    """How far `layer` pads its inputs on each side, however it states it, as torch's `pad` takes it: the last axis first."""
    sides: list[int] = []
    for axis in (1, 0):
        if isinstance(layer.padding, str):
            both = layer.dilation[axis] * (layer.kernel_size[axis] - 1) if layer.padding == "same" else 0
            sides += [both // 2, both - both // 2]
        else:
            sides += [layer.padding[axis]] * 2
    return sides


def parametrization(net: nn.Module, layer: WeightedLayer) -> tuple[nn.Module, Tensor]:
    """The parametrization of the layer's weight and the latent weights that it reads."""
    at = f"{layer.name}.parametrizations.weight"
    return net.get_submodule(f"{at}.0"), net.get_parameter(f"{at}.original").detach()


@torch.no_grad()
def use_fast_prelu(net: nn.Module, images: Tensor) -> None:
    """Swaps, in place, torch's PReLU for this project's, whose gradient is three times faster, wherever it sees maps
    `[N, C, H, W]` with a slope a channel. Names and values of the state dict stay. `images`: any input that the net takes."""
    ranks: dict[nn.Module, int] = {}
    slow = [module for module in net.modules() if type(module) is nn.PReLU and module.num_parameters > 1]
    hooks = [module.register_forward_pre_hook(lambda layer, seen: ranks.update({layer: seen[0].ndim})) for module in slow]
    net.eval()(images)
    for hook in hooks:
        hook.remove()
    for parent in list(net.modules()):
        for name, module in list(parent.named_children()):
            if ranks.get(module) == 4:
                assert isinstance(module, nn.PReLU)
                fast = PReLU(module.num_parameters)
                fast.weight = module.weight
                setattr(parent, name, fast)


def rounded_to_half(values: Tensor) -> Tensor:
    """float32 values that fp16 holds exactly, each the nearest; `values` as they are where one is beyond fp16's range.

    The packed file stores such a tensor in two bytes a value.
    """
    if values.dtype != torch.float32 or (values.numel() and float(values.abs().max()) > LARGEST_HALF):
        return values
    return values.half().float()
