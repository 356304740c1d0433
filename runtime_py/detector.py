"""BlazeFace: finds faces and their key points in a photograph.

V. Bazarevsky et al., BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs, arXiv:1907.05047. Every number that the
decoder needs (anchors, limits, thresholds) comes from the bundle's manifest. Coordinates count pixel centres: the centre of the
upper left pixel is (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime_py import manifest
from runtime_py.aligner import FARTHEST
from runtime_py.errors import ModelRunError
from runtime_py.image import Pixels
from runtime_py.interpreter import Interpreter, shape_of
from runtime_py.resample import Affine, warp
from runtime_py.tensors import input_table, to_tensor

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Detection:
    """A face: `box` (left, top, right, bottom) and `key_points` `[K, 2]` (x, y) in pixels of the photograph, which they may
    leave; `score` from 0 to 1. `names`: of the key points."""

    box: tuple[float, float, float, float]
    score: float
    key_points: Floats
    names: tuple[str, ...]

    @property
    def area(self) -> float:
        """Pixels."""
        return max(0.0, self.box[2] - self.box[0]) * max(0.0, self.box[3] - self.box[1])

    @property
    def farthest(self) -> float:
        """The largest coordinate, whatever its sign."""
        return max(map(abs, (*self.box, *self.key_points.flat)))


class Detector:
    """Decodes the detector that `settings`, the manifest's section, states. May be shared between threads."""

    def __init__(self, settings: manifest.Detector, tflite: bytes, threads: int = 1) -> None:
        """Errors: ModelRunError where the model's tensors are not those that the settings state; RuntimeMissingError."""
        self.settings = settings
        self.interpreter = Interpreter(tflite, f"detector {settings.name}", threads)
        self._table = input_table(settings.input)
        count, values = anchor_count(settings), 4 + 2 * len(settings.key_points)
        contract = settings.input
        stated = {
            "input": ((1, contract.height, contract.width, 3), self.interpreter.inputs[0]),
            settings.boxes: ((1, count, values), self.interpreter.output(settings.boxes)),
            settings.scores: ((1, count, 1), self.interpreter.output(settings.scores)),
        }
        for name, (shape, details) in stated.items():
            if shape_of(details) != shape or details["dtype"] != np.float32:
                raise ModelRunError(
                    f"detector {settings.name}: expected {name} float32 {list(shape)}, "
                    f"got {np.dtype(details['dtype'])} {list(shape_of(details))}; build the bundle again"
                )
        with _hushed():
            self._anchors = anchors(settings)  # only now: as many as the model really has
        names = [output["name"] for output in self.interpreter.outputs]
        self._boxes_at, self._scores_at = names.index(settings.boxes), names.index(settings.scores)

    def find(self, photograph: Pixels) -> tuple[Detection, ...]:
        """The faces of `photograph` `[H, W, 3]` uint8 RGB, largest first. A face needs about a tenth of the longer side to be
        found. Error: ModelRunError where the model gives values that are not finite."""
        contract = self.settings.input
        to_photograph = letterbox(photograph.shape[0], photograph.shape[1], contract.height, contract.width)
        fitted = warp(photograph, to_photograph, contract.height, contract.width)
        outputs = self.interpreter.run(to_tensor(fitted, contract, self._table)[None])
        boxes = outputs[self._boxes_at][0].astype(np.float64)
        logits = outputs[self._scores_at][0, :, 0].astype(np.float64)
        if not (np.isfinite(boxes).all() and np.isfinite(logits).all()):
            raise ModelRunError(f"detector {self.settings.name}: expected finite outputs, got NaN or infinity")
        with _hushed():
            points, scores = decode(boxes, logits, self._anchors, self.settings)
            merged = suppress(points, scores, self.settings.min_overlap)
            placed = [self._placed(points, score, to_photograph) for points, score in merged]
        found = [face for face in placed if face.area > 0 and face.farthest <= FARTHEST]
        return tuple(sorted(found, key=lambda face: (-face.area, -face.score, face.box)))

    def _placed(self, points: Floats, score: float, to_photograph: Affine) -> Detection:
        """From input pixels, counted from the corner, to the photograph's, counted from pixel centres."""
        scale, _, shift_x, _, _, shift_y = to_photograph
        placed = scale * (points - 0.5) + np.array([shift_x, shift_y])
        (left, top), (right, bottom) = placed[:2].tolist()
        return Detection((left, top, right, bottom), score, placed[2:], self.settings.key_points)


