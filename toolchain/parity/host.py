"""Parity on the host: a .tflite on each runtime that is installed, against the torch net of the same weights.

Plain results: the build prints them, judges them by a recipe's Gate, and writes them into the manifest.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from runtime_py.bundle import InputContract
from toolchain.convert import flatbuffer
from toolchain.errors import GateError
from toolchain.model import Model
from toolchain.recipe import Gate

LEAST_FACES = 256
Floats = npt.NDArray[np.float64]
_SHARE = 0.01  # p1: the cosine that 99 % of the faces reach


@dataclass(frozen=True)
class Runtime:
    """A TFLite runtime for Python: its distribution's name and the module that holds its Interpreter."""

    name: str
    module: str

    def version(self) -> str | None:
        """The installed version; None where it is not installed."""
        try:
            return metadata.version(self.name)
        except metadata.PackageNotFoundError:
            return None

    def interpreter(self, tflite: bytes) -> Any:
        """A one-thread interpreter with its tensors allocated. Error: whatever the runtime raises for what it cannot run."""
        made = importlib.import_module(self.module).Interpreter(model_content=tflite, num_threads=1)
        made.allocate_tensors()
        return made


LITERT = Runtime("ai-edge-litert", "ai_edge_litert.interpreter")
TFLITE_RUNTIME = Runtime("tflite-runtime", "tflite_runtime.interpreter")
RUNTIMES = (LITERT, TFLITE_RUNTIME)


class Figures:
    """How embeddings agree with those of the same faces that they are compared with. `max_abs`: the largest difference of a
    component of embeddings of length 1; `cosines` `[N]`, one a face."""

    max_abs: float
    cosines: Floats

    @property
    def min_cosine(self) -> float:
        return float(self.cosines.min())

    @property
    def p1_cosine(self) -> float:
        """99 % of the faces reach it."""
        return float(np.quantile(self.cosines, _SHARE))

    def share_above(self, cosine: float) -> float:
        """The share of faces whose cosine is at least `cosine`."""
        return float((self.cosines >= cosine).mean())


@dataclass(frozen=True, eq=False)
class Parity(Figures):
    """How a variant's embeddings on one runtime agree with torch's.

    `partitions`: how many delegates share the graph (1: XNNPACK runs it whole; None: unknown to this runtime). `milliseconds`:
    the median of one inference on one thread of this machine, for comparison within a run only.
    """

    runtime: str
    version: str
    faces: int
    max_abs: float
    cosines: Floats
    partitions: int | None
    milliseconds: float


@dataclass(frozen=True)
class NotRun:
    """A runtime that a variant was not compared on, and why."""

    runtime: str
    reason: str


def compare(model: Model, tflite: bytes, images: npt.NDArray[np.uint8]) -> tuple[Parity | NotRun, ...]:
    """Every runtime's agreement with torch over `images` uint8 `[N, H, W, 3]` RGB, N >= 256; LiteRT's comes first.

    Errors: GateError where LiteRT cannot run the file, or an embedding is not finite or of length zero: that is never shipped.
    """
    if len(images) < LEAST_FACES:
        raise GateError(f"parity: expected at least {LEAST_FACES} faces, got {len(images)}")
    reference = reference_embeddings(model, images)
    results: list[Parity | NotRun] = []
    for runtime in RUNTIMES:
        version = runtime.version()
        if version is None:
            results.append(NotRun(runtime.name, "not installed"))
            continue
        try:
            results.append(_compare_on(runtime, version, tflite, images, model.input, reference))
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            if runtime is LITERT:
                raise GateError(f"parity: LiteRT {version} cannot run the variant: {reason}") from None
            results.append(NotRun(runtime.name, f"version {version} cannot run it: {reason}"))
    return tuple(results)


def reference_embeddings(model: Model, images: npt.NDArray[np.uint8]) -> Floats:
    """Torch's embeddings of `images` uint8 `[N, H, W, 3]` RGB, of length 1."""
    return _normalised("torch", model.embed(torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)).double().numpy())


def embeddings(tflite: bytes, images: npt.NDArray[np.uint8], contract: InputContract, runtime: Runtime = LITERT) -> Floats:
    """A .tflite's embeddings of `images` uint8 `[N, H, W, 3]` RGB on one runtime, of length 1."""
    rows, _ = _run(runtime.interpreter(tflite), images, contract)
    return _normalised(runtime.name, rows)


ADVICE = "try Equalize() and Calibrate() on more faces, keep the worst layers float (see sensitivity), or leave the variant out"


