"""Whether the picture of a face is good enough to enrol from: large, whole, looking at the camera, lit and sharp.

Rules of thumb that a person can act upon; not a learned measure of how well a picture will match. The phone's app judges by the
same measures and bounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from runtime_py import manifest
from runtime_py.image import Pixels
from runtime_py.recognizer import Face

GATE = 0.5
"""The score of a face of which one measure is just good enough."""
_MARGIN = 0.2
"""The middle of a crop, where the face is and little else: what is left when this share is cut off at each side."""


@dataclass(frozen=True)
class Measure:
    """A property of a picture: its `flaw` in a word, the bound `gate` beyond which it is not good enough, the bound `good` from
    which on it is as good as can be, and what a person can do about it."""

    flaw: str
    gate: float
    good: float
    advice: str

    def score(self, value: float) -> float:
        """0 to 1; `GATE` at the gate, 1 from `good` on."""
        return min(1.0, max(0.0, GATE + (1 - GATE) * (value - self.gate) / (self.good - self.gate)))


SIZE = Measure("small", 1.0, 1.8, "come closer or take a larger picture")
"""Distance of the eyes in the picture over that in the crop: below 1 the crop is made of invented pixels."""
INSIDE = Measure("cut off", 0.95, 1.0, "take the whole face into the picture")
"""Share of the box that lies in the picture."""
SIDEWAYS = Measure("turned sideways", 0.25, 0.08, "look at the camera")
"""How far the nose is off the middle of the eyes, along them, in distances of the eyes: about half the tangent of the turn."""
UP_DOWN = Measure("turned up or down", 0.22, 0.10, "look at the camera")
"""How far the nose is off the middle between eyes and mouth, in distances of eyes and mouth."""
TILT = Measure("tilted", 25.0, 8.0, "hold the head upright")
"""Degrees. Alignment turns the crop upright again, but the detector was made for upright faces."""
DARK = Measure("dark", 45.0, 80.0, "turn to the light")
"""Mean luma of the face, 0 to 255."""
BRIGHT = Measure("bright", 225.0, 195.0, "turn away from the light")
FLAT = Measure("flat", 12.0, 24.0, "light the face from one side")
"""Standard deviation of the luma."""
SHARP = Measure("blurred", 0.01, 0.03, "hold still, or clean the lens")
"""Energy of the Laplacian over the variance of the luma: a crop blurred by a Gaussian of 1 pixel has about 0.04, by 2 pixels 0.007."""


@dataclass(frozen=True)
class Quality:
    """`score`: 0 to 1, that of the worst measure. `flaw`: what is worst where that is not good enough."""

    score: float
    flaw: Measure | None

    @property
    def good_enough(self) -> bool:
        """Whether one may enrol from it."""
        return self.flaw is None

    @property
    def reason(self) -> str:
        """Why not, and what to do; empty where it is good enough."""
        return "" if self.flaw is None else f"the face is {self.flaw.flaw}: {self.flaw.advice}"


def quality(photograph: Pixels, face: Face, bundle: manifest.Manifest) -> Quality:
    """Judges `face`, found in `photograph` `[H, W, 3]` uint8 RGB by the bundle's detector."""
    scores = {INSIDE: _share_inside(photograph, face.detection.box), **_light(face.crop)}
    if bundle.detector is not None:
        scores |= _pose(face, bundle.detector, bundle.preprocessing)
    rated = {measure: measure.score(value) for measure, value in scores.items()}
    worst = min(rated, key=lambda measure: rated[measure])
    return Quality(rated[worst], worst if rated[worst] < GATE else None)


def _pose(face: Face, detector: manifest.Detector, preprocessing: manifest.Preprocessing) -> dict[Measure, float]:
    """Size and how the head is held, where the detector and the template name eyes, nose and mouth."""
    places = dict(zip(detector.key_points, face.detection.key_points, strict=True))
    template = next(item for item in preprocessing.templates if item.name == detector.template)
    wanted = {point.name: np.array([point.x, point.y]) for point in template.points}
    if not {"left-eye", "right-eye", "nose", "mouth"} <= set(places) or not {"left-eye", "right-eye"} <= set(wanted):
        return {}
    eyes, along = (places["left-eye"] + places["right-eye"]) / 2, places["right-eye"] - places["left-eye"]
    across = np.array([-along[1], along[0]])
    distance = math.hypot(*along)
    if distance == 0 or across @ (places["mouth"] - eyes) == 0:
        return {SIZE: 0.0}
    return {
        SIZE: distance / math.hypot(*(wanted["right-eye"] - wanted["left-eye"])),
        SIDEWAYS: abs(float((places["nose"] - eyes) @ along)) / distance**2,
        UP_DOWN: abs(float(across @ (places["nose"] - eyes)) / float(across @ (places["mouth"] - eyes)) - 0.5),
        TILT: abs(math.degrees(math.atan2(along[1], along[0]))),
    }


def _share_inside(photograph: Pixels, box: tuple[float, float, float, float]) -> float:
    height, width = photograph.shape[:2]
    across = min(box[2], width - 0.5) - max(box[0], -0.5)
    down = min(box[3], height - 0.5) - max(box[1], -0.5)
    area = (box[2] - box[0]) * (box[3] - box[1])
    return max(0.0, across) * max(0.0, down) / area if area > 0 else 0.0


def _light(crop: Pixels) -> dict[Measure, float]:
    """Brightness, contrast and sharpness of the middle of a crop `[H, W, 3]` uint8."""
    top, left = int(_MARGIN * crop.shape[0]), int(_MARGIN * crop.shape[1])
    luma = crop[top : crop.shape[0] - top, left : crop.shape[1] - left].astype(np.float64) @ np.array([0.299, 0.587, 0.114])  # Rec. 601
    variance = float(luma.var())
    laplacian = 4 * luma[1:-1, 1:-1] - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]
    mean = float(luma.mean())
    # A flat picture has a variance of 0, and noise of a grey level or two is no detail: hence at least 1.
    sharpness = float((laplacian**2).mean()) / max(variance, 1.0)
    return {DARK: mean, BRIGHT: mean, FLAT: math.sqrt(variance), SHARP: sharpness}
