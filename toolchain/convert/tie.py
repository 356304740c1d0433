"""Ties every encoded tensor of a model to its place in the .tflite, by content.

On the way from torch to TFLite layouts change and tensors lose their names, so nothing but the values says which buffer
holds which tensor. Every encoded tensor must be found with exactly the values that its encoding states: what is stored
must be what runs. `weight_only` then stores what lies on the int8 grid as int8 codes with a scale per output channel and a
DEQUANTIZE before its use (XNNPACK folds that away when the model is loaded: fp32 speed, fp32 arithmetic), and leaves free
floats of a codebook as float32. `tie` says where in the file either lies, so that `toolchain.pack.packed` can cut it out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from toolchain.convert import flatbuffer
from toolchain.encodings import CodebookEncoding, GridEncoding, LogMinMax
from toolchain.errors import ConversionError
from toolchain.model import Model
from toolchain.pack.packed import Tied, TiedCodebook, TiedTensor

Array = npt.NDArray[Any]
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_DATA_FIELD = 4  # vtable offset of Buffer.data, its first field
_WEIGHT_INPUT = 1  # of the operators above: input, weight, bias


@dataclass(frozen=True, eq=False)
class Place:
    """Tensor `tensor` of the .tflite holds a torch array with its axes in the order `axes`; its output channels run along
    `channel_axis`."""

    tensor: int
    axes: tuple[int, ...]
    channel_axis: int

    def arrange(self, array: Array) -> Array:
        """A torch-shaped array in TFLite's layout."""
        return np.ascontiguousarray(array.transpose(self.axes))


def weight_only(model: Model, tflite: bytes) -> bytes:
    """The float .tflite of `model` with every tensor that lies on a grid stored as its `grid()`: int8 codes and channel scales. Those
    with a codebook of floats stay float32.

    The graph computes the same floats as before, bit for bit, since DEQUANTIZE multiplies code by scale as `decode` does.
    Error: ConversionError where an encoded tensor is not in `tflite` with exactly its values.
    """
    graph_model = flatbuffer.read(tflite)
    graph = graph_model.subgraphs[0]
    dequantize = flatbuffer.operator_code(graph_model, "DEQUANTIZE", 5)  # version 5: scale per channel
    dequantizers = []
    for name, encoding in model.encodings.items():
        place = _place(graph_model, name, encoding.decode().numpy())
        if not isinstance(encoding, GridEncoding):
            continue
        weight = graph.tensors[place.tensor]
        if weight.type == schema.TensorType.INT8:
            continue  # two tensors of the same values that the converter merged: already stored
        codes, scale = encoding.grid()
        values = _copy_as_float(weight)
        graph.tensors.append(values)
        weight.type = schema.TensorType.INT8
        weight.buffer = flatbuffer.add_buffer(graph_model, place.arrange(codes).astype(np.int8).tobytes())
        weight.quantization = _per_channel(scale, place.channel_axis)
        operator = schema.OperatorT()
        operator.opcodeIndex = dequantize
        operator.inputs = np.array([place.tensor], np.int32)
        operator.outputs = np.array([len(graph.tensors) - 1], np.int32)
        for user in graph.operators:
            user.inputs = np.where(user.inputs == place.tensor, len(graph.tensors) - 1, user.inputs).astype(np.int32)
        dequantizers.append(operator)
    graph.operators = dequantizers + graph.operators
    return flatbuffer.plain(flatbuffer.write(graph_model))


def _copy_as_float(weight: flatbuffer.Tensor) -> flatbuffer.Tensor:
    values = schema.TensorT()
    values.shape, values.type, values.name, values.hasRank = weight.shape, schema.TensorType.FLOAT32, "dequantized", weight.hasRank
    return values


def _per_channel(scale: npt.NDArray[np.float32], axis: int) -> schema.QuantizationParametersT:
    quantization = schema.QuantizationParametersT()
    quantization.scale = np.ascontiguousarray(scale, dtype=np.float32)
    quantization.zeroPoint = np.zeros(len(scale), np.int64)
    quantization.quantizedDimension = axis
    return quantization


def _place(graph_model: flatbuffer.Model, name: str, weight: Array) -> Place:
    """Where the float tensor `weight` lies. Error: ConversionError where no weight of the graph equals it."""
    close = ""
    for kind, index in _weights(graph_model):
        tensor = graph_model.subgraphs[0].tensors[index]
        if not flatbuffer.is_constant(graph_model, tensor) or int(np.prod(tensor.shape)) != weight.size:
            continue
        held = flatbuffer.constant(graph_model, tensor)
        for place in _layouts(kind, index, weight.shape, tuple(int(size) for size in tensor.shape)):
            if held.dtype == np.float32 and np.array_equal(held, place.arrange(weight)):
                return place
            close = f"; {tensor.name.decode()} of the same size differs"
    raise ConversionError(
        f"{name}: encoded as {list(weight.shape)}, but no weight of the .tflite holds exactly its values{close}; "
        "fold batch norm before encoding, and leave grouped convolutions that the converter splits without encoding"
    )


