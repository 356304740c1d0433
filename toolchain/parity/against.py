"""A .tflite against the ONNX model that it is said to be, whoever made the two: embeddings of the same faces on each TFLite runtime
of this machine and on onnxruntime.

Needs nothing but the two files and what they take. Layouts are told from shapes: the axis of 3 is the colours.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from ai_edge_litert import schema_py_generated as schema

from runtime_py.bundle import check_tflite
from runtime_py.errors import BundleModelError
from runtime_py.manifest import InputContract, Quantization, TensorSpec
from toolchain import onnx_session
from toolchain.convert import flatbuffer
from toolchain.errors import DataError
from toolchain.kept import KeptBytes
from toolchain.parity import machines
from toolchain.parity.host import RUNTIMES, Floats
from toolchain.parity.machines import Failed, Job
from toolchain.parity.suite import Agreement, Images, NotCompared, Suite, figures, tensors
from toolchain.parity.tolerance import Arithmetic, arithmetic
from toolchain.progress import Progress

_DTYPES = {schema.TensorType.FLOAT32: "float32", schema.TensorType.INT8: "int8", schema.TensorType.UINT8: "uint8"}

LEAST_COSINE = {Arithmetic.FLOAT: 0.9999, Arithmetic.MIXED: 0.97, Arithmetic.INTEGER: 0.9}
"""What is asked of each face unless told otherwise. Floats of both sides differ by about 1e-5, and weights rounded to fp16 by 2^-11 of
their size, 5e-4, which a net of fifty layers averages to a cosine above 0.9999. Dynamic range and static int8: the gates of the
variants int8-dynamic and int8 of this package, below which the accuracy is no longer that of the net."""


@dataclass(frozen=True)
class _Image:
    """An image input: its size, and whether colours come first (NCHW)."""

    height: int
    width: int
    first: bool


def against(
    tflite: Path, onnx: Path, contract: InputContract, images: Images | None, least: float | None, kept: KeptBytes, progress: Progress
) -> Suite:
    """Compares the two on `images` uint8 `[N, H, W, 3]` RGB, or drawn faces of their size where that is None.

    `least`: the cosine that every face must reach; None: LEAST_COSINE of the .tflite's arithmetic. Errors: DataError where a file
    is not what it should be, or the two do not take and give the same.
    """
    data = _read(tflite, "a .tflite")
    try:
        check_tflite(memoryview(data), str(tflite))
    except BundleModelError as error:
        raise DataError(f"{error}; give a .tflite before --against and an ONNX model after it") from None
    spec, sums = _structure(tflite, data)
    taken = _layout(str(tflite), spec.shape)
    session = _session(onnx)
    wanted = session.get_inputs()[0]
    theirs = _layout(str(onnx), [size if isinstance(size, int) else None for size in wanted.shape])
    if (theirs.height or taken.height, theirs.width or taken.width) != (taken.height, taken.width):
        raise DataError(
            f"{onnx}: expected an image of {taken.height} x {taken.width} as {tflite} takes, got {theirs.height} x {theirs.width}"
        )
    if wanted.type != "tensor(float)":
        raise DataError(f"{onnx}: expected an input of float32, got {wanted.type}; give the model before it was quantized")
    contract = replace(contract, height=taken.height, width=taken.width)
    pixels = _faces(images, contract)
    reference = _run_onnx(onnx, session, tensors(pixels, contract), theirs.first)
    ours = tensors(pixels, contract, spec)
    name = tflite.name
    job = Job(name, data, ours.transpose(0, 3, 1, 2) if taken.first else ours)
    place = machines.this_machine()
    results = machines.run([place], [job], kept, progress)
    bound = LEAST_COSINE[sums] if least is None else least
    agreements, not_compared = [], []
    for runtime in [runtime for runtime in RUNTIMES if runtime.name in place.versions]:
        ran = results[place.name, runtime.name, name]
        if isinstance(ran, Failed):
            not_compared.append(NotCompared(name, place.label(runtime), ran.reason, runtime is not RUNTIMES[0]))
            continue
        if ran.rows.shape != reference.shape:
            raise DataError(f"{onnx}: expected {ran.rows.shape[1]} numbers a face as {tflite} gives, got {reference.shape[1]}")
        agreements.append(_agreement(name, place.label(runtime), onnx, *figures(ran.rows, reference), bound))
    return Suite(tuple(agreements), tuple(not_compared))


def _agreement(name: str, label: str, onnx: Path, max_abs: float, cosines: Floats, bound: float) -> Agreement:
    least = float(cosines.min())
    missed = None if least >= bound else f"least cosine {least:.5f}, expected at least {bound:g} (--min-cosine); check --input"
    other = f"{onnx.name} on onnxruntime {onnxruntime.__version__}"
    return Agreement(name, label, other, max_abs, cosines, f"cosine >= {bound:g}", missed)


def _faces(images: Images | None, contract: InputContract) -> Images:
    if images is None:
        from toolchain.data import synthetic

        return synthetic.faces(16, 4, contract.height, contract.width).images
    if images.shape[1:3] != (contract.height, contract.width):
        sizes = f"{contract.height} x {contract.width}, got {images.shape[1]} x {images.shape[2]}"
        raise DataError(f"--images: expected aligned faces of {sizes}; align them to that size, or leave --images out for drawn ones")
    return images


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: expected {what}, cannot read it ({error.strerror})") from None


def _structure(path: Path, data: bytes) -> tuple[TensorSpec, Arithmetic]:
    """The one input of a .tflite and what its sums are made of, from the file itself: nothing of it has run yet."""
    try:
        return _input_of(path, data), arithmetic(data)
    except (struct.error, LookupError, TypeError, ValueError, AttributeError) as error:  # readers that trust every offset and index
        raise DataError(f"{path}: expected a .tflite, its tables lead nowhere ({error}); it is damaged, convert it again") from None


def _input_of(path: Path, data: bytes) -> TensorSpec:
    graph = flatbuffer.read(data).subgraphs[0]
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise DataError(f"{path}: expected one input and one output, got {len(graph.inputs)} and {len(graph.outputs)}")
    tensor = graph.tensors[graph.inputs[0]]
    dtype = _DTYPES.get(tensor.type)
    shape = tuple(int(size) for size in tensor.shape)
    if dtype is None or len(shape) != 4 or shape[0] != 1:
        raise DataError(f"{path}: expected an input [1, H, W, 3] of {', '.join(_DTYPES.values())}, got type {tensor.type} {list(shape)}")
    if dtype == "float32":
        return TensorSpec("input", "float32", shape)
    if tensor.quantization is None or tensor.quantization.scale is None or len(tensor.quantization.scale) != 1:
        raise DataError(f"{path}: expected scale and zero point of its {dtype} input, got none")
    quantization = Quantization(float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0]))
    return TensorSpec("input", "int8" if dtype == "int8" else "uint8", shape, quantization)


def _layout(where: str, shape: Any) -> _Image:
    """NHWC or NCHW, by the axis of 3; sizes that are left free are 0."""
    sizes = [int(size) if size else 0 for size in shape]
    if len(sizes) == 4 and (sizes[3] == 3) != (sizes[1] == 3):
        first = sizes[1] == 3
        height, width = sizes[2:] if first else sizes[1:3]
        return _Image(height, width, first)
    raise DataError(f"{where}: expected an image input, [N, H, W, 3] or [N, 3, H, W], got {list(shape)}")


def _session(path: Path) -> onnxruntime.InferenceSession:
    session = onnx_session.session(str(path), _read(path, "an ONNX model"))
    if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 1:
        counts = f"{len(session.get_inputs())} and {len(session.get_outputs())}"
        raise DataError(f"{path}: expected one input and one output, got {counts}")
    return session


def _run_onnx(path: Path, session: onnxruntime.InferenceSession, inputs: npt.NDArray[Any], first: bool) -> Floats:
    """Embeddings `[N, D]` of length 1, one image at a time: the file may have a fixed batch."""
    rows = []
    for tensor in inputs.transpose(0, 3, 1, 2) if first else inputs:
        rows.append(onnx_session.run(str(path), session, tensor[None]).astype(np.float64).reshape(-1))
    found = np.stack(rows)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise DataError(f"{path}: its embeddings are not finite or of length zero; check --input")
    return found / lengths
