"""Drawn faces: identity, pose and light from a seed, no person's picture.

A head is an ellipsoid, looked at in parallel projection. Every pixel's ray is met with it, turned back into the head's own
frame, and painted there: eyes, brows, nose, mouth, hair, so that features move with the pose as they would on a head. Light
is Lambert's, with the nose and the eye sockets as bumps of the surface. BlazeFace finds these faces and puts its key points where
they were drawn (tests/toolchain/data/test_synthetic.py), so they serve as golden vectors, and a small net learns to tell their
identities in seconds, so they serve where there is no data.

Coordinates of the head's frame: x to the right of the picture, y down, z towards the viewer; the head's half width is
about 1. Only +, −, ×, ÷ and √ are done per pixel (no exp or sin, whose last bit differs between processors), and rotations are
rounded, so that the same seed gives the same bytes on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime_py.aligner import similarity
from runtime_py.resample import Affine
from toolchain.data.faces import Faces
from toolchain.detector import template
from toolchain.errors import DataError

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]
Colour = tuple[float, ...]


@dataclass(frozen=True)
class Identity:
    """What makes a drawn person: lengths in half head widths, colours as RGB 0..255."""

    half_height: float
    depth: float
    eye_apart: float
    eye_height: float
    eye_width: float
    eye_open: float
    brow_height: float
    brow_thick: float
    brow_arch: float
    nose_length: float
    nose_width: float
    mouth_drop: float
    mouth_width: float
    lip: float
    hairline: float
    hair_side: float
    beard: float
    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    clothes: Colour

    @classmethod
    def draw(cls, seed: int, number: int) -> Identity:
        """The person `number` of the world `seed`."""
        random = np.random.Generator(np.random.PCG64([seed, number, 1]))

        def between(low: float, high: float) -> float:
            return low + (high - low) * random.random()

        tone = between(0.0, 1.0)
        skin = (232 - 110 * tone, 190 - 112 * tone, 165 - 108 * tone)
        light, red = between(0.0, 1.0), between(0.0, 1.0)
        hair = (20 + 165 * light, 15 + (125 - 40 * red) * light, 12 + (85 - 50 * red) * light)
        return cls(
            half_height=between(1.22, 1.42),
            depth=between(0.95, 1.15),
            eye_apart=between(0.38, 0.50),
            eye_height=between(-0.20, -0.06),
            eye_width=between(0.17, 0.23),
            eye_open=between(0.065, 0.115),
            brow_height=between(0.19, 0.27),
            brow_thick=between(0.025, 0.065),
            brow_arch=between(0.0, 0.10),
            nose_length=between(0.40, 0.52),
            nose_width=between(0.14, 0.24),
            mouth_drop=between(0.27, 0.36),
            mouth_width=between(0.27, 0.42),
            lip=between(0.05, 0.11),
            hairline=between(-0.95, -0.62),
            hair_side=between(0.72, 0.98),
            beard=between(0.0, 0.5) if between(0.0, 1.0) < 0.35 else 0.0,
            skin=skin,
            hair=hair,
            iris=(between(30, 110), between(50, 120), between(40, 150)),
            lips=(skin[0] * 0.82, skin[1] * between(0.45, 0.68), skin[2] * between(0.5, 0.72)),
            clothes=(between(20, 220), between(20, 220), between(20, 220)),
        )

    def landmarks(self) -> Floats:
        """`[6, 3]`: the eyes (left of the picture first), nose tip, mouth centre, ears, in the head's frame."""
        nose = self.eye_height + self.nose_length
        mouth = nose + self.mouth_drop
        points = [
            (-self.eye_apart, self.eye_height),
            (self.eye_apart, self.eye_height),
            (0.0, nose),
            (0.0, mouth),
        ]
        front = [(x, y, self.depth * math.sqrt(1 - x * x - (y / self.half_height) ** 2)) for x, y in points]
        front[2] = (0.0, nose, front[2][2] + NOSE_OUT)
        ear = math.sqrt(max(0.0, 1 - (EAR_Y / self.half_height) ** 2))
        return np.array([*front, (-ear, EAR_Y, 0.0), (ear, EAR_Y, 0.0)])