def _weights(graph_model: flatbuffer.Model) -> Iterator[tuple[str, int]]:
    """(operator name, index of its weight tensor), once for each tensor, in execution order."""
    seen = set()
    for kind, operator in flatbuffer.operations(graph_model):
        if kind in _WEIGHTED and int(operator.inputs[_WEIGHT_INPUT]) not in seen:
            seen.add(int(operator.inputs[_WEIGHT_INPUT]))
            yield kind, int(operator.inputs[_WEIGHT_INPUT])


def _layouts(kind: str, tensor: int, torch_shape: tuple[int, ...], shape: tuple[int, ...]) -> Iterator[Place]:
    """The ways in which a torch weight can lie in a TFLite tensor of `shape`; the caller picks by content."""
    if len(torch_shape) == 4 and kind == "CONV_2D":
        outputs, inputs, height, width = torch_shape
        if shape == (outputs, height, width, inputs):
            yield Place(tensor, (0, 2, 3, 1), 0)
    elif len(torch_shape) == 4 and kind == "DEPTHWISE_CONV_2D":
        outputs, inputs, height, width = torch_shape
        if inputs == 1 and shape == (1, height, width, outputs):
            yield Place(tensor, (1, 2, 3, 0), 3)
    elif kind == "FULLY_CONNECTED" and shape == torch_shape:
        # After a flatten too: the converter transposes the map back before it.
        yield Place(tensor, (0, 1), 0)


def _dequantized(graph_model: flatbuffer.Model) -> Iterator[tuple[str, int]]:
    """(name of the operator that uses it, index of the int8 tensor) of each weight behind a DEQUANTIZE."""
    source = {int(op.outputs[0]): int(op.inputs[0]) for kind, op in flatbuffer.operations(graph_model) if kind == "DEQUANTIZE"}
    for kind, index in _weights(graph_model):
        if index in source and graph_model.subgraphs[0].tensors[source[index]].type == schema.TensorType.INT8:
            yield kind, source[index]


def tie(model: Model, tflite: bytes) -> dict[str, Tied]:
    """Where each encoded tensor's codes, or values of a codebook, lie in a weight-only .tflite, by the tensor's torch name. Of
    tensors that share one buffer (equal weights that the converter merged) the first is named.

    Error: ConversionError where one is not found with exactly its values.
    """
    graph_model = flatbuffer.read(tflite)
    root = schema.Model.GetRootAs(tflite, 0)
    tied: dict[str, Tied] = {}
    taken: set[int] = set()
    for name, encoding in model.encodings.items():
        if isinstance(encoding, GridEncoding):
            place = _code_place(graph_model, name, encoding)
        else:
            place = _place(graph_model, name, encoding.decode().numpy())
        tensor = graph_model.subgraphs[0].tensors[place.tensor]
        if tensor.buffer in taken:
            continue
        taken.add(tensor.buffer)
        table = root.Buffers(tensor.buffer)._tab
        offset = table.Vector(table.Offset(_DATA_FIELD))
        if isinstance(encoding, CodebookEncoding):
            values, indices = encoding.codebook()
            geometric = (encoding.first, encoding.ratio) if isinstance(encoding, LogMinMax) else None
            tied[name] = TiedCodebook(offset, values, place.arrange(indices).reshape(-1), geometric)
        else:
            tied[name] = TiedTensor(offset, flatbuffer.constant(graph_model, tensor).reshape(-1))
    return tied


def _code_place(graph_model: flatbuffer.Model, name: str, encoding: GridEncoding) -> Place:
    codes, scale = encoding.grid()
    weight = encoding.decode().numpy()
    for kind, index in _dequantized(graph_model):
        tensor = graph_model.subgraphs[0].tensors[index]
        if int(np.prod(tensor.shape)) != codes.size:
            continue
        held = flatbuffer.constant(graph_model, tensor).astype(np.float32)
        for place in _layouts(kind, index, codes.shape, tuple(int(size) for size in tensor.shape)):
            if len(tensor.quantization.scale) != len(scale) or tensor.quantization.quantizedDimension != place.channel_axis:
                continue
            by_channel = tensor.quantization.scale.reshape([-1 if axis == place.channel_axis else 1 for axis in range(held.ndim)])
            # By value, not by code: two encodings of equal weights that the converter merged share one of their codes.
            if np.array_equal(held * by_channel, place.arrange(weight)):
                return place
    raise ConversionError(f"{name}: its int8 codes are not in the .tflite; convert the model that was encoded, with weight_only()")
