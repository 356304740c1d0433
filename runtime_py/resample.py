"""The one resampler: area reduction, then bilinear, in arithmetic that another language can repeat to the bit.

Everything is exact in IEEE doubles with the operations in the order written here, so the Java side gives the same bytes.
Coordinates count pixel centres: the centre of the upper left pixel is (0, 0).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Affine = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): x = a·X + b·Y + c and y = d·X + e·Y + f."""


def warp(image: Pixels, source: Affine, height: int, width: int) -> Pixels:
    """`[height, width, 3]`: what lies at `source` of each output pixel in `image` `[H, W, 3]`; black outside it.

    `source` maps output coordinates (X, Y) to those of the image. Where one step in the output is `k` or more pixels of the
    image (`k = ⌊√|a·e − b·d|⌋ ≥ 2`), the image is first reduced by `k` (see `reduce`): bilinear sampling alone would skip
    pixels, and a face close to the camera would alias.
    """
    a, b, c, d, e, f = source
    step = max(1, math.floor(math.sqrt(abs(a * e - b * d))))
    across = np.arange(width, dtype=np.float64)[None, :]
    down = np.arange(height, dtype=np.float64)[:, None]
    x = (a * across + b * down + c - (step - 1) / 2) / step
    y = (d * across + e * down + f - (step - 1) / 2) / step
    rows, columns = -(-image.shape[0] // step), -(-image.shape[1] // step)
    left, right = _needed(x, columns)
    top, bottom = _needed(y, rows)
    if left >= right or top >= bottom:
        return np.zeros((height, width, 3), np.uint8)
    part = reduce(image[top * step : bottom * step, left * step : right * step], step)
    return _bilinear(part, x - left, y - top)


def _needed(coordinates: npt.NDArray[np.float64], size: int) -> tuple[int, int]:
    """The half-open range of pixels, cut to the image, that bilinear sampling at `coordinates` touches."""
    first = min(max(math.floor(float(coordinates.min())), 0), size)
    last = min(max(math.floor(float(coordinates.max())) + 2, 0), size)
    return first, last


def reduce(image: Pixels, step: int) -> Pixels:
    """The mean of each `step` × `step` block, counted from the upper left, rounded half up; a block that the right or lower
    edge cuts takes the mean of the pixels that it has. `[H, W, 3]` to `[⌈H / step⌉, ⌈W / step⌉, 3]`."""
    if step == 1:
        return image
    starts_y, starts_x = np.arange(0, image.shape[0], step), np.arange(0, image.shape[1], step)
    sums = np.add.reduceat(np.add.reduceat(image, starts_y, axis=0, dtype=np.uint32), starts_x, axis=1, dtype=np.int64)
    heights = np.minimum(image.shape[0] - starts_y, step)
    widths = np.minimum(image.shape[1] - starts_x, step)
    counts = (heights[:, None] * widths[None, :])[:, :, None]
    return ((2 * sums + counts) // (2 * counts)).astype(np.uint8)


def _bilinear(image: Pixels, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Pixels:
    """⌊(1−v)·((1−u)·p₀₀ + u·p₀₁) + v·((1−u)·p₁₀ + u·p₁₁) + ½⌋ with u, v the fractions of x, y; black outside."""
    height, width = image.shape[:2]
    framed = np.zeros((height + 2, width + 2, 3), np.float64)
    framed[1:-1, 1:-1] = image
    left, top = np.floor(x), np.floor(y)
    u, v = (x - left)[:, :, None], (y - top)[:, :, None]
    # The frame is one black pixel wide: whatever lies further out than that is as black as the frame.
    x0, x1 = (np.clip(left + k, 0, width + 1).astype(np.int64) for k in (1, 2))
    y0, y1 = (np.clip(top + k, 0, height + 1).astype(np.int64) for k in (1, 2))
    upper = (1 - u) * framed[y0, x0] + u * framed[y0, x1]
    lower = (1 - u) * framed[y1, x0] + u * framed[y1, x1]
    return np.floor((1 - v) * upper + v * lower + 0.5).astype(np.uint8)
