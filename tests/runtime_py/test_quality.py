"""Each measure on its own: every picture is as good as can be but for the one thing that the test changes."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from runtime_py.bundle import Bundle
from runtime_py.detector import Detection
from runtime_py.landmarks import FOUR
from runtime_py.manifest import Manifest
from runtime_py.quality import GATE, Measure, quality
from runtime_py.recognizer import Face

PHOTOGRAPH = np.zeros((400, 400, 3), np.uint8)
BOX = (100.0, 100.0, 300.0, 300.0)
SIDE = 112


@pytest.fixture(scope="module")
def manifest(face_bundle: Path) -> Manifest:
    return Bundle.open(face_bundle).manifest


@pytest.fixture(scope="module")
def between_eyes(manifest: Manifest) -> float:
    """Pixels between the eyes in the crop."""
    places = {point.name: point for point in manifest.preprocessing.templates[0].points}
    return math.hypot(places["right-eye"].x - places["left-eye"].x, places["right-eye"].y - places["left-eye"].y)


def checked(mean: float = 128.0, spread: float = 50.0) -> np.ndarray:
    """A crop of two greys, pixel by pixel in turn: of that mean and standard deviation, and as sharp as can be."""
    odd = np.indices((SIDE, SIDE)).sum(0) % 2
    return np.repeat(np.rint(mean + spread * (2 * odd - 1)).astype(np.uint8)[:, :, None], 3, axis=2)


def striped(period: float) -> np.ndarray:
    """A crop of grey waves. Laplacian and variance have the ratio (2 - 2 cos w)² for w = 2 pi / period: 0.018 for a 17th, 0.0058 for a
    third of the 68 pixels that are looked at."""
    wave = np.rint(128 + 100 * np.sin(2 * math.pi / period * np.arange(SIDE))).astype(np.uint8)
    return np.repeat(np.tile(wave, (SIDE, 1))[:, :, None], 3, axis=2)


def points(eyes: float, sideways: float = 0.0, down: float = 0.5, tilt: float = 0.0) -> np.ndarray:
    """Eyes so many pixels apart, the mouth as far below their middle; the nose at a share of both; all turned by so many degrees."""
    upright = eyes * np.array([[-0.5, 0.0], [0.5, 0.0], [sideways, down], [0.0, 1.0]])
    c, s = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    return 200 + upright @ np.array([[c, s], [-s, c]])


def flaw(manifest: Manifest, places: np.ndarray, box: tuple[float, float, float, float] = BOX, crop: np.ndarray | None = None) -> str:
    found = quality(PHOTOGRAPH, Face(Detection(box, 1.0, places, FOUR), checked() if crop is None else crop), manifest)
    assert found.good_enough == (found.score >= GATE)
    return "" if found.flaw is None else found.flaw.flaw


def test_a_measure_is_half_at_its_gate_and_whole_where_it_is_good_whichever_way_it_runs() -> None:
    for measure in (Measure("", 10.0, 20.0, ""), Measure("", -10.0, -20.0, "")):
        values = [factor * measure.good / 20 for factor in (-30, 0, 10, 15, 20, 90)]
        assert [measure.score(value) for value in values] == [0.0, 0.0, 0.5, 0.75, 1.0, 1.0]


def test_a_picture_without_a_flaw_has_the_whole_score(manifest: Manifest, between_eyes: float) -> None:
    face = Face(Detection(BOX, 1.0, points(2 * between_eyes), FOUR), checked())
    found = quality(PHOTOGRAPH, face, manifest)
    assert found.score == 1.0 and found.flaw is None and found.reason == ""


@pytest.mark.parametrize(("factor", "expected"), [(1.01, ""), (0.99, "small")])
def test_a_face_is_small_where_the_crop_would_have_more_pixels(
    manifest: Manifest, between_eyes: float, factor: float, expected: str
) -> None:
    assert flaw(manifest, points(factor * between_eyes)) == expected


def test_the_crop_is_that_of_the_detector_s_template(manifest: Manifest, between_eyes: float) -> None:
    (template,) = manifest.preprocessing.templates
    larger = tuple(dataclasses.replace(point, x=2 * point.x, y=2 * point.y) for point in template.points)
    other = dataclasses.replace(template, name="other", points=larger)
    for templates in ((template, other), (other, template)):
        both = dataclasses.replace(manifest, preprocessing=dataclasses.replace(manifest.preprocessing, templates=templates))
        assert [flaw(both, points(factor * between_eyes)) for factor in (1.01, 0.99)] == ["", "small"]


@pytest.mark.parametrize("sign", [-1, 1])
def test_turned_and_tilted_heads_are_told_to_both_sides(manifest: Manifest, between_eyes: float, sign: int) -> None:
    eyes = 2 * between_eyes
    assert [flaw(manifest, points(eyes, sideways=sign * by)) for by in (0.24, 0.26)] == ["", "turned sideways"]
    assert [flaw(manifest, points(eyes, down=0.5 + sign * by)) for by in (0.21, 0.23)] == ["", "turned up or down"]
    assert [flaw(manifest, points(eyes, tilt=sign * by)) for by in (24, 26)] == ["", "tilted"]
    assert flaw(manifest, points(eyes, sideways=sign * 0.24, down=0.5 - sign * 0.21, tilt=24)) == "", "each by its own axis"


@pytest.mark.parametrize(
    "out",  # a unit of the box's side, past each edge of the photograph
    [(-1, 0), (1, 0), (0, -1), (0, 1)],
    ids=["left", "right", "top", "bottom"],
)
def test_a_face_is_cut_off_where_too_much_is_past_an_edge(manifest: Manifest, between_eyes: float, out: tuple[int, int]) -> None:
    found = []
    for share in (0.04, 0.06):  # of 200 pixels past an edge, which lies at -1/2 or 399 1/2
        left, top = (100.0 if not side else -0.5 - 200 * share if side < 0 else 199.5 + 200 * share for side in out)
        found.append(flaw(manifest, points(2 * between_eyes), (left, top, left + 200, top + 200)))
    assert found == ["", "cut off"]


@pytest.mark.parametrize("box", [(500.0, 100.0, 700.0, 300.0), (-300.0, -300.0, -100.0, -100.0), (100.0, 100.0, 100.0, 300.0)])
def test_a_face_out_of_the_picture_or_without_area_is_cut_off(
    manifest: Manifest, between_eyes: float, box: tuple[float, float, float, float]
) -> None:
    assert flaw(manifest, points(2 * between_eyes), box) == "cut off"


def test_light_and_sharpness_have_their_gates(manifest: Manifest, between_eyes: float) -> None:
    def judged(*crops: np.ndarray) -> list[str]:
        return [flaw(manifest, points(2 * between_eyes), crop=crop) for crop in crops]

    assert judged(checked(46, 30), checked(44, 30)) == ["", "dark"]
    assert judged(checked(224, 30), checked(226, 29)) == ["", "bright"]
    assert judged(checked(128, 13), checked(128, 11)) == ["", "flat"]
    assert judged(striped(17), striped(68 / 3)) == ["", "blurred"]
    # Rec. 601: blue of 205 has a luma of 23, red of 205 one of 61.
    blue, red = (checked(205, 50) * np.array(colour, np.uint8) for colour in ([0, 0, 1], [1, 0, 0]))
    assert judged(blue, red) == ["dark", ""]


def test_only_the_middle_of_the_crop_is_looked_at(manifest: Manifest, between_eyes: float) -> None:
    crop = checked(250, 5)
    crop[22:90, 22:90] = checked()[22:90, 22:90]
    assert flaw(manifest, points(2 * between_eyes), crop=crop) == ""


def test_one_grey_all_over_is_flat(manifest: Manifest, between_eyes: float) -> None:
    """Its variance is 0, which nothing is divided by."""
    assert flaw(manifest, points(2 * between_eyes), crop=np.full((SIDE, SIDE, 3), 128, np.uint8)) == "flat"


@pytest.mark.parametrize("places", [np.full((4, 2), 200.0), np.array([[150.0, 200], [250, 200], [200, 230], [200, 200]])])
def test_points_that_make_no_face_are_small(manifest: Manifest, places: np.ndarray) -> None:
    """Eyes in one place, or the mouth between the eyes."""
    assert flaw(manifest, places) == "small"
