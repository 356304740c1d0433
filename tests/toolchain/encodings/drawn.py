"""An example of every encoding, of any weight shape, drawn by a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from toolchain.encodings import Affine, Binary, Codebook, Encoding, LogMinMax, Palette, Sparse, Ternary
from toolchain.encodings.log_min_max import index_of, magnitudes

Shape = tuple[int, ...]


def _scale(random: np.random.Generator, shape: Shape) -> npt.NDArray[np.float32]:
    return random.uniform(0.001, 0.01, shape[:1]).astype(np.float32)


def affine(random: np.random.Generator, shape: Shape, bits: int) -> Affine:
    return Affine.nearest(torch.from_numpy(random.standard_normal(shape)).float())


def binary(random: np.random.Generator, shape: Shape, bits: int) -> Binary:
    return Binary(random.random(shape) < 0.5, _scale(random, shape))


def ternary(random: np.random.Generator, shape: Shape, bits: int) -> Ternary:
    signs = random.integers(-1, 2, shape, dtype=np.int8)
    return Ternary.nearest(signs, float(random.uniform(0.1, 1)), float(random.uniform(0.1, 1)))


def palette(random: np.random.Generator, shape: Shape, bits: int) -> Palette:
    levels = np.sort(random.permutation(np.arange(-127, 128))[: 2 ** min(bits, 7)]).astype(np.int8)
    return Palette(levels, random.integers(0, len(levels), shape, dtype=np.uint8), _scale(random, shape))


def sparse(random: np.random.Generator, shape: Shape, bits: int) -> Sparse:
    codes = random.integers(-127, 128, shape, dtype=np.int8) * (random.random(shape) < 0.2)
    return Sparse.of(codes, _scale(random, shape))


def codebook(random: np.random.Generator, shape: Shape, bits: int) -> Codebook:
    """Up to 2^`bits` values, some of which no weight may have."""
    values = np.unique(random.standard_normal(2**bits).astype(np.float32))
    return Codebook(values, random.integers(0, len(values), shape).astype(np.uint16))


def log_min_max(random: np.random.Generator, shape: Shape, bits: int) -> LogMinMax:
    zero = bool(random.integers(2))
    sign = random.integers(-1, 2, shape) if zero else random.choice([-1, 1], shape)
    magnitude = random.integers(0, magnitudes(bits, zero), shape)
    f_min = float(random.uniform(-12, -5))
    return LogMinMax(f_min, f_min + float(random.uniform(0, 8)), bits, zero, index_of(magnitude, sign, bits, zero))


DRAWN: dict[type[Encoding], Callable[[np.random.Generator, Shape, int], Encoding]] = {
    Affine: affine,
    Binary: binary,
    Ternary: ternary,
    Palette: palette,
    Sparse: sparse,
    Codebook: codebook,
    LogMinMax: log_min_max,
}
"""By class; `bits` is how many tell its values apart where that is a choice."""