def missed(result: Figures, gate: Gate) -> str | None:
    """The first bound of `gate` that `result` misses, with both numbers; None where it keeps them all."""
    if gate.max_abs is not None and result.max_abs > gate.max_abs:
        return f"largest difference {result.max_abs:.2g}, the gate allows {gate.max_abs:.2g}"
    if gate.min_cosine is not None and result.min_cosine < gate.min_cosine:
        return f"least cosine {result.min_cosine:.5f}, the gate asks for {gate.min_cosine:.5f}"
    if gate.p1_cosine is not None and result.p1_cosine < gate.p1_cosine:
        return f"first percentile of cosines {result.p1_cosine:.5f}, the gate asks for {gate.p1_cosine:.5f}"
    if gate.share_above is not None and result.share_above(gate.share_above[0]) < gate.share_above[1]:
        cosine, least = gate.share_above
        return f"{result.share_above(cosine):.1%} of the faces reach cosine {cosine}, the gate asks for {least:.1%}"
    return None


def check_runs_everywhere(name: str, tflite: bytes) -> None:
    """Raises GateError where the file would fail or crawl on a phone: data that the C API cannot read, or a graph that
    XNNPACK does not run whole."""
    if not flatbuffer.data_is_inline(tflite):
        raise GateError(f"{name}: tensor data lies behind the flatbuffer, where TFLite's C API cannot read it; use flatbuffer.plain()")
    count = partitions(LITERT.interpreter(tflite))
    if count != 1:
        raise GateError(f"{name}: XNNPACK runs the graph in {count or 'no'} parts, expected it whole; leave out what it does not know")


def partitions(interpreter: Any) -> int | None:
    """How many parts of the graph run in XNNPACK where nothing is left outside them; 0 where something is. None where the
    runtime does not list its operators."""
    if not hasattr(interpreter, "_get_ops_details"):
        return None
    ends = (interpreter.get_input_details(), interpreter.get_output_details())
    inputs, outputs = ([int(item["index"]) for item in end] for end in ends)
    return partitions_of(interpreter._get_ops_details(), inputs, outputs)


def partitions_of(operators: Sequence[Mapping[str, Any]], inputs: Sequence[int], outputs: Sequence[int]) -> int:
    """The same from what a runtime says of its operators (op_name, inputs and outputs of each) and the graph's own ends.

    Read from the operators after delegation: one delegate that gives the graph's output and reads nothing but the graph's
    input and constants has all of it.
    """
    delegates = [operator for operator in operators if operator["op_name"].upper().endswith("DELEGATE")]
    if len(delegates) != 1:
        return len(delegates)
    made = {int(index) for operator in operators if operator is not delegates[0] for index in operator["outputs"]}
    reads = {int(index) for index in delegates[0]["inputs"]}
    whole = set(outputs) <= {int(index) for index in delegates[0]["outputs"]} and not (reads & made - set(inputs))
    return 1 if whole else 0


def _compare_on(
    runtime: Runtime, version: str, tflite: bytes, images: npt.NDArray[np.uint8], contract: InputContract, reference: Floats
) -> Parity:
    interpreter = runtime.interpreter(tflite)
    rows, milliseconds = _run(interpreter, images, contract)
    found = _normalised(runtime.name, rows)
    if found.shape != reference.shape:
        raise GateError(f"{runtime.name}: expected embeddings {list(reference.shape)} as torch gives, got {list(found.shape)}")
    return Parity(
        runtime=runtime.name,
        version=version,
        faces=len(images),
        max_abs=float(np.abs(found - reference).max()),
        cosines=(found * reference).sum(1),
        partitions=partitions(interpreter),
        milliseconds=milliseconds,
    )


def _run(interpreter: Any, images: npt.NDArray[np.uint8], contract: InputContract) -> tuple[npt.NDArray[np.float32], float]:
    """(embeddings `[N, D]` as the file gives them, median milliseconds of an inference)."""
    source, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    rows, times = [], []
    for image in images:
        pixels = image[None].astype(np.float32) * np.float32(contract.scale) + np.float32(contract.offset)
        interpreter.set_tensor(source, np.ascontiguousarray(pixels[..., ::-1] if contract.color == "bgr" else pixels))
        start = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - start)
        rows.append(interpreter.get_tensor(result).reshape(-1).copy())
    return np.stack(rows), float(np.median(times)) * 1e3


def _normalised(name: str, rows: npt.NDArray[Any]) -> Floats:
    """Rows of length 1 in float64, so that cosines near 1 are exact to more digits than the runtimes give."""
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        bad = int((~np.isfinite(lengths) | (lengths == 0)).sum())
        raise GateError(f"{name}: {bad} of {len(rows)} embeddings are not finite or of length zero; this variant must not ship")
    return rows / lengths