NOSE_OUT = 0.18
EAR_Y = 0.02


@dataclass(frozen=True)
class View:
    """How a person is seen: angles in radians, colours 0..255; `smile` and `gaze` from -1 to 1."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    light_x: float = 0.0
    light_y: float = -0.5
    ambient: float = 0.6
    smile: float = 0.0
    gaze: float = 0.0
    background: Colour = (150.0, 160.0, 170.0)
    backdrop: float = 20.0
    grain: float = 3.0
    grain_seed: int = 0

    @classmethod
    def draw(cls, seed: int, number: int, which: int, spread: float = 1.0) -> View:
        """View `which` of person `number` in the world `seed`; `spread` scales pose, light and expression."""
        random = np.random.Generator(np.random.PCG64([seed, number, 2, which]))

        def about(width: float) -> float:
            return spread * width * (2 * random.random() - 1)

        return cls(
            yaw=about(0.38),
            pitch=about(0.20),
            roll=about(0.22),
            light_x=about(0.9),
            light_y=-0.45 + about(0.45),
            ambient=0.6 + about(0.15),
            smile=about(1.0),
            gaze=about(1.0),
            background=(130 + about(90), 130 + about(90), 130 + about(90)),
            backdrop=about(40),
            grain=3.0,
            grain_seed=int(random.integers(1 << 30)),
        )

    def rotation(self) -> Floats:
        """`[3, 3]` from the head's frame to the viewer's: yaw, then pitch, then roll."""
        cy, sy, cp, sp, cr, sr = (f(a) for a in (self.yaw, self.pitch, self.roll) for f in (math.cos, math.sin))
        yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        return np.round(roll @ pitch @ yaw, 9)


@dataclass(frozen=True, eq=False)
class Drawing:
    """A picture `[H, W, 3]` uint8 RGB and where its key points lie: `[6, 2]` (x, y) in pixels, pixel centres at whole
    numbers; eyes (left of the picture first), nose tip, mouth centre, ears."""

    image: Pixels
    key_points: Floats


def photograph(identity: Identity, view: View, height: int = 320, width: int = 320, head: float = 0.24) -> Drawing:
    """A whole picture with one person in the middle. `head` is the head's half width as a part of the smaller side."""
    scale = head * min(height, width)
    x, y = 0.5 * width - 0.5, 0.48 * height - 0.5
    return _draw(identity, view, height, width, (1 / scale, 0.0, -x / scale, 0.0, 1 / scale, -y / scale))


def beside(drawings: Sequence[Drawing]) -> tuple[Pixels, tuple[Floats, ...]]:
    """Several pictures side by side as one, lower ones ending in black, and the key points of each person in it."""
    height = max(drawing.image.shape[0] for drawing in drawings)
    panels, points, left = [], [], 0
    for drawing in drawings:
        below = height - drawing.image.shape[0]
        panels.append(np.pad(drawing.image, ((0, below), (0, 0), (0, 0))))
        points.append(drawing.key_points + np.array([left, 0]))
        left += drawing.image.shape[1]
    return np.concatenate(panels, axis=1), tuple(points)


def crop(identity: Identity, view: View, height: int = 112, width: int = 112) -> Pixels:
    """`[height, width, 3]`: the person drawn aligned to the template of that size."""
    points = np.array([(point.x, point.y) for point in template(height, width).points])
    seen = (identity.landmarks()[: len(points)] @ view.rotation().T)[:, :2]
    return _draw(identity, view, height, width, similarity(points, seen)).image


def faces(identities: int, each: int, height: int = 112, width: int = 112, seed: int = 0, spread: float = 1.0) -> Faces:
    """Aligned faces of drawn persons, `each` views of each: names `drawn_0000/00.png` and so on. The first views of the first
    persons are the same whatever the numbers asked for. Error: DataError for numbers below 1."""
    if identities < 1 or each < 1:
        raise DataError(f"drawn faces: expected 1 identity and 1 view of each or more, got {identities} and {each}")
    drawn = np.empty((identities * each, height, width, 3), np.uint8)
    for number in range(identities):
        person = Identity.draw(seed, number)
        for which in range(each):
            drawn[number * each + which] = crop(person, View.draw(seed, number, which, spread), height, width)
    return Faces(drawn, tuple(f"drawn_{number:04d}/{which:02d}.png" for number in range(identities) for which in range(each)))


