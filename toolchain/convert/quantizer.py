"""ai-edge-quantizer behind two functions: dynamic range and static int8, from and to plain .tflite bytes."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from ai_edge_quantizer import qtyping
from ai_edge_quantizer.quantizer import Quantizer

from toolchain.convert import flatbuffer
from toolchain.errors import ConversionError

_Operation = qtyping.TFLOperationName
_NOT_QUANTIZED = "no_quantize"
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_WEIGHT_INPUT = 1  # of the operators above: input, weight, bias


def dynamic_range(tflite: bytes, operations: Collection[str]) -> bytes:
    """Int8 weights for the operations of the given TFLite names; the runtime quantizes their inputs as they come, and
    everything else stays float.

    Convolutions get a scale per channel. Linear layers get one per tensor: runtimes before TFLite 2.16 ignore all but the
    first scale there and give wrong embeddings (2.14: cosine -0.2), silently; it costs nothing that was measurable.
    """
    quantizer = Quantizer(tflite)
    for name in operations:
        per_channel = name != _Operation.FULLY_CONNECTED.value
        granularity = qtyping.QuantGranularity.CHANNELWISE if per_channel else qtyping.QuantGranularity.TENSORWISE
        quantizer.add_dynamic_config(".*", _Operation(name), 8, granularity)
    with _quiet():
        return flatbuffer.plain(bytes(quantizer.quantize(enable_progress_report=False).quantized_model))


def static_int8(tflite: bytes, ranges: Mapping[str, tuple[float, float]], keep_float: Collection[str]) -> bytes:
    """Int8 weights (a scale per channel) and activations (a scale per tensor, from `ranges` by tensor name).

    Float stay: the net's input and output, operations that have no int8 form (PReLU), and the operations that make the
    tensors named in `keep_float`. Error: ConversionError where a range is missing or not finite, or a name unknown.
    """
    model = flatbuffer.read(tflite)
    made = activations(model)
    unknown = sorted(set(keep_float) - set(made))
    if unknown:
        raise ConversionError(f"keep_float: no operation makes {', '.join(unknown)}; tensors are named like {made[1]}")
    quantizer = Quantizer(tflite)
    quantizer.add_static_config(".*", _Operation.ALL_SUPPORTED, 8, 8, qtyping.QuantGranularity.CHANNELWISE)
    for edge in (_Operation.INPUT, _Operation.OUTPUT):
        quantizer.update_quantization_recipe(".*", edge, algorithm_key=_NOT_QUANTIZED)
    for name in keep_float:
        # The quantizer matches the names of all results of an operation, each with a semicolon behind it.
        quantizer.update_quantization_recipe(f"^{re.escape(name)};", _Operation.ALL_SUPPORTED, algorithm_key=_NOT_QUANTIZED)
    with _quiet():
        result = quantizer.quantize(_statistics(model, made, ranges), enable_progress_report=False)
    return flatbuffer.plain(bytes(result.quantized_model))


def activations(model: flatbuffer.Model) -> list[str]:
    """Names of the input and of every operator's results, in execution order."""
    graph = model.subgraphs[0]
    indices = [int(graph.inputs[0])] + [int(index) for operator in graph.operators for index in operator.outputs]
    return [_text(graph.tensors[index].name) for index in indices]


def weighted(tflite: bytes) -> dict[str, int]:
    """By the name of the result of every convolution and linear layer, in execution order, how many weights the layer has."""
    model = flatbuffer.read(tflite)
    made = [(kind, operator) for kind, operator in flatbuffer.operations(model) for _ in operator.outputs]
    tensors = model.subgraphs[0].tensors
    return {
        name: int(np.prod(tensors[int(operator.inputs[_WEIGHT_INPUT])].shape))
        for (kind, operator), name in zip(made, activations(model)[1:], strict=True)
        if kind in _WEIGHTED
    }


def _statistics(model: flatbuffer.Model, made: list[str], ranges: Mapping[str, tuple[float, float]]) -> dict[str, dict[str, Any]]:
    """The form in which ai-edge-quantizer keeps a calibration: arrays of the tensor's rank and one value."""
    ranks = {_text(tensor.name): max(1, len(tensor.shape)) for tensor in model.subgraphs[0].tensors}
    statistics = {}
    for name in made:
        low, high = ranges.get(name, (np.nan, np.nan))
        if not (np.isfinite(low) and np.isfinite(high) and low <= high):
            got = ranges.get(name, "none")
            raise ConversionError(f"{name}: expected a finite range of activations, got {got}; calibrate this very model with Calibrate()")
        shape = (1,) * ranks[name]
        statistics[name] = {"min": np.full(shape, low, np.float32), "max": np.full(shape, high, np.float32)}
    return statistics


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantizer draws progress bars and its interpreter warns of memory; neither is of use here."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
