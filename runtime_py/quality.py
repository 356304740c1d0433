"""Whether the picture of a face is good enough to enrol from: large, whole, looking at the camera, lit and sharp.

Rules of thumb that a person can act upon; not a learned measure of how well a picture will match. quality.json says what each measures
and where its bounds are; the phone's app judges by the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runtime_py import manifest, typed_json
from runtime_py.detector import Detection
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


@dataclass(frozen=True)
class _Bound:
    """What quality.json states of a measure."""

    gate: float
    good: float
    measures: str
    """What the number is."""


_JSON: Mapping[str, Any] = typed_json.parse(Path(__file__).with_name("quality.json").read_bytes())
STATED = {name: typed_json.read(_Bound, value, f"quality.json: {name}") for name, value in _JSON.items()}
"""The bounds, by the measure's name. Their one home: the Android app's are written from it (`toolchain/android/quality_bounds.py`)."""


def _measure(name: str, flaw: str, advice: str) -> Measure:
    return Measure(flaw, STATED[name].gate, STATED[name].good, advice)


SIZE = _measure("size", "small", "come closer or take a larger picture")
INSIDE = _measure("inside", "cut off", "take the whole face into the picture")
SIDEWAYS = _measure("sideways", "turned sideways", "look at the camera")
UP_DOWN = _measure("up_down", "turned up or down", "look at the camera")
TILT = _measure("tilt", "tilted", "hold the head upright")
DARK = _measure("dark", "dark", "turn to the light")
BRIGHT = _measure("bright", "bright", "turn away from the light")
FLAT = _measure("flat", "flat", "light the face from one side")
SHARP = _measure("sharp", "blurred", "hold still, or clean the lens")


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
    """Judges `face`, found in `photograph` `[H, W, 3]` uint8 RGB by the bundle's detector or another one."""
    scores = {
        INSIDE: _share_inside(photograph, face.detection.box),
        **_light(face.crop),
        **_pose(face.detection, bundle),
    }
    rated = {measure: measure.score(value) for measure, value in scores.items()}
    worst = min(rated, key=lambda measure: rated[measure])
    return Quality(rated[worst], worst if rated[worst] < GATE else None)


def _pose(found: Detection, bundle: manifest.Manifest) -> dict[Measure, float]:
    """Size and how the head is held, where the detection names eyes, nose and mouth, and the template of the bundle's detector the
    eyes (without a detector: any template)."""
    places = dict(zip(found.names, found.key_points, strict=True))
    name = None if bundle.detector is None else bundle.detector.template
    templates = [template for template in bundle.preprocessing.templates if name in (None, template.name)]
    wanted = {point.name: np.array([point.x, point.y]) for template in templates for point in template.points}
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