def _draw(identity: Identity, view: View, height: int, width: int, source: Affine) -> Drawing:
    """`source` (a, b, c, d, e, f) maps pixels to the viewer's plane in head units, as `warp` takes it."""
    a, b, c, d, e, f = source
    across, down = np.arange(width, dtype=np.float64)[None, :], np.arange(height, dtype=np.float64)[:, None]
    u, v = a * across + b * down + c, d * across + e * down + f
    soft = math.sqrt(abs(a * e - b * d))
    canvas = _backdrop(identity, view, u, v, soft)
    surface = _Surface.seen(identity, view, u, v)
    skin = _paint_face(identity, view, surface, soft)
    lit = skin * _light(identity, view, surface)[:, :, None]
    _over(canvas, _cover(surface.rim - 1, soft), lit)
    grain = np.random.Generator(np.random.PCG64([view.grain_seed])).random((height, width, 1)) - 0.5
    image = np.floor(np.clip(canvas + 2 * view.grain * grain, 0, 255) + 0.5).astype(np.uint8)
    seen = (identity.landmarks() @ view.rotation().T)[:, :2]
    determinant = a * e - b * d
    x, y = seen[:, 0] - c, seen[:, 1] - f
    key_points = np.stack([(e * x - b * y) / determinant, (a * y - d * x) / determinant], axis=1)
    return Drawing(image, key_points)


def _cover(distance: Floats, soft: float) -> Floats:
    """How much of a pixel of size `soft` lies inside an edge at signed `distance` (negative: inside)."""
    return np.clip(0.5 - distance / soft, 0.0, 1.0)