def _hushed() -> np.errstate:
    """A manifest may state numbers that lead past a double: what they make is left out as a face that is nowhere, and not warned of."""
    return np.errstate(over="ignore", invalid="ignore")


def letterbox(photo_height: int, photo_width: int, height: int, width: int) -> Affine:
    """From pixels of the detector's input to those of a photograph that is fitted into it, whole and centred."""
    scale = max(photo_height / height, photo_width / width)
    shift_x = 0.5 * scale - 0.5 - (width * scale - photo_width) / 2
    shift_y = 0.5 * scale - 0.5 - (height * scale - photo_height) / 2
    return (scale, 0.0, shift_x, 0.0, scale, shift_y)


def anchor_count(settings: manifest.Detector) -> int:
    """How many `anchors` there are: told without making them, since a manifest may state more than memory holds."""
    height, width = settings.input.height, settings.input.width
    cells = ((height // stride) * (width // stride) for stride in settings.anchors.strides)
    return sum(cell * count for cell, count in zip(cells, settings.anchors.per_cell, strict=True))


def anchors(settings: manifest.Detector) -> Floats:
    """`[N, 2]`: the anchors' centres (x, y) in input pixels counted from the corner, in the order of the model's outputs."""
    centres = []
    for stride, count in zip(settings.anchors.strides, settings.anchors.per_cell, strict=True):
        across = (np.arange(settings.input.width // stride) + settings.anchors.offset) * stride
        down = (np.arange(settings.input.height // stride) + settings.anchors.offset) * stride
        cells = np.stack([np.tile(across, len(down)), np.repeat(down, len(across))], axis=1)
        centres.append(np.repeat(cells, count, axis=0))
    return np.concatenate(centres)


def decode(boxes: Floats, logits: Floats, centres: Floats, settings: manifest.Detector) -> tuple[Floats, Floats]:
    """`points` `[M, 2 + K, 2]` (upper left and lower right corner, then the key points, in input pixels) and `scores` `[M]` of
    the anchors whose score reaches `min_score`, best first; equal scores stay in the anchors' order."""
    limit = settings.score_limit
    scores = 1 / (1 + np.exp(-np.clip(logits, -limit, limit)))
    kept = np.flatnonzero(scores >= settings.min_score)
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    values = boxes[kept].reshape(len(kept), boxes.shape[1] // 2, 2)
    centre, half = values[:, 0] + centres[kept], values[:, 1] / 2
    key_points = values[:, 2:] + centres[kept][:, None]
    return np.concatenate([(centre - half)[:, None], (centre + half)[:, None], key_points], axis=1), scores[kept]


def suppress(points: Floats, scores: Floats, min_overlap: float) -> list[tuple[Floats, float]]:
    """Weighted non-maximum suppression (arXiv:1907.05047, section 3.3): the best box and all that overlap it by more than
    `min_overlap` (intersection over union) become one, the mean of their points weighted by score, with the best score."""
    merged = []
    left = np.arange(len(scores))
    while len(left):
        same = overlap(points[left[0]], points[left]) > min_overlap
        same[0] = True  # a box without area does not even overlap itself
        group = left[same]
        weights = scores[group] / scores[group].sum()
        merged.append(((weights[:, None, None] * points[group]).sum(axis=0), float(scores[left[0]])))
        left = left[~same]
    return merged


def overlap(box: Floats, others: Floats) -> Floats:
    """Intersection over union of `box` `[≥ 2, 2]` with each of `others` `[M, ≥ 2, 2]`, whose first two points are corners."""
    low, high = np.maximum(box[0], others[:, 0]), np.minimum(box[1], others[:, 1])
    common = np.maximum(high - low, 0).prod(axis=1)
    areas = np.maximum(others[:, 1] - others[:, 0], 0).prod(axis=1)
    union = np.maximum(box[1] - box[0], 0).prod() + areas - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)
