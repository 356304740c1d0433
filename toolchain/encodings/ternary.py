"""Ternary: each weight is -W_n, 0 or +W_p.

Trained ternary quantization (Zhu, Han, Mao, Dally, ICLR 2017, equation 6) learns W_p and W_n of a layer apart. On the int8 grid,
where TFLite keeps weights, they are two whole numbers up to 127 times a scale: some pair of them comes within 0.5 % of any ratio
from 1/16 to 16, and the packed form stores the entropy of the three values, at most 1.585 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolchain.encodings.base import GridEncoding, require_scale, require_whole
from toolchain.errors import ToolchainError

_LARGEST = 127


@dataclass(frozen=True, eq=False, repr=False)
class Ternary(GridEncoding):
    """`signs` int8 -1, 0 or 1 in the weight's shape; by output channel `negative` and `positive`, int8 from 1 `[shape[0]]`, and
    `scale` float32 `[shape[0]]`, positive, finite: W_n = negative * scale and W_p = positive * scale.

    The levels are a layer's, the same for all channels, until a batch norm of negative gain is folded: it turns a channel's
    signs round and swaps its two levels.
    """

    signs: npt.NDArray[np.int8]
    negative: npt.NDArray[np.int8]
    positive: npt.NDArray[np.int8]
    scale: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        channels = self.signs.shape[:1]
        require_whole("Ternary.signs", self.signs, np.int8, -1, 1)
        for name, levels in (("negative", self.negative), ("positive", self.positive)):
            if levels.dtype != np.int8 or levels.shape != channels or np.any(levels < 1):
                raise ToolchainError(f"Ternary.{name}: expected int8 {channels} from 1 to {_LARGEST}, got {levels.dtype} {levels.shape}")
        require_scale("Ternary.scale", self.scale, channels)

    @classmethod
    def nearest(cls, signs: npt.NDArray[np.int8], negative: float, positive: float) -> Ternary:
        """Signs and the magnitudes W_n and W_p of a layer, on the grid: the pair of levels whose ratio is nearest, and a scale that fp16
        holds where its range allows. Error: ToolchainError where W_n and W_p are not above 0 and finite."""
        if not (0 < negative < np.inf and 0 < positive < np.inf):
            raise ToolchainError(f"Ternary.nearest: expected W_n and W_p above 0 and finite, got {negative} and {positive}")
        larger, ratio = max(negative, positive), min(negative, positive) / max(negative, positive)
        tops = np.arange(1, _LARGEST + 1)
        lows = np.maximum(np.rint(ratio * tops), 1)
        best = int(np.argmin(np.abs(lows / tops - ratio)))
        top, low = int(tops[best]), int(lows[best])
        with np.errstate(over="ignore"):
            half = np.float32(np.float16(larger / top))
        scale = half if 0 < half < np.inf else np.float32(larger / top)
        below, above = (np.full(len(signs), level, np.int8) for level in ((low, top) if negative < positive else (top, low)))
        return cls(signs, below, above, np.full(len(signs), scale, np.float32))

    def grid(self) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        shape = (-1, *[1] * (self.signs.ndim - 1))
        levels = np.where(self.signs > 0, self.positive.reshape(shape), -self.negative.reshape(shape))
        return np.where(self.signs == 0, np.int8(0), levels).astype(np.int8), self.scale
