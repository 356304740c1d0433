"""Faces that another detector found: from its landmarks, or from crops that are aligned already, to the bundle's own crops.

Every detector names eyes, nose and mouth, some the mouth by its two corners. The template is the bundle's: whichever names the most of
these points. Left and right are those of the picture, not of the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime_py import manifest
from runtime_py.aligner import align
from runtime_py.detector import Detection
from runtime_py.errors import AlignmentError, ImageArrayError
from runtime_py.image import Pixels, check_photograph
from runtime_py.recognizer import Face

Points = npt.NDArray[np.floating]

FOUR = ("left-eye", "right-eye", "nose", "mouth")
FIVE = ("left-eye", "right-eye", "nose", "left-mouth", "right-mouth")
"""As YuNet, RetinaFace and MTCNN give them."""
_ROOM = 1.0
"""A box that no detector stated reaches this many distances of the eyes past the landmarks: about to hairline, chin and ears."""


@dataclass(frozen=True, eq=False)
class Marked:
    """A photograph `[H, W, 3]` uint8 RGB in which another detector found faces: for each its landmarks `[5, 2]` (`FIVE`) or `[4, 2]`
    (`FOUR`), x and y in pixels counted from the centre of the upper left one. `landmarks` None: `pixels` is an aligned crop."""

    name: str
    pixels: Pixels
    landmarks: Sequence[Points] | None = None


def faces_of(marked: Marked, preprocessing: manifest.Preprocessing) -> tuple[Face, ...]:
    """The faces of `marked`, largest first. Errors: ImageArrayError for other pixels; AlignmentError for points that are none."""
    pixels = check_photograph(marked.pixels)
    if marked.landmarks is None:
        return (_aligned(pixels, preprocessing.input),)
    faces = [face_at(pixels, points, preprocessing) for points in marked.landmarks]
    return tuple(sorted(faces, key=lambda face: -face.detection.area))


def face_at(
    photograph: Pixels,
    landmarks: Points,
    preprocessing: manifest.Preprocessing,
    box: tuple[float, float, float, float] | None = None,
    score: float = 1.0,
) -> Face:
    """The face of `photograph` `[H, W, 3]` whose `landmarks` are `[5, 2]` or `[4, 2]`, aligned to the bundle's template. `box` (left,
    top, right, bottom): where none is given, one is laid around the landmarks. Error: AlignmentError."""
    points = np.asarray(landmarks, np.float64)
    if points.shape not in ((4, 2), (5, 2)) or not np.isfinite(points).all():
        raise AlignmentError(
            f"landmarks: expected 5 points {list(FIVE)} or 4 {list(FOUR)} as finite [5, 2] or [4, 2], got {list(points.shape)}"
        )
    found = dict(zip(FIVE if len(points) == 5 else FOUR, points, strict=True))
    if len(points) == 5:
        found["mouth"] = (points[3] + points[4]) / 2
    template = _template(preprocessing, found)
    source = np.array([found[point.name] for point in template.points])
    target = np.array([(point.x, point.y) for point in template.points])
    crop = align(photograph, source, target, preprocessing.input.height, preprocessing.input.width)
    places = np.array([found[name] for name in FOUR])
    return Face(Detection(box or _around(places), score, places, FOUR), crop)


def _template(preprocessing: manifest.Preprocessing, found: dict[str, npt.NDArray[np.float64]]) -> manifest.Template:
    """The one of most points, all of which were found."""
    fitting = [template for template in preprocessing.templates if {point.name for point in template.points} <= set(found)]
    if not fitting:
        names = ", ".join(template.name for template in preprocessing.templates)
        raise AlignmentError(f"landmarks: expected a bundle with a template of eyes, nose and mouth, got {names}; give aligned crops")
    return max(fitting, key=lambda template: len(template.points))


def _around(places: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    room = _ROOM * float(np.hypot(*(places[1] - places[0])))
    (left, top), (right, bottom) = (places.min(0) - room).tolist(), (places.max(0) + room).tolist()
    return left, top, right, bottom


def _aligned(pixels: Pixels, contract: manifest.InputContract) -> Face:
    """A crop as a face of its own picture: where eyes and nose are in it is not asked, since alignment put them there."""
    height, width = pixels.shape[:2]
    if (height, width) != (contract.height, contract.width):
        raise ImageArrayError(
            f"expected an aligned crop of {contract.height} x {contract.width}, got {height} x {width}; give its landmarks, or a photograph"
        )
    return Face(Detection((-0.5, -0.5, width - 0.5, height - 0.5), 1.0, np.zeros((0, 2)), ()), pixels)
