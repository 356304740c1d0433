"""What a net costs: weights, parameters, multiply-adds and bytes, counted by forward hooks; TFLite's bytes and time, measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from toolchain.backbones import Backbone


@dataclass(frozen=True)
class Costs:
    """Counts of one net for one face.

    `weights`: values of convolution kernels and linear layers. `parameters`: all that is trained (batch norm's and biases too).
    `multiply_adds`: of convolutions and linear layers, one multiplication with its addition counted once; what batch norm,
    activations and poolings add is left out, as in the papers.
    """

    weights: int
    parameters: int
    multiply_adds: int

    @property
    def fp32_bytes(self) -> int:
        """Four bytes a parameter."""
        return 4 * self.parameters

    def with_classifier(self, dim: int, classes: int) -> Costs:
        """These costs and those of a linear classifier with biases behind an embedding of `dim` numbers."""
        return Costs(self.weights + dim * classes, self.parameters + (dim + 1) * classes, self.multiply_adds + dim * classes)


def count(net: nn.Module, height: int, width: int) -> Costs:
    """Counts `net` on one image `[1, 3, height, width]`; the net stays as it is."""
    weights = sum(layer.weight.numel() for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear))
    with torch.no_grad(), _evaluating(net), _counting(net) as counted:
        net(torch.zeros(1, 3, height, width, device=next(net.parameters()).device))
    return Costs(weights, sum(parameter.numel() for parameter in net.parameters()), sum(counted))


def count_backbone(backbone: Backbone) -> Costs:
    """Counts what `backbone` builds, on its own input."""
    with torch.random.fork_rng():
        return count(backbone.build(), backbone.input.height, backbone.input.width)


@contextmanager
def _evaluating(net: nn.Module) -> Iterator[None]:
    """Batch norm takes no single image in training, and must not learn from this one."""
    training = net.training
    net.eval()
    yield
    net.train(training)


@contextmanager
def _counting(net: nn.Module) -> Iterator[list[int]]:
    """The multiply-adds of each convolution and linear layer, as they run: results × kernel × inputs of a group."""
    counted: list[int] = []

    def hook(layer: nn.Module, inputs: tuple[Any, ...], result: Tensor) -> None:
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        counted.append(result[0].numel() * layer.weight[0].numel())

    hooks = [layer.register_forward_hook(hook) for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    try:
        yield counted
    finally:
        for item in hooks:
            item.remove()
