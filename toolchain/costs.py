"""What a net costs: weights, parameters, multiply-adds and bytes, counted by forward hooks; TFLite's bytes and time, measured."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import toolchain.backbones
from toolchain.backbones import Backbone
from toolchain.convert.route import Onnx2Tf
from toolchain.errors import RecipeError
from toolchain.kept import KeptBytes, key_of
from toolchain.machine import conversion_versions, machine
from toolchain.model import Model
from toolchain.parity import host
from toolchain.stage import describe


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


@dataclass(frozen=True)
class Measured:
    """A freshly built net in TFLite: its fp32 file's bytes, how many parts of the graph XNNPACK runs (1: all of it in one), and the
    median milliseconds of one face on one thread of this machine."""

    tflite_bytes: int
    partitions: int | None
    milliseconds: float


_WARM, _TIMED = 5, 40


def measure(backbone: Backbone, cache: Path) -> Measured:
    """Converts what `backbone` builds, on drawn weights (time does not depend on their values), and times it with LiteRT. Conversion
    takes seconds; it and the result are kept in the folder `cache`. Errors: ConversionError."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Model(backbone.build().eval(), backbone.input)
    key = key_of(made="costs", backbone=describe(backbone), versions=conversion_versions(), machine=machine())

    def timed() -> bytes:
        tflite = Onnx2Tf(cache / "tflite").float32(model)
        return json.dumps(asdict(Measured(len(tflite), *_timed(tflite)))).encode()

    return Measured(**json.loads(KeptBytes(cache / "bytes").get(key, timed)))


def _timed(tflite: bytes) -> tuple[int | None, float]:
    """(partitions, median milliseconds)."""
    interpreter = host.LITERT.interpreter(tflite)
    source = interpreter.get_input_details()[0]
    interpreter.set_tensor(source["index"], np.random.default_rng(0).uniform(-1, 1, source["shape"]).astype(np.float32))
    times = []
    for _ in range(_WARM + _TIMED):
        start = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - start)
    return host.partitions(interpreter), float(np.median(times[_WARM:])) * 1e3


def backbones(names: tuple[str, ...] = ()) -> list[Backbone]:
    """The settings whose costs are told, of the backbones of these names or of all. Error: RecipeError for an unknown name."""
    known = {
        name: value
        for name, value in sorted(vars(toolchain.backbones).items())
        if inspect.isclass(value) and issubclass(value, Backbone) and not inspect.isabstract(value)
    }
    for name in names:
        if name not in known:
            raise RecipeError(f"{name}: no such backbone; expected some of {', '.join(known)}")
    return [settings for name in names or known for settings in known[name].sizes()]
