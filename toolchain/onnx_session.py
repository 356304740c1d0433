"""onnxruntime: what an ONNX model computes, whoever reads it otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
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


def session(name: str, data: bytes) -> onnxruntime.InferenceSession:
    """One thread of the processor, the layers as the file has them. `name` is used in messages. Error: DataError."""
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
