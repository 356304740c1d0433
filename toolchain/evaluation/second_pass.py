"""Key points looked for once more, in the upright window around a face that was found: a trial of `toolchain photographs`.

A face that is small in a photograph is smaller still in the detector's input. In a window of twice its side it takes half of that input,
about as much as in the pictures that a detector for cameras in the hand was made for.
"""

from __future__ import annotations

import math

import numpy as np

from runtime_py.detector import Detection
from runtime_py.image import Pixels
from runtime_py.recognizer import Face, Finder
from runtime_py.resample import Affine, warp

_SIDES = 2.0


class SecondPass:
    """A finder of faces that asks another one twice."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    def faces(self, photograph: Pixels) -> tuple[Face, ...]:
        """The faces of `photograph` `[H, W, 3]` uint8 RGB, largest first, with the key points of the second look where that found the
        face again. Error: ModelRunError."""
        return tuple(self._again(photograph, face) for face in self._finder.faces(photograph))

    def _again(self, photograph: Pixels, face: Face) -> Face:
        size = self._finder.detector.settings.input.height
        to_photograph = _window(face.detection, size)
        found = self._finder.detector.find(warp(photograph, to_photograph, size, size))
        if not found:
            return face
        middle = (size - 1) / 2
        nearest = min(
            found, key=lambda item: math.dist(((item.box[0] + item.box[2]) / 2, (item.box[1] + item.box[3]) / 2), (middle, middle))
        )
        a, b, c, d, e, f = to_photograph
        points = nearest.key_points @ np.array([[a, d], [b, e]]) + np.array([c, f])
        first = face.detection
        return Face(Detection(first.box, first.score, points, first.names), self._finder.crop(photograph, points))


def _window(face: Detection, size: int) -> Affine:
    """From a window of `size` × `size`, upright by the eyes, whose side is `_SIDES` times the box's longer one, to the photograph."""
    left, top, right, bottom = face.box
    eyes = face.key_points[face.names.index("right-eye")] - face.key_points[face.names.index("left-eye")]
    scale = _SIDES * max(right - left, bottom - top) / size
    turn = math.atan2(eyes[1], eyes[0])
    along, across, middle = scale * math.cos(turn), scale * math.sin(turn), (size - 1) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return (along, -across, x - middle * (along - across), across, along, y - middle * (across + along))
