"""Calibrate: record what range each activation takes, so that static int8 needs no face image later.

The float .tflite itself is run, so that ranges are known by the names of the tensors that are quantized. A range may be
narrower than what was seen: clipping a few large values makes the steps of all others smaller (Jacob et al., CVPR 2018,
section 3.1; Krishnamoorthi, arXiv:1806.08342, section 3.1.1; the mean squared error as criterion: Nagel et al.,
arXiv:2106.08295, section 3.1).

On an equalized MobileFaceNet with PReLU (200 faces to calibrate, 1,570 of other people to measure; least, first-percentile
and mean cosine to fp32): minmax 0.968, 0.983, 0.9938; average 0.946, 0.978, 0.9940; percentile 99.99 0.959, 0.983, 0.9946,
99.999 0.979, 0.990, 0.9959; mse 0.982, 0.989, 0.9957.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from runtime_py.bundle import InputContract
from toolchain.convert import flatbuffer
from toolchain.convert.quantizer import activations
from toolchain.convert.route import Onnx2Tf
from toolchain.errors import DataError, RecipeError
from toolchain.model import Model
from toolchain.stage import Context, Stage, Trait

Array = npt.NDArray[Any]
Track = Callable[[Array], Iterator[Array]]
Method = Literal["minmax", "average", "percentile", "mse"]
_BINS = 4096
_STEPS = 255  # of int8


@dataclass(frozen=True, eq=False)
class Observed:
    """What one tensor held: the `low` and `high` of each image `[N]`, and `counts` `[BINS]` of all its values in equal bins
    from the least to the largest."""

    low: Array
    high: Array
    counts: Array

    @property
    def edges(self) -> Array:
        """`[BINS + 1]`; a tensor of one value gets bins of no width."""
        return np.linspace(float(self.low.min()), float(self.high.max()), len(self.counts) + 1)


def minmax_range(seen: Observed) -> tuple[float, float]:
    """Everything that was seen."""
    return float(seen.low.min()), float(seen.high.max())


def average_range(seen: Observed) -> tuple[float, float]:
    """The mean over images of their extremes."""
    return float(seen.low.mean()), float(seen.high.mean())


def percentile_range(seen: Observed, percentile: float) -> tuple[float, float]:
    """Between the (100 - percentile)-th and the percentile-th percentile of all values."""
    share = np.cumsum(seen.counts) / seen.counts.sum()
    edges, tail = seen.edges, 1 - percentile / 100
    low = int(np.searchsorted(share, tail, side="right"))
    high = int(np.searchsorted(share, 1 - tail, side="left"))
    return float(edges[low]), float(edges[min(high + 1, len(seen.counts))])


def mse_range(seen: Observed) -> tuple[float, float]:
    """The range whose 255 steps give the least mean squared error over the histogram, by search over both ends."""
    edges = seen.edges
    values = (edges[1:] + edges[:-1]) / 2
    lowest, highest = min(edges[0], 0.0), max(edges[-1], 0.0)
    best = (np.inf, lowest, highest)
    for low in lowest * np.linspace(1.0, 0.3, 15) if lowest < 0 else [0.0]:
        for high in highest * np.linspace(1.0, 0.3, 36) if highest > 0 else [0.0]:
            step = max((high - low) / _STEPS, np.finfo(np.float32).tiny)
            zero = np.round(-low / step)
            error = float((seen.counts * ((np.clip(np.round(values / step) + zero, 0, _STEPS) - zero) * step - values) ** 2).sum())
            if error < best[0]:
                best = (error, low, high)
    return float(best[1]), float(best[2])


def observe(tflite: bytes, images: Array, contract: InputContract, track: Track) -> dict[str, Observed]:
    """Runs the float .tflite over `images` uint8 `[N, H, W, 3]` RGB twice, once for extremes and once for histograms, and
    gives what each tensor held by its name. `track` shows progress. Error: DataError where a value is not finite."""
    low: dict[str, list[float]] = {}
    high: dict[str, list[float]] = {}
    for name, values in _tensors(tflite, images, contract, track):
        low.setdefault(name, []).append(float(values.min()))
        high.setdefault(name, []).append(float(values.max()))
        if not np.isfinite(low[name][-1] + high[name][-1]):
            raise DataError(f"{name}: expected finite activations, got {low[name][-1]}..{high[name][-1]}; check the input contract")
    counts = {name: np.zeros(_BINS, np.int64) for name in low}
    for name, values in _tensors(tflite, images, contract, track):
        least, largest = min(low[name]), max(high[name])
        width = max((largest - least) / _BINS, float(np.finfo(np.float32).tiny))
        bins = ((values.reshape(-1) - least) / width).astype(np.int64)
        counts[name] += np.bincount(np.minimum(bins, _BINS - 1), minlength=_BINS)
    return {name: Observed(np.array(low[name]), np.array(high[name]), counts[name]) for name in low}


def _tensors(tflite: bytes, images: Array, contract: InputContract, track: Track) -> Iterator[tuple[str, Array]]:
    """(name, values) of the input and of every operator's result, for each image in turn."""
    model = flatbuffer.read(tflite)
    graph = model.subgraphs[0]
    indices = [int(graph.inputs[0])] + [int(index) for operator in graph.operators for index in operator.outputs]
    names = activations(model)
    # Without a delegate: XNNPACK keeps what lies between its ends to itself.
    interpreter = Interpreter(
        model_content=tflite,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
        num_threads=1,
    )
    interpreter.allocate_tensors()
    for image in track(images):
        pixels = image[None].astype(np.float32) * np.float32(contract.scale) + np.float32(contract.offset)
        interpreter.set_tensor(indices[0], np.ascontiguousarray(pixels[..., ::-1] if contract.color == "bgr" else pixels))
        interpreter.invoke()
        for name, index in zip(names, indices, strict=True):
            yield name, interpreter.get_tensor(index)


@dataclass(frozen=True)
class Calibrate(Stage):
    """Records `Model.ranges` over training faces."""

    trains: ClassVar[bool] = True
    gives: ClassVar[frozenset[Trait]] = frozenset({Trait.RANGES})

    faces: int = 200
    """How many faces, drawn at random from the training faces."""
    method: Method = "mse"
    """minmax: all that was seen; average: the mean of each image's extremes; percentile; mse: least squared error."""
    percentile: float = 99.999
    """For the method of that name."""

    def __post_init__(self) -> None:
        if self.faces < 1:
            raise RecipeError(f"Calibrate.faces: expected at least 1, got {self.faces}")
        if self.method not in ("minmax", "average", "percentile", "mse"):
            raise RecipeError(f"Calibrate.method: expected minmax, average, percentile or mse, got {self.method}")
        if not 50 < self.percentile <= 100:
            raise RecipeError(f"Calibrate.percentile: expected above 50 and at most 100, got {self.percentile}")

    def transform(self, model: Model, context: Context) -> Model:
        faces = context.training_faces("Calibrate")
        drawn = torch.randperm(len(faces), generator=context.generator("Calibrate"))[: self.faces].sort().values.numpy()
        tflite = Onnx2Tf(context.shared / "tflite").float32(model)
        seen = observe(tflite, faces.images[drawn], model.input, lambda images: context.progress.track(images, "calibrating", len(images)))
        return replace(model, ranges={name: self._range(tensor) for name, tensor in seen.items()})

    def _range(self, seen: Observed) -> tuple[float, float]:
        if self.method == "percentile":
            return percentile_range(seen, self.percentile)
        return {"minmax": minmax_range, "average": average_range, "mse": mse_range}[self.method](seen)
