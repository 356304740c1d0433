from __future__ import annotations

import math

import numpy as np

from runtime_py.resample import Affine, reduce, warp

PIXELS = np.random.default_rng(0).integers(0, 256, (13, 17, 3), dtype=np.uint8)
SAME: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def test_the_identity_changes_nothing() -> None:
    assert np.array_equal(warp(PIXELS, SAME, 13, 17), PIXELS)


def test_a_shift_by_whole_pixels_brings_black_in() -> None:
    shifted = warp(PIXELS, (1.0, 0.0, 2.0, 0.0, 1.0, -1.0), 13, 17)
    assert np.array_equal(shifted[1:, :15], PIXELS[:12, 2:])
    assert not shifted[0].any() and not shifted[:, 15:].any()


def test_halfway_between_pixels_is_their_mean_rounded_half_up() -> None:
    between = warp(PIXELS, (1.0, 0.0, 0.5, 0.0, 1.0, 0.0), 13, 16)
    pair = PIXELS[:, :-1].astype(int) + PIXELS[:, 1:]
    assert np.array_equal(between, (pair + 1) // 2)


def test_a_photograph_far_away_is_black() -> None:
    assert not warp(PIXELS, (1.0, 0.0, 1e9, 0.0, 1.0, -1e9), 5, 5).any()


def test_reduction_is_the_mean_of_what_each_block_has() -> None:
    reduced = reduce(PIXELS, 4)
    assert reduced.shape == (4, 5, 3)
    for row in range(4):
        for column in range(5):
            block = PIXELS[4 * row : 4 * row + 4, 4 * column : 4 * column + 4].reshape(-1, 3).astype(int)
            assert reduced[row, column].tolist() == [math.floor(total / len(block) + 0.5) for total in block.sum(axis=0).tolist()]


def test_a_reduced_photograph_is_sampled_where_it_lies() -> None:
    # On a ramp the mean of a block is the value at its centre, so reduction must not be seen but for two roundings (1 level).
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 60, axis=0).repeat(3, axis=2)
    away = warp(ramp, (3.7, 0.0, 10.0, 0.0, 3.7, 10.0), 10, 40)[:, :, 0].astype(float)
    assert np.abs(away - (3.7 * np.arange(40) + 10)).max() <= 1.0


def test_reduction_looks_at_all_pixels() -> None:
    # Stripes of one pixel: sampling alone would give black or white, by chance; their mean is grey.
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert set(warp(stripes, (4.0, 0.0, 1.5, 0.0, 4.0, 1.5), 16, 16).ravel()) == {128}


def test_it_is_what_plain_doubles_give() -> None:
    """The specification, pixel by pixel in plain Python: the vectorised form must give the same bytes."""
    source: Affine = (1.3, 0.4, -2.25, -0.4, 1.3, 3.5)
    result = warp(PIXELS, source, 9, 11)
    a, b, c, d, e, f = source
    for row in range(9):
        for column in range(11):
            x, y = a * column + b * row + c, d * column + e * row + f
            left, top = math.floor(x), math.floor(y)
            u, v = x - left, y - top

            def at(yy: int, xx: int) -> np.ndarray:
                return PIXELS[yy, xx].astype(float) if 0 <= yy < 13 and 0 <= xx < 17 else np.zeros(3)

            upper = (1 - u) * at(top, left) + u * at(top, left + 1)
            lower = (1 - u) * at(top + 1, left) + u * at(top + 1, left + 1)
            assert np.array_equal(result[row, column], np.floor((1 - v) * upper + v * lower + 0.5)), (row, column)
