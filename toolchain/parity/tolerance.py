"""How far two runtimes' embeddings of one .tflite may be apart, from the arithmetic of its graph.

Every bound compares the same file with itself on another runtime or processor. What compression costs against the original net
is a variant's own Gate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from toolchain.convert import flatbuffer

_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL")
_REDUCTIONS = ("MEAN", "SUM", "AVERAGE_POOL_2D")
_UNIT_ROUNDOFF = 2.0**-24  # of float32
_AMPLIFIED = 8
_ANEW = 0.99


class Arithmetic(Enum):
    """What the sums of a graph are made of."""

    FLOAT = "every sum of floats"
    INTEGER = "every sum of integers"
    MIXED = "activations rounded between float sums"


@dataclass(frozen=True)
class Tolerance:
    """Embeddings of length 1 must agree within `max_abs` in each component (0: the same bits), or have at least the cosine
    `min_cosine`, whichever is set; `why` says where the bound is from."""

    max_abs: float | None
    min_cosine: float | None
    why: str


def arithmetic(tflite: bytes) -> Arithmetic:
    """Told by the operators that sum, by what they read: int8 activations, or floats with float or int8 weights. Weights that a
    DEQUANTIZE makes floats count as floats. A FLOOR rounds activations to signs (toolchain/compress/bnn.py).

    Error: ConversionError where the bytes are no .tflite of one subgraph.
    """
    model = flatbuffer.read(tflite)
    tensors = model.subgraphs[0].tensors
    kinds = set()
    for kind, operator in flatbuffer.operations(model):
        if kind == "FLOOR":
            kinds.add(Arithmetic.MIXED)
        if kind in (*_LAYERS, *_REDUCTIONS):
            activations = _is_integer(tensors[operator.inputs[0]])
            weights = kind in _LAYERS and _is_integer(tensors[operator.inputs[1]])
            kinds.add(Arithmetic.INTEGER if activations else Arithmetic.MIXED if weights else Arithmetic.FLOAT)
    if len(kinds) > 1:
        return Arithmetic.MIXED
    return kinds.pop() if kinds else Arithmetic.FLOAT


def _is_integer(tensor: flatbuffer.Tensor) -> bool:
    return tensor.type not in (schema.TensorType.FLOAT32, schema.TensorType.FLOAT16)


def tolerance(tflite: bytes, whole: bool) -> Tolerance:
    """The bound between two machines for this file; `whole`: both run all of it in XNNPACK.

    Float sums: runtimes add in another order. By the probabilistic error analysis of Higham and Mary (SIAM J. Sci. Comput.
    41(5), 2019) a sum of K terms is off by about sqrt(K) u of its size, u = 2^-24, and layers' errors add like independent ones:
    sqrt(sum of K) u in all, on each of two machines. Eight times that is allowed, for what later layers amplify.

    Integer sums are exact in any order, and XNNPACK rescales them by the same rule on every processor: the same bits. Outside
    XNNPACK, runtimes round a rescaled sum in more than one way.

    Activations rounded to 8 bits between float sums: a last bit can move a rounding, and dynamic range rounds by another rule on
    each processor. Were every one rounded anew, each of L layers would add noise of (largest / rms) / (127 sqrt(12)), about 4 /
    440 = 0.9 % of its size: for 50 layers 6.4 %, a cosine of 1 - 0.064^2 = 0.996 between two machines. 0.99 leaves room for 1.5
    times that noise; a wrong kernel falls far below it. Rounded to signs, only those turn whose sum is within a rounding of 0: a few
    in a hundred faces have one, and the layers behind it turn some more.
    """
    found = arithmetic(tflite)
    if found is Arithmetic.INTEGER and whole:
        return Tolerance(0.0, None, "integer sums are exact")
    if found is not Arithmetic.FLOAT:
        return Tolerance(None, _ANEW, "roundings of activations may move")
    terms = _terms(tflite)
    bound = _AMPLIFIED * math.sqrt(2 * terms) * _UNIT_ROUNDOFF
    return Tolerance(bound, None, f"{_AMPLIFIED} sqrt(2 * {terms}) 2^-24: a result adds {terms} terms over all layers")


def _terms(tflite: bytes) -> int:
    """The number of terms of one result, added over the layers that sum."""
    model = flatbuffer.read(tflite)
    tensors = model.subgraphs[0].tensors
    total = 0
    for kind, operator in flatbuffer.operations(model):
        source, result = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            # [results, H, W, channels], or [1, H, W, results] where each result has a channel of its own.
            shape = tensors[operator.inputs[1]].shape
            total += int(shape[1] * shape[2]) * (int(shape[3]) if kind == "CONV_2D" else 1)
        elif kind == "FULLY_CONNECTED":
            total += int(tensors[operator.inputs[1]].shape[-1])
        elif kind == "BATCH_MATMUL":
            total += int(source.shape[-1])
        elif kind in _REDUCTIONS:
            total += max(1, _size(source) // max(1, _size(result)))
    return total


def _size(tensor: flatbuffer.Tensor) -> int:
    return int(np.prod(np.asarray(tensor.shape, dtype=np.int64)))
