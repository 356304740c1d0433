"""Palette: few distinct values in a tensor, each an int8 level times the output channel's scale.

Deep Compression (Han, Mao, Dally, ICLR 2016), section 3: weights share K values, and the index of the value is what is
stored. Here the values lie on the int8 grid that TFLite multiplies back, so what is clustered is what runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolchain.encodings.base import GridEncoding, require_scale, require_whole
from toolchain.errors import ToolchainError


@dataclass(frozen=True, eq=False)
class Palette(GridEncoding):
    """`levels` int8 `[K]` ascending, `indices` uint8 in the weight's shape, `scale` float32 `[shape[0]]`,
    positive, finite: weight = levels[indices] * scale along axis 0."""

    levels: npt.NDArray[np.int8]
    indices: npt.NDArray[np.uint8]
    scale: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.levels.dtype != np.int8 or self.levels.ndim != 1 or not 1 <= len(self.levels) <= 256:
            raise ToolchainError(f"Palette.levels: expected 1 to 256 int8 levels, got {self.levels.dtype} {self.levels.shape}")
        if np.any(np.diff(self.levels.astype(int)) <= 0):
            raise ToolchainError("Palette.levels: expected ascending, distinct levels")
        require_whole("Palette.indices", self.indices, np.uint8, 0, len(self.levels) - 1)
        require_scale("Palette.scale", self.scale, self.indices.shape[:1])

    def grid(self) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        return self.levels[self.indices], self.scale

    def __repr__(self) -> str:
        import hashlib

        digest = hashlib.sha256(self.levels.tobytes() + self.indices.tobytes() + self.scale.tobytes()).hexdigest()
        return f"Palette({len(self.levels)} levels, {self.indices.shape}, sha256 {digest})"
