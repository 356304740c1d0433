"""Key points from a photograph and from its mirror image: what the detector is off by at random, and to one side, is halved.

A detector does not find quite the same points in a picture and in its mirror image, and has no reason to be better at the one than at the
other. Their mean is nearer to the face, for a second run of the detector.
"""

from __future__ import annotations

import numpy as np

from runtime_py.detector import Detection
from runtime_py.image import Pixels
from runtime_py.recognizer import Face, Finder

_SIDES = {"left": "right", "right": "left"}


class Mirrored:
    """A finder of faces as `Identifier` takes one, which asks `finder` twice. May be shared between threads."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    def faces(self, photograph: Pixels) -> tuple[Face, ...]:
        """The faces of `photograph` `[H, W, 3]` uint8 RGB, largest first; the mirror image adds none. Error: ModelRunError."""
        detector = self._finder.detector
        found = detector.find(photograph)
        again = [_mirrored(item, photograph.shape[1]) for item in detector.find(np.ascontiguousarray(photograph[:, ::-1]))]
        return tuple(self._face(photograph, _mean(face, again, detector.settings.min_overlap)) for face in found)

    def _face(self, photograph: Pixels, detection: Detection) -> Face:
        return Face(detection, self._finder.crop(photograph, detection.key_points))


def _mirrored(face: Detection, width: int) -> Detection:
    """A face of the mirror image of a photograph of that width, where it is in the photograph itself."""
    left, top, right, bottom = face.box
    points = face.key_points * (-1, 1) + (width - 1, 0)
    sides = [_other_side(name) for name in face.names]
    rows = [sides.index(name) for name in face.names]
    return Detection((width - 1 - right, top, width - 1 - left, bottom), face.score, points[rows], face.names)


def _other_side(name: str) -> str:
    side, dash, part = name.partition("-")
    return _SIDES.get(side, side) + dash + part


def _mean(face: Detection, again: list[Detection], least: float) -> Detection:
    """`face` with the mean of its key points and those of the same face among `again`: of the one that it overlaps most, by `least` at
    least, by which the detector too tells that two boxes are one face."""
    same = max(again, key=lambda other: _overlap(face, other), default=None)
    if same is None or _overlap(face, same) < least:
        return face
    return Detection(face.box, face.score, (face.key_points + same.key_points) / 2, face.names)


def _overlap(first: Detection, second: Detection) -> float:
    """Intersection over union of two boxes."""
    across = min(first.box[2], second.box[2]) - max(first.box[0], second.box[0])
    down = min(first.box[3], second.box[3]) - max(first.box[1], second.box[1])
    both = max(0.0, across) * max(0.0, down)
    return both / (first.area + second.area - both) if both > 0 else 0.0
