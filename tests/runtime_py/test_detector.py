from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from runtime_py import detector as detector_module
from runtime_py.detector import Detector, anchors, decode, letterbox, overlap, suppress
from runtime_py.errors import ModelRunError
from runtime_py.manifest import Anchors
from runtime_py.resample import warp
from tests.tiny_tflite import tiny_tflite
from toolchain.data.synthetic import Identity, View, beside, photograph
from toolchain.detector import SETTINGS, packaged_detector


@pytest.fixture(scope="module")
def blazeface() -> Detector:
    return Detector(SETTINGS, packaged_detector().tflite)


# The decoder


def test_anchors_are_those_of_mediapipe() -> None:
    """MediaPipe's generator: for each layer of strides 16, 32, 32, 32, layers of one stride together, each cell gives two anchors a
    layer at its centre."""
    expected = []
    for stride, layers in ((16, 1), (32, 3)):
        for y in range(256 // stride):
            for x in range(256 // stride):
                expected += [((x + 0.5) * stride, (y + 0.5) * stride)] * 2 * layers
    assert anchors(SETTINGS).tolist() == [list(point) for point in expected]
    assert len(expected) == 896


def test_anchors_come_from_the_manifest_alone() -> None:
    other = replace(SETTINGS, anchors=Anchors((128,), (1,), 0.25))
    assert anchors(other).tolist() == [[32, 32], [160, 32], [32, 160], [160, 160]]


def test_boxes_and_key_points_are_offsets_from_their_anchor() -> None:
    values = np.zeros((2, 16))
    values[0] = [1, 2, 10, 20, *range(12)]
    points, scores = decode(values, np.array([5.0, -5.0]), np.array([[100.0, 50.0], [0.0, 0.0]]), SETTINGS)
    assert points[0, :2].tolist() == [[96, 42], [106, 62]]
    assert points[0, 2:].tolist() == [[100 + 2 * k, 51 + 2 * k] for k in range(6)]
    assert scores.tolist() == [1 / (1 + np.exp(-5.0))]  # the other one is below min_score


def test_logits_past_the_limit_do_not_overflow() -> None:
    with np.errstate(all="raise", under="ignore"):
        _, scores = decode(np.zeros((2, 16)), np.array([1e9, -1e9]), np.zeros((2, 2)), SETTINGS)
    assert scores.tolist() == [1.0]


def test_overlap_is_intersection_over_union() -> None:
    box = np.array([[0.0, 0.0], [2.0, 2.0]])
    others = np.array([[[0, 0], [2, 2]], [[1, 1], [3, 3]], [[5, 5], [6, 6]], [[1, 1], [1, 1]]], float)
    assert overlap(box, others) == pytest.approx([1, 1 / 7, 0, 0])


def test_overlapping_boxes_become_their_mean_weighted_by_score() -> None:
    points = np.array([[[0, 0], [10, 10], [4, 4]], [[1, 0], [11, 10], [6, 4]], [[50, 50], [60, 60], [55, 55]]], float)
    merged = suppress(points, np.array([0.9, 0.6, 0.5]), 0.3)
    assert len(merged) == 2
    assert merged[0][0] == pytest.approx((0.9 * points[0] + 0.6 * points[1]) / 1.5)
    assert merged[0][1] == 0.9
    assert np.array_equal(merged[1][0], points[2]) and merged[1][1] == 0.5


def test_bounds_are_reached_at_their_value() -> None:
    """A score of `min_score` is enough; an overlap of `min_overlap` is not. The Java SDK must take the same side."""
    settings = replace(SETTINGS, min_score=0.5)
    _, scores = decode(np.zeros((2, 16)), np.array([0.0, -1e-9]), np.zeros((2, 2)), settings)
    assert scores.tolist() == [0.5]
    third = np.array([[[0, 0], [2, 2]], [[1, 0], [3, 2]]], float)  # 2 of 6
    assert len(suppress(third, np.array([0.9, 0.8]), 1 / 3)) == 2 and len(suppress(third, np.array([0.9, 0.8]), 0.33)) == 1


def test_boxes_without_area_end_the_suppression_too() -> None:
    assert len(suppress(np.zeros((3, 2, 2)), np.array([0.9, 0.8, 0.7]), 0.3)) == 3


@pytest.mark.parametrize(("height", "width"), [(256, 256), (100, 400), (731, 255), (1, 1)])
def test_a_letterbox_holds_the_whole_photograph_centred(height: int, width: int) -> None:
    scale, _, shift_x, _, _, shift_y = letterbox(height, width, 256, 256)
    # The edges of the photograph, -½ and size - ½, lie as far from the edges of the input on both sides.
    for shift, size in ((shift_x, width), (shift_y, height)):
        low, high = ((edge - shift) / scale for edge in (-0.5, size - 0.5))
        assert low + 0.5 == pytest.approx(255.5 - high) and low >= -0.5 - 1e-9
    assert scale == pytest.approx(max(height, width) / 256)


def test_outside_a_letterboxed_photograph_is_black() -> None:
    fitted = warp(np.full((100, 400, 3), 255, np.uint8), letterbox(100, 400, 256, 256), 256, 256)
    assert not fitted[:95].any() and not fitted[161:].any() and fitted[97:159].all()


# BlazeFace


def test_drawn_faces_are_found_largest_first_where_they_were_drawn(blazeface: Detector) -> None:
    small = photograph(Identity.draw(7, 1), View.draw(7, 1, 0, 0.4), 220, 220)
    large = photograph(Identity.draw(7, 2), View.draw(7, 2, 0, 0.4), 330, 330)
    picture, (in_small, in_large) = beside((small, large))
    found = blazeface.find(picture)
    assert len(found) == 2 and found[0].area > found[1].area
    for face, points in zip(found, (in_large, in_small), strict=True):
        apart = np.linalg.norm(points[0] - points[1])
        # A quarter of the distance between the eyes: a drawn nose stands out less than a real one. The worst of 120 is 0.23.
        assert np.linalg.norm(face.key_points[:4] - points[:4], axis=1).max() < 0.25 * apart
        (left, top, right, bottom), (x, y) = face.box, points[:4].mean(axis=0)
        assert left < x < right and top < y < bottom


def test_faces_come_by_area_then_by_score_then_by_box(blazeface: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [
        (0.1, (0.0, 0.0, 4.0, 4.0)),
        (0.9, (0.0, 0.0, 3.0, 3.0)),
        (0.8, (2.0, 9.0, 5.0, 12.0)),  # copies of one face
        (0.8, (3.0, 1.0, 6.0, 4.0)),
        (0.8, (3.0, 2.0, 6.0, 5.0)),
        (0.7, (0.0, 0.0, 3.0, 3.0)),
    ]
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(wanted))
        # From the corner of the detector's input to the centre of a photograph's first pixel, of the same size: half a pixel.
        merged = [(np.reshape([*wanted[at][1], *[0.0] * 12], (8, 2)) + 0.5, wanted[at][0]) for at in order]
        monkeypatch.setattr(detector_module, "suppress", lambda *_, merged=merged: merged)
        found = blazeface.find(np.zeros((256, 256, 3), np.uint8))
        assert [(face.score, face.box) for face in found] == wanted


def test_points_are_in_pixels_of_the_photograph(blazeface: Detector) -> None:
    """Each pixel four times, or black on both sides, gives the detector the same tensor: so points agree but for rounding of doubles.
    The centre of pixel i lies at 2i + 1/2 in a picture of twice the size."""
    drawn = photograph(Identity.draw(7, 3), View(), 256, 256).image
    (face,) = blazeface.find(drawn)
    (twice,) = blazeface.find(drawn.repeat(2, axis=0).repeat(2, axis=1))
    assert np.abs(twice.key_points - (2 * face.key_points + 0.5)).max() < 1e-9
    (cut,) = blazeface.find(drawn[:, 28:-28])
    (padded,) = blazeface.find(np.pad(drawn[:, 28:-28], ((0, 0), (28, 28), (0, 0))))
    assert np.abs(padded.key_points - cut.key_points - (28, 0)).max() < 1e-9
    assert np.abs(np.subtract(padded.box, cut.box) - (28, 0, 28, 0)).max() < 1e-9


def test_a_picture_of_nobody_has_no_face(blazeface: Detector) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    for picture in (noise, np.zeros((1, 1, 3), np.uint8), np.full((3, 2000, 3), 255, np.uint8)):
        assert blazeface.find(picture) == ()


def test_a_detector_that_is_not_what_its_settings_say_is_refused() -> None:
    with pytest.raises(ModelRunError, match="expected an output 'regressors'"):
        Detector(SETTINGS, tiny_tflite(256, 256, 2, seed=0))
    with pytest.raises(ModelRunError, match=r"float32 \[1, 704, 16\], got float32 \[1, 896, 16\]"):
        Detector(replace(SETTINGS, anchors=Anchors((16, 32), (2, 3), 0.5)), packaged_detector().tflite)
    # Anchors that would take 275 GB: they are counted, not made.
    with pytest.raises(ModelRunError, match=r"float32 \[1, 17179869184, 16\], got float32 \[1, 896, 16\]"):
        Detector(replace(SETTINGS, anchors=Anchors((1,) * 64, (4096,) * 64, 0.5)), packaged_detector().tflite)


def test_outputs_that_are_not_finite_are_an_error_and_no_face(blazeface: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blazeface, "_table", np.full(256, np.nan, np.float32))
    with pytest.raises(ModelRunError, match="finite"):
        blazeface.find(np.zeros((50, 50, 3), np.uint8))


def test_the_tensor_is_the_letterboxed_photograph(blazeface: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    run = blazeface.interpreter.run
    monkeypatch.setattr(blazeface.interpreter, "run", lambda tensor: seen.append(tensor) or run(tensor))
    picture = photograph(Identity.draw(7, 4), View(), 256, 256).image
    blazeface.find(picture)
    assert seen[0].shape == (1, 256, 256, 3)
    assert np.array_equal(seen[0][0], picture.astype(np.float32) * np.float32(2 / 255) - np.float32(1))
    assert detector_module.letterbox(256, 256, 256, 256) == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@pytest.mark.parametrize("scale", [1e10, 1e20, 1e30])
def test_faces_that_lie_nowhere_near_the_photograph_are_left_out(scale: float) -> None:
    """An input of large numbers makes the net give large coordinates, which no crop can be aligned on."""
    settings = replace(SETTINGS, input=replace(SETTINGS.input, scale=scale, offset=0.0), min_score=0.0)
    picture = photograph(Identity.draw(5, 0), View.draw(5, 0, 0, 0.4), 200, 200).image
    for face in Detector(settings, packaged_detector().tflite).find(picture):
        assert np.abs(face.key_points).max() <= 1e9 and max(map(abs, face.box)) <= 1e9


def test_a_manifest_s_largest_numbers_are_not_warned_of(blazeface: Detector) -> None:
    stated = blazeface.settings
    anchored = replace(stated, anchors=replace(stated.anchors, offset=1e308))
    unlimited = replace(stated, score_limit=1e300, input=replace(stated.input, scale=1e5), min_score=0.0)
    picture = photograph(Identity.draw(5, 0), View.draw(5, 0, 0, 0.4), 200, 200).image
    with warnings.catch_warnings(action="error"):
        for settings in (anchored, unlimited):
            assert Detector(settings, packaged_detector().tflite).find(picture) == ()
        for contract in (replace(stated.input, scale=1e300), replace(stated.input, offset=1e300)):
            with pytest.raises(ModelRunError, match="expected finite outputs"):
                Detector(replace(stated, input=contract), packaged_detector().tflite).find(picture)
