"""Sparse: most weights are zero, the others share few values.

Deep Compression (Han, Mao, Dally, ICLR 2016, sections 2 and 3): small weights are pruned, those that are left share K values. The
values are int8 levels times a scale per output channel, which TFLite multiplies back; the packed form stores zero as one level
more, at its entropy, which costs less than the paper's distances between weights as soon as they are coded (see
`toolchain.compress.huffman`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolchain.encodings.base import GridEncoding, require_scale
from toolchain.errors import ToolchainError


@dataclass(frozen=True, eq=False, repr=False)
class Sparse(GridEncoding):
    """`mask` bool in the weight's shape (True: kept), `levels` int8 `[K]` ascending, none of them 0, `indices` uint8 `[kept]` in the
    order of the mask's True, `scale` float32 `[shape[0]]`, positive, finite: weight = levels[indices] * scale where kept, else 0."""

    mask: npt.NDArray[np.bool_]
    levels: npt.NDArray[np.int8]
    indices: npt.NDArray[np.uint8]
    scale: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.mask.dtype != np.bool_:
            raise ToolchainError(f"Sparse.mask: expected bool, got {self.mask.dtype}")
        if self.levels.dtype != np.int8 or self.levels.ndim != 1 or len(self.levels) > 255:
            raise ToolchainError(f"Sparse.levels: expected at most 255 int8 levels, got {self.levels.dtype} {self.levels.shape}")
        if np.any(np.diff(self.levels.astype(int)) <= 0) or np.any(self.levels == 0):
            raise ToolchainError("Sparse.levels: expected ascending, distinct levels without 0")
        kept = int(np.count_nonzero(self.mask))
        if self.indices.dtype != np.uint8 or self.indices.shape != (kept,) or (kept and int(self.indices.max()) >= len(self.levels)):
            got = f"{self.indices.dtype} {self.indices.shape}"
            raise ToolchainError(f"Sparse.indices: expected uint8 ({kept},) below {len(self.levels)}, got {got}")
        require_scale("Sparse.scale", self.scale, self.mask.shape[:1])

    @classmethod
    def of(cls, codes: npt.NDArray[np.int8], scale: npt.NDArray[np.float32]) -> Sparse:
        """The encoding whose grid is `codes` `[O, ...]` and `scale` `[O]`: codes of 0 are the pruned ones."""
        mask = codes != 0
        levels, indices = np.unique(codes[mask], return_inverse=True)
        return cls(mask, levels, indices.astype(np.uint8), scale)

    def grid(self) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        codes = np.zeros(self.mask.shape, np.int8)
        codes[self.mask] = self.levels[self.indices]
        return codes, self.scale
