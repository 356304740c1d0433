"""Real .tflite files made by hand from TFLite's schema: fully connected layers with int8 weights behind DEQUANTIZE, as the weight-only
variants have them. No converter needed, so tests that need a model and not a particular one stay fast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from runtime_py.packed import geometric_values
from toolchain.convert import flatbuffer
from toolchain.pack.packed import Tied, TiedCodebook


def tiny_tflite(height: int, width: int, size: int, seed: int) -> bytes:
    """`input` [1, height, width, 3] to `embedding` [1, size] through one layer of 16 int8 levels and fp16-exact floats."""
    levels = np.linspace(-127, 127, 16).astype(np.int8)
    indices = np.random.default_rng(seed).binomial(15, 0.5, (size, height * width * 3))
    return layers([height, width, 3], [levels[indices]], seed)


def layers(
    shape: list[int],
    weights: Sequence[npt.NDArray[np.int8] | npt.NDArray[np.float32]],
    seed: int | None,
    scales: Sequence[npt.NDArray[np.float32]] | None = None,
) -> bytes:
    """A chain of layers: `weights` are int8 or float32 `[outputs, inputs]`, the first takes the flattened `[1, *shape]`. Biases, and
    scales of the int8 ones where `scales` does not give them, are drawn by `seed`, or all zero where it is None."""
    random = np.random.default_rng(seed)
    drawn = seed is not None
    model = schema.ModelT()
    model.version, model.buffers, model.operatorCodes = 3, [], []
    flatbuffer.add_buffer(model, b"")
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.name = [], [], "main"
    model.subgraphs = [graph]
    current = _tensor(model, "input", [1, *shape], schema.TensorType.FLOAT32, 0)
    graph.inputs = np.array([current], np.int32)
    for number, codes in enumerate(weights):
        outputs, inputs = codes.shape
        stored = flatbuffer.add_buffer(model, codes.tobytes())
        if codes.dtype == np.int8:
            weight = _tensor(model, "w", [outputs, inputs], schema.TensorType.INT8, stored)
            quantization = schema.QuantizationParametersT()
            quantization.scale = (
                scales[number] if scales else drawn * random.uniform(0.001, 0.002, outputs).astype(np.float16).astype(np.float32)
            )
            quantization.zeroPoint, quantization.quantizedDimension = np.zeros(outputs, np.int64), 0
            graph.tensors[weight].quantization = quantization
            values = _tensor(model, "v", [outputs, inputs], schema.TensorType.FLOAT32, 0)
            _operator(model, "DEQUANTIZE", 5, [weight], values)
        else:
            values = _tensor(model, "w", [outputs, inputs], schema.TensorType.FLOAT32, stored)
        bias = (random.standard_normal(outputs) if drawn else np.zeros(outputs)).astype(np.float16).astype(np.float32)
        bias_at = _tensor(model, "b", [outputs], schema.TensorType.FLOAT32, flatbuffer.add_buffer(model, bias.tobytes()))
        result = _tensor(model, "y", [1, outputs], schema.TensorType.FLOAT32, 0)
        operator = _operator(model, "FULLY_CONNECTED", 1, [current, values, bias_at], result)
        operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        operator.builtinOptions = schema.FullyConnectedOptionsT()
        current = result
    graph.outputs = np.array([current], np.int32)
    return flatbuffer.plain(flatbuffer.write(model))


def wide_and_half() -> tuple[bytes, bytes]:
    """The .tflite of a float net [1, 8, 8, 3] → 6 → 4, and of the one that its first three of the six are."""
    random = np.random.default_rng(4)
    first, second = (random.standard_normal(shape).astype(np.float32) for shape in ((6, 192), (4, 6)))
    return layers([8, 8, 3], [first, second], None), layers([8, 8, 3], [first[:3], np.ascontiguousarray(second[:, :3])], None)


def codebook_layers() -> tuple[bytes, dict[str, Tied]]:
    """A .tflite of two float layers whose weights have a codebook, and where they lie: 1,024 geometric values, which takes indices in two
    parts, and 5 listed ones. Small, for tests that damage what is packed of it."""
    random = np.random.default_rng(8)
    first, ratio = 1e-3, 1.01
    books = [geometric_values(first, ratio, 1024), np.array([-0.5, -0.1, 0, 0.125, 1 / 3], np.float32)]
    indices = [random.binomial(1023, 0.5, (40, 48)).astype(np.uint16), random.integers(0, 5, (16, 40)).astype(np.uint16)]
    weights = [values[chosen] for values, chosen in zip(books, indices, strict=True)]
    tflite = layers([4, 4, 3], weights, seed=8)
    places = [tflite.index(weight.tobytes()) for weight in weights]
    return tflite, {
        "geometric": TiedCodebook(places[0], books[0], indices[0].reshape(-1), (first, ratio)),
        "listed": TiedCodebook(places[1], books[1], indices[1].reshape(-1)),
    }


def with_int8_ends(tflite: bytes, taken: tuple[float, int], given: tuple[float, int]) -> bytes:
    """The same model with an int8 input and output of (scale, zero point) `taken` and `given`: what it computes stays float."""
    model = flatbuffer.read(tflite)
    graph = model.subgraphs[0]
    first, last = int(graph.inputs[0]), int(graph.outputs[0])
    body = list(graph.operators)
    graph.operators.clear()
    ends = []
    for at, (scale, zero_point) in ((first, taken), (last, given)):
        end = _tensor(model, "end", graph.tensors[at].shape.tolist(), schema.TensorType.INT8, 0)
        quantization = schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = np.array([scale], np.float32), np.array([zero_point], np.int64)
        graph.tensors[end].quantization = quantization
        ends.append(end)
    _operator(model, "DEQUANTIZE", 2, [ends[0]], first)
    graph.operators += body
    _operator(model, "QUANTIZE", 1, [last], ends[1])
    graph.inputs, graph.outputs = np.array(ends[:1], np.int32), np.array(ends[1:], np.int32)
    return flatbuffer.plain(flatbuffer.write(model))


def _tensor(model: flatbuffer.Model, name: str, shape: list[int], kind: int, buffer: int) -> int:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, np.array(shape, np.int32), kind, buffer
    model.subgraphs[0].tensors.append(tensor)
    return len(model.subgraphs[0].tensors) - 1


def _operator(model: flatbuffer.Model, name: str, version: int, inputs: list[int], output: int) -> flatbuffer.Operator:
    operator = schema.OperatorT()
    operator.opcodeIndex = flatbuffer.operator_code(model, name, version)
    operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
    model.subgraphs[0].operators.append(operator)
    return operator
