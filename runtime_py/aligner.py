"""From key points to an aligned crop: the similarity transform of least squares, then the one resampler.

S. Umeyama, Least-squares estimation of transformation parameters between two point patterns, IEEE PAMI 13(4), 1991. In the
plane its equations 40 to 42 have a closed form without a singular value decomposition, so every language gets the same bits.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from runtime_py.errors import AlignmentError
from runtime_py.resample import Affine, Pixels, warp

Points = npt.NDArray[np.float64]

FARTHEST = 1e9
"""No point lies further out, and no pixel of a crop covers more of a photograph: with larger numbers whole pixels are no longer told
apart, and steps no longer fit 64 bits."""
_LEAST_SPREAD = 1e-6  # pixels²: points this close together have no direction


def similarity(source: Points, target: Points) -> Affine:
    """The rotation, scale and shift that bring `source` `[K, 2]` nearest to `target` `[K, 2]` (least sum of squares).

    With p, q the points less their means, a = Σ p·q / Σ p·p and b = Σ (p_x q_y − p_y q_x) / Σ p·p:
    X = a·x − b·y + c, Y = b·x + a·y + f. There is no reflection. Error: AlignmentError where the points coincide, or lie beyond
    ±`FARTHEST`.
    """
    count = len(source)
    if count < 2 or source.shape != target.shape:
        raise AlignmentError(f"alignment: expected the same points twice, 2 or more, got {list(source.shape)} and {list(target.shape)}")
    if not (np.abs(source) <= FARTHEST).all() or not (np.abs(target) <= FARTHEST).all():  # not for NaN either
        raise AlignmentError(f"alignment: expected key points within {FARTHEST:g} pixels, got points that are further out or not finite")
    p, q = source.tolist(), target.tolist()
    # Plain sums in the order of the points: the same in every language.
    mean = [sum(point[axis] for point in points) / count for points in (p, q) for axis in (0, 1)]
    spread = along = across = 0.0
    for (px, py), (qx, qy) in zip(p, q, strict=True):
        px, py, qx, qy = px - mean[0], py - mean[1], qx - mean[2], qy - mean[3]
        spread += px * px + py * py
        along += px * qx + py * qy
        across += px * qy - py * qx
    if not (math.isfinite(spread + along + across) and spread > _LEAST_SPREAD and along * along + across * across > 0):
        raise AlignmentError("alignment: expected key points apart from one another, got points that coincide or are not finite")
    a, b = along / spread, across / spread
    if a * a + b * b < 1 / FARTHEST**2:
        raise AlignmentError(f"alignment: expected key points that are scaled by {1 / FARTHEST:g} or more, got points much further apart")
    return (a, -b, mean[2] - a * mean[0] + b * mean[1], b, a, mean[3] - b * mean[0] - a * mean[1])


def inverse(transform: Affine) -> Affine:
    """The transform that undoes a similarity transform."""
    a, _, c, b, _, f = transform
    size = a * a + b * b
    u, v = a / size, b / size
    return (u, v, -(u * c + v * f), -v, u, v * c - u * f)


def align(photograph: Pixels, key_points: Points, template: Points, height: int, width: int) -> Pixels:
    """The crop `[height, width, 3]` of `photograph` `[H, W, 3]` whose `key_points` `[K, 2]` (x, y) lie nearest to `template`
    `[K, 2]`; black where it reaches past the photograph. Coordinates count pixel centres. Error: AlignmentError."""
    return warp(photograph, inverse(similarity(key_points, template)), height, width)
