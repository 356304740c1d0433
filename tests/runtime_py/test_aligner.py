from __future__ import annotations

import math

import numpy as np
import pytest

from runtime_py.aligner import align, inverse, similarity
from runtime_py.errors import AlignmentError

POINTS = np.array([(30.0, 40.0), (70.0, 42.0), (50.5, 60.0), (49.0, 82.0)])


def moved(points: np.ndarray, transform: tuple[float, ...]) -> np.ndarray:
    a, b, c, d, e, f = transform
    return points @ np.array([[a, d], [b, e]]) + (c, f)


def test_a_known_similarity_is_found_again() -> None:
    angle, scale = 0.3, 1.7
    a, b = scale * math.cos(angle), scale * math.sin(angle)
    known = (a, -b, 12.0, b, a, -5.0)
    assert np.allclose(similarity(POINTS, moved(POINTS, known)), known, atol=1e-9)


def test_it_is_umeyamas_least_squares_solution() -> None:
    """Against his equations 40 to 42 by singular value decomposition, on points that no similarity maps exactly."""
    target = POINTS * 0.6 + np.random.default_rng(0).normal(0, 4, POINTS.shape)
    p, q = POINTS - POINTS.mean(0), target - target.mean(0)
    u, values, vt = np.linalg.svd(q.T @ p / len(p))
    flip = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(flip) @ vt
    scale = (values * flip).sum() / (p * p).sum(1).mean()
    shift = target.mean(0) - scale * rotation @ POINTS.mean(0)
    a, b, c, d, e, f = similarity(POINTS, target)
    assert np.allclose([[a, b], [d, e]], scale * rotation, atol=1e-12)
    assert np.allclose((c, f), shift, atol=1e-10)


def test_it_never_mirrors() -> None:
    a, b, _, d, e, _ = similarity(POINTS, POINTS * (-1, 1))
    assert a * e - b * d > 0


def test_inverse_undoes() -> None:
    transform = similarity(POINTS, POINTS[:, ::-1] * (1, -1) * 2.5)
    assert np.allclose(moved(moved(POINTS, transform), inverse(transform)), POINTS, atol=1e-9)


def test_a_crop_has_its_points_where_the_template_says() -> None:
    photograph = np.zeros((120, 120, 3), np.uint8)
    for x, y in np.round(POINTS).astype(int).tolist():
        photograph[y - 1 : y + 2, x - 1 : x + 2] = 255
    template = (np.round(POINTS) - 20) * 1.5
    crop = align(photograph, np.round(POINTS), template, 112, 112)
    for x, y in template.tolist():
        assert crop[round(y), round(x)].tolist() == [255] * 3
    assert crop.mean() < 5  # and nothing else is there


@pytest.mark.parametrize(
    "points", [np.full((4, 2), 7.0), POINTS * np.nan, POINTS[:1], POINTS[:3], POINTS * 1e8, POINTS * 1e20, POINTS * 1e300]
)
def test_points_without_direction_are_refused(points: np.ndarray) -> None:
    with pytest.raises(AlignmentError):
        similarity(points, POINTS)


@pytest.mark.parametrize("scale", [1e-3, 1e3, 1e7])
def test_points_that_are_far_apart_give_a_crop(scale: float) -> None:
    assert align(np.zeros((20, 20, 3), np.uint8), POINTS * scale, POINTS, 112, 112).shape == (112, 112, 3)


@pytest.mark.parametrize("scale", [1e-12, 1e-150, 1e-157, 1e8, 1e20])
def test_a_template_that_no_crop_can_be_aligned_to_is_refused(scale: float) -> None:
    with pytest.raises(AlignmentError):
        align(np.zeros((20, 20, 3), np.uint8), POINTS, POINTS * scale, 112, 112)
