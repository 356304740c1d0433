"""ONNX files that nobody vouches for, and onnxruntime, which says what they compute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto
from onnxruntime.capi.onnxruntime_pybind11_state import (
    EPFail,
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NotImplemented,
    RuntimeException,
)

from toolchain.errors import DataError

_ERRORS = (EPFail, Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NotImplemented, RuntimeException)


def parse(name: str, data: bytes) -> onnx.ModelProto:
    """The model in `data`. `name` is used in messages. Error: DataError where it is none."""
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's DecodeError has a different class in each of its implementations
        if not isinstance(error, ValueError | TypeError) and type(error).__name__ != "DecodeError":
            raise
        raise DataError(f"{name}: expected an ONNX model, got bytes that are none ({' '.join(str(error).split())[:200]})") from None
    if not model.HasField("graph"):  # protobuf reads no bytes at all, and many others, as a message of unknown fields
        raise DataError(f"{name}: expected an ONNX model, got bytes that are none")
    return model


def load(name: str, data: bytes) -> onnx.ModelProto:
    """`parse`, all of it in `data`. Error: DataError, also where a tensor lies in another file: onnx and onnxruntime would take any file
    of the working folder for weights."""
    model = parse(name, data)
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in _tensors(model)):
        raise DataError(f"{name}: its weights lie in other files; save the ONNX with its weights inside")
    return model


def session(name: str, data: bytes) -> onnxruntime.InferenceSession:
    """One thread of the processor, the layers as the file has them. Error: DataError, also as `load`."""
    load(name, data)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except _ERRORS as error:
        raise DataError(f"{name}: expected an ONNX model, onnxruntime says: {' '.join(str(error).split())[:200]}") from None


def run(name: str, made: onnxruntime.InferenceSession, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The one output for the one input. Error: DataError where it cannot be run."""
    try:
        (output,) = made.run(None, {made.get_inputs()[0].name: np.ascontiguousarray(tensor)})
    except _ERRORS as error:
        raise DataError(f"{name}: onnxruntime cannot run it: {' '.join(str(error).split())[:200]}") from None
    return np.asarray(output)


def _tensors(message: Any) -> Iterator[TensorProto]:
    """Every tensor in a protobuf message, wherever ONNX has room for one: initializers, dense and sparse, attributes, subgraphs,
    functions."""
    if isinstance(message, TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for item in [value] if hasattr(value, "ListFields") else value:
                yield from _tensors(item)