def _over(canvas: Floats, mask: Floats, colour: Floats | Colour) -> None:
    """Paints `colour` over `canvas` `[H, W, 3]` where `mask` `[H, W]` says, in place."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return
    # Most features are small: only the part of the picture that holds the mask is touched.
    part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    painted = np.asarray(colour, np.float64)
    canvas[part] += mask[part][:, :, None] * ((painted[part] if painted.ndim == 3 else painted) - canvas[part])


def _ellipse(x: Floats, y: Floats, radius_x: float, radius_y: float) -> Floats:
    """About the signed distance from an ellipse around the origin."""
    return (np.sqrt((x / radius_x) ** 2 + (y / radius_y) ** 2) - 1) * min(radius_x, radius_y)


def _bump(t: Floats) -> Floats:
    """(1 − t²)² within |t| < 1, 0 outside: a smooth hill."""
    inside = np.clip(1 - t * t, 0.0, 1.0)
    return np.asarray(inside * inside)


def _backdrop(identity: Identity, view: View, u: Floats, v: Floats, soft: float) -> Floats:
    """The wall, shoulders, neck, the hair behind the head, and the ears."""
    canvas = np.empty((*u.shape, 3))
    canvas[:] = view.background
    canvas += (view.backdrop * np.clip(u / 3, -1, 1) - 0.5 * view.backdrop * np.clip(v / 3, -1, 1))[:, :, None]
    chin = identity.half_height
    _over(canvas, _cover(_ellipse(u, v - chin - 1.75, 2.1, 1.35), soft), identity.clothes)
    neck = np.maximum(abs(u) - 0.52, abs(v - chin + 0.1) - 0.75)
    _over(canvas, _cover(neck, soft), tuple(0.72 * channel for channel in identity.skin))
    turn = view.rotation()
    back = turn @ np.array([0.0, -0.12, -0.15])
    hair = tuple(0.75 * channel for channel in identity.hair)
    _over(canvas, _cover(_ellipse(u - back[0], v - back[1], 1.07, 1.04 * chin), soft), hair)
    for ear in identity.landmarks()[4:] @ turn.T:
        _over(canvas, _cover(_ellipse(u - ear[0], v - ear[1], 0.13, 0.25), soft), tuple(0.85 * channel for channel in identity.skin))
    return canvas


@dataclass(frozen=True)
class _Surface:
    """The head's surface under each pixel, all `[H, W]`, in the head's frame; `rim` is below 1 inside the outline."""

    x: Floats
    y: Floats
    z: Floats
    rim: Floats

    @classmethod
    def seen(cls, identity: Identity, view: View, u: Floats, v: Floats) -> _Surface:
        """Meets the ray (u, v, t) with |p / radii| = 1, nearest to the viewer."""
        back = view.rotation().T
        radii = np.array([1.0, identity.half_height, identity.depth])
        origin = [back[k, 0] * u + back[k, 1] * v for k in range(3)]
        towards = back[:, 2]
        ww = float(((towards / radii) ** 2).sum())
        qq = sum((origin[k] / radii[k]) ** 2 for k in range(3))
        qw = sum(origin[k] * (towards[k] / radii[k] ** 2) for k in range(3))
        rim2 = np.maximum(qq - qw * qw / ww, 0.0)
        t = (np.sqrt(np.maximum(1 - rim2, 0.0) * ww) - qw) / ww
        x, y, z = (origin[k] + t * towards[k] for k in range(3))
        return cls(x, y, z, np.sqrt(rim2))


def _nose(identity: Identity, view: View, surface: _Surface) -> tuple[Floats, Floats]:
    """(across, along) of the nose under each pixel: across 0 on its ridge, along 0 between the eyes and 1 at the tip. The
    tip stands out of the head, so it is painted where the surface lies behind it in this view."""
    tip = view.rotation() @ identity.landmarks()[2]
    behind = _Surface.seen(identity, view, np.full((1, 1), tip[0]), np.full((1, 1), tip[1]))
    along = (surface.y - identity.eye_height) / (float(behind.y[0, 0]) - identity.eye_height)
    return surface.x - float(behind.x[0, 0]) * np.clip(along, 0.0, 1.2), along


def _light(identity: Identity, view: View, surface: _Surface) -> Floats:
    """Lambert's light on the surface, its normal bent by the nose and the eye sockets."""
    across, along = _nose(identity, view, surface)
    t = np.clip(across / identity.nose_width, -1.0, 1.0)
    rise = np.where(along <= 1, np.clip(along, 0, 1), np.clip(1 - (along - 1) / 0.3, 0, 1))
    slope_x = -4 * t * (1 - t * t) / identity.nose_width * 0.16 * rise
    slope_y = _bump(t) * np.where(along <= 1, np.where(along > 0, 0.25, 0.0), np.where(along < 1.3, -1.1, 0.0))
    for side in (-1, 1):
        x, y = (surface.x - side * identity.eye_apart) / 0.34, (surface.y - identity.eye_height) / 0.24
        inside = np.clip(1 - x * x - y * y, 0.0, 1.0)
        slope_x += 0.30 * inside * x
        slope_y += 0.45 * inside * y
    n = [surface.x - slope_x, surface.y / identity.half_height**2 - slope_y, surface.z / identity.depth**2]
    length = np.sqrt(n[0] ** 2 + n[1] ** 2 + n[2] ** 2)
    light = view.rotation().T @ (np.array([view.light_x, view.light_y, 0.9]) / math.sqrt(view.light_x**2 + view.light_y**2 + 0.81))
    facing = np.maximum(sum(n[k] * light[k] for k in range(3)) / length, 0.0)
    return np.asarray(view.ambient + (1.15 - view.ambient) * facing)


def _paint_face(identity: Identity, view: View, surface: _Surface, soft: float) -> Floats:
    """The colour of the head's surface `[H, W, 3]` under white light."""
    x, y = surface.x, surface.y
    front = np.clip(surface.z / 0.15, 0.0, 1.0)
    canvas = np.empty((*x.shape, 3))
    canvas[:] = identity.skin
    mouth = identity.eye_height + identity.nose_length + identity.mouth_drop
    for side in (-1, 1):
        _over(canvas, 0.22 * _bump(np.clip(np.sqrt((x - side * 0.52) ** 2 + (y - mouth + 0.35) ** 2) / 0.3, 0, 1)), identity.lips)
    chin = np.clip((y - mouth + 0.28 + 0.25 * abs(x)) / 0.2, 0.0, 1.0)
    _over(canvas, identity.beard * chin, identity.hair)
    _paint_nose(identity, view, surface, canvas, front, soft)
    _paint_mouth(identity, view, x, y - mouth, canvas, front, soft)
    for side in (-1, 1):
        _paint_eye(identity, view, side, x - side * identity.eye_apart, y - identity.eye_height, canvas, front, soft)
    hairline = y - (identity.hairline + 0.45 * x * x)
    sides = np.maximum(identity.hair_side - abs(x), y - 0.15)
    _over(canvas, np.maximum(_cover(np.minimum(hairline, sides), 2 * soft), np.clip(-surface.z / 0.1, 0.0, 1.0)), identity.hair)
    return canvas


