"""LogMinMax: values on an even grid of their logarithm; the codebook follows from its two ends and the bit count.

Log min-max quantization (of a compact face-recognition net by layer substitution and log quantization; the formulas stand in
`toolchain.compress.log_min_max`): f = log |x| is rounded down to one of M steps of q = (f_max - f_min) / M, and Q(x) =
sign(x) · exp(f_min + k q). Of b bits one is the sign and 2^(b-1) are magnitudes, one of them kept for zero where a weight is 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime_py.packed import geometric_values
from toolchain.encodings.base import CodebookEncoding, require_whole
from toolchain.errors import ToolchainError

FEWEST_BITS, MOST_BITS = 2, 12


@dataclass(frozen=True, eq=False, repr=False)
class LogMinMax(CodebookEncoding):
    """`f_min` <= `f_max` natural logarithms of magnitudes, `bits` from 2 to 12, `zero`: whether a code is kept for 0; `indices` uint16
    in the weight's shape into the values in ascending order: -exp(f_min + (M-1) q) … -exp(f_min), 0 where it is kept, exp(f_min) …,
    with M = `magnitudes(bits, zero)`. `index_of` finds them."""

    f_min: float
    f_max: float
    bits: int
    zero: bool
    indices: npt.NDArray[np.uint16]

    def __post_init__(self) -> None:
        if not FEWEST_BITS <= self.bits <= MOST_BITS:
            raise ToolchainError(f"LogMinMax.bits: expected {FEWEST_BITS} to {MOST_BITS}, got {self.bits}")
        if not (math.isfinite(self.f_min) and math.isfinite(self.f_max) and self.f_min <= self.f_max):
            raise ToolchainError(f"LogMinMax: expected finite f_min <= f_max, got {self.f_min} and {self.f_max}")
        require_whole("LogMinMax.indices", self.indices, np.uint16, 0, 2 * magnitudes(self.bits, self.zero) + self.zero - 1)

    @property
    def first(self) -> float:
        """The least magnitude, exp(f_min)."""
        return math.exp(self.f_min)

    @property
    def ratio(self) -> float:
        """A magnitude over the one before, exp(q)."""
        return math.exp((self.f_max - self.f_min) / magnitudes(self.bits, self.zero))

    def codebook(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint16]]:
        entries = 2 * magnitudes(self.bits, self.zero) + self.zero
        return geometric_values(self.first, self.ratio, entries), self.indices


def magnitudes(bits: int, zero: bool) -> int:
    """M, how many magnitudes `bits` tell apart beside the sign, less the code of 0 where that is kept."""
    return 2 ** (bits - 1) - zero


def index_of(magnitude: npt.NDArray[np.int64], sign: npt.NDArray[np.int64], bits: int, zero: bool) -> npt.NDArray[np.uint16]:
    """The index of each weight from its magnitude's number k, 0 <= k < M, and its sign: -1, 1, or 0 for the weight 0, whose k is
    not looked at."""
    count = magnitudes(bits, zero)
    if not zero and np.any(sign == 0):
        raise ToolchainError("LogMinMax: a weight is 0 and no code is kept for it; make it with zero=True")
    above = np.where(sign > 0, count + zero + magnitude, count - 1 - magnitude)
    return np.where(sign == 0, count, above).astype(np.uint16)
