"""The TFLite flatbuffer as objects: read from any writer, written in one plain and reproducible form.

Three writers are used on the way (MLIR's, ai-edge-quantizer's and ours) and they differ in ways that reach the phone:

- ai-edge-quantizer puts tensor data behind the flatbuffer (`Buffer.offset`), which TFLite's C API refuses at Invoke
  ("Input tensor N lacks data"). `read` takes the data back in.
- MLIR names tensors by counters and by the operations that were fused, and adds metadata that depends on the converter.
  `plain` renames tensors by their place in the graph and drops the metadata.
- Python's flatbuffers library ignores the schema's `force_align: 16` on tensor data. `write` keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from toolchain.errors import ConversionError

# The generated schema classes carry no types: ModelT, TensorT, OperatorT.
Model: TypeAlias = Any
Tensor: TypeAlias = Any
Operator: TypeAlias = Any

ALIGNMENT = 16  # bytes; schema.fbs states force_align: 16 on Buffer.data
INPUT, OUTPUT = "input", "embedding"
SIGNATURE = "serving_default"
_DTYPES: dict[int, np.dtype[Any]] = {
    schema.TensorType.FLOAT32: np.dtype("<f4"),
    schema.TensorType.FLOAT16: np.dtype("<f2"),
    schema.TensorType.INT32: np.dtype("<i4"),
    schema.TensorType.INT8: np.dtype("i1"),
}
_OPERATIONS = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}


class _AlignedBuffer(schema.BufferT):
    """A buffer whose data starts on a multiple of ALIGNMENT in the file."""

    def Pack(self, builder: Any) -> int:
        data = None
        if self.data is not None and len(self.data):
            content = np.ascontiguousarray(self.data, dtype=np.uint8).tobytes()
            builder.StartVector(1, len(content), ALIGNMENT)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))


def read(tflite: bytes) -> Model:
    """The file as objects, all tensor data inline. Error: ConversionError where it is no .tflite of one subgraph."""
    if tflite[4:8] != b"TFL3":
        raise ConversionError(f"expected a .tflite (TFL3 at byte 4), got {tflite[:8]!r}")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    if len(model.subgraphs) != 1:
        raise ConversionError(f"expected a .tflite of one subgraph, got {len(model.subgraphs)}; export a net without control flow")
    for index, buffer in enumerate(model.buffers):
        inline = _AlignedBuffer()
        inline.data = buffer.data
        if buffer.offset > 1:  # 0: none; 1: a placeholder that ai-edge-quantizer leaves for empty buffers
            inline.data = np.frombuffer(tflite, np.uint8, buffer.size, buffer.offset)
        model.buffers[index] = inline
    return model


def write(model: Model) -> bytes:
    """The file of `model`: the same objects give the same bytes."""
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def data_is_inline(tflite: bytes) -> bool:
    """Whether TFLite's C API can run the file: every buffer's data lies in the flatbuffer itself."""
    root = schema.Model.GetRootAs(tflite, 0)
    return all(root.Buffers(index).Offset() <= 1 for index in range(root.BuffersLength()))


def operation(model: Model, operator: Operator) -> str:
    """The operator's name as in the TFLite schema, for example CONV_2D."""
    code = model.operatorCodes[operator.opcodeIndex]
    return _OPERATIONS[max(code.builtinCode, code.deprecatedBuiltinCode)]


def operations(model: Model) -> Iterator[tuple[str, Operator]]:
    """(name, operator) of every operator in execution order."""
    for operator in model.subgraphs[0].operators:
        yield operation(model, operator), operator


def is_constant(model: Model, tensor: Tensor) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def constant(model: Model, tensor: Tensor) -> npt.NDArray[Any]:
    """The values of a constant tensor in its TFLite shape."""
    if not is_constant(model, tensor) or tensor.type not in _DTYPES:
        raise ConversionError(f"{tensor.name!r}: expected a constant of {', '.join(map(str, _DTYPES.values()))}, got type {tensor.type}")
    data = np.ascontiguousarray(model.buffers[tensor.buffer].data, dtype=np.uint8)
    return data.view(_DTYPES[tensor.type]).reshape(tuple(tensor.shape))


def add_buffer(model: Model, content: bytes) -> int:
    """Adds a buffer and returns its index."""
    buffer = _AlignedBuffer()
    buffer.data = np.frombuffer(content, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def operator_code(model: Model, name: str, version: int) -> int:
    """The index of an operator code, added where the model has none of this name and at least this version."""
    value = getattr(schema.BuiltinOperator, name)
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == value and code.version >= version:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = value, min(value, 127), version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def plain(tflite: bytes) -> bytes:
    """The same graph with tensors named by their place, no metadata, no unused buffer, data inline and aligned.

    The one signature keeps its key and takes `input` and gives `embedding`. Metadata goes because one entry holds a hash
    of the converter's intermediate files and another permits a delegate to compute in fp16, which parity was not
    measured with.
    """
    model = read(tflite)
    graph = model.subgraphs[0]
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ConversionError(f"expected a net of one input and one output, got {len(graph.inputs)} and {len(graph.outputs)}")
    model.metadata = None
    model.description = None
    _name_tensors(model)
    _compact_buffers(model)
    model.signatureDefs = [_signature(int(graph.inputs[0]), int(graph.outputs[0]))]
    return write(model)


def _signature(input_index: int, output_index: int) -> schema.SignatureDefT:
    maps = []
    for name, index in ((INPUT, input_index), (OUTPUT, output_index)):
        item = schema.TensorMapT()
        item.name, item.tensorIndex = name, index
        maps.append([item])
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    signature.inputs, signature.outputs = maps
    return signature


def _name_tensors(model: Model) -> None:
    """Names by the operator that makes or first reads a tensor: `007.CONV_2D` its result, `007.CONV_2D.1` its weight."""
    graph = model.subgraphs[0]
    names: dict[int, str] = {int(graph.inputs[0]): INPUT, int(graph.outputs[0]): OUTPUT}
    for place, (kind, operator) in enumerate(operations(model)):
        for position, index in enumerate(operator.outputs):
            names.setdefault(int(index), f"{place:03d}.{kind}" + (f".out{position}" if position else ""))
        for position, index in enumerate(operator.inputs):
            if index >= 0:
                names.setdefault(int(index), f"{place:03d}.{kind}.{position}")
    for index, tensor in enumerate(graph.tensors):
        tensor.name = names.get(index, f"unused.{index}")


def _compact_buffers(model: Model) -> None:
    """Buffer 0 for every tensor without data, and one buffer for each distinct index with data, in tensor order."""
    buffers = [_AlignedBuffer()]
    places: dict[int, int] = {}
    for tensor in model.subgraphs[0].tensors:
        if not is_constant(model, tensor):
            tensor.buffer = 0
            continue
        if tensor.buffer not in places:
            places[tensor.buffer] = len(buffers)
            buffers.append(model.buffers[tensor.buffer])
        tensor.buffer = places[tensor.buffer]
    model.buffers = buffers