def _paint_eye(identity: Identity, view: View, side: int, x: Floats, y: Floats, canvas: Floats, front: Floats, soft: float) -> None:
    """Brow, lids, white, iris, pupil, glint, around the eye's centre."""
    t = x / (1.35 * identity.eye_width)
    arch = y + identity.brow_height + identity.brow_arch * (1 - t * t) - 0.03 * side * t
    brow = np.maximum(abs(arch) - identity.brow_thick * np.clip(1.25 - t * t, 0.0, 1.0), (abs(t) - 1) * 0.2)
    _over(canvas, 0.9 * front * _cover(brow, soft), tuple(0.6 * channel for channel in identity.hair))
    lid = _cover(_ellipse(x, y + 0.012, 1.12 * identity.eye_width, 1.3 * identity.eye_open), soft)
    _over(canvas, 0.75 * front * lid, tuple(0.35 * channel for channel in identity.skin))
    white = front * _cover(_ellipse(x, y - 0.008, identity.eye_width, identity.eye_open), soft)
    _over(canvas, white, (235.0, 232.0, 228.0))
    looked = x - 0.04 * view.gaze
    radius = min(0.10, 1.15 * identity.eye_open)
    _over(canvas, white * _cover(_ellipse(looked, y, radius, radius), soft), identity.iris)
    _over(canvas, white * _cover(_ellipse(looked, y, 0.5 * radius, 0.5 * radius), soft), (12.0, 10.0, 10.0))
    _over(canvas, white * _cover(_ellipse(looked + 0.03, y + 0.03, 0.02, 0.02), soft), (250.0, 250.0, 250.0))


def _paint_nose(identity: Identity, view: View, surface: _Surface, canvas: Floats, front: Floats, soft: float) -> None:
    """Nostrils and the shadow under the tip; the ridge itself is in the light."""
    across, along = _nose(identity, view, surface)
    under = (along - 1) * identity.nose_length
    shadow = _cover(_ellipse(across, under - 0.07, 0.85 * identity.nose_width, 0.05), 0.06)
    _over(canvas, 0.35 * front * shadow, tuple(0.45 * channel for channel in identity.skin))
    for side in (-1, 1):
        hole = _ellipse(across - side * 0.45 * identity.nose_width, under - 0.055, 0.05, 0.028)
        _over(canvas, 0.85 * front * _cover(hole, soft), tuple(0.2 * channel for channel in identity.skin))


def _paint_mouth(identity: Identity, view: View, x: Floats, y: Floats, canvas: Floats, front: Floats, soft: float) -> None:
    """Lips around a line whose corners rise with a smile."""
    width = identity.mouth_width * (1 + 0.12 * view.smile)
    t = np.clip(x / width, -1.0, 1.0)
    line = y + 0.05 * view.smile * (t * t - 0.4)
    full = identity.lip * (1 - t * t)
    ends = (abs(x) - width) * 1.0
    upper = np.maximum(np.maximum(-line - full * (0.8 + 0.2 * t * t), line), ends)
    lower = np.maximum(np.maximum(line - 1.25 * full, -line), ends)
    _over(canvas, front * _cover(upper, soft), tuple(0.85 * channel for channel in identity.lips))
    _over(canvas, front * _cover(lower, soft), identity.lips)
    _over(canvas, 0.85 * front * _cover(np.maximum(abs(line) - 0.018, ends), soft), tuple(0.3 * channel for channel in identity.lips))
