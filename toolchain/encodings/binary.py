"""Binary: one bit a weight and one scale an output channel, weight = scale * sign.

XNOR-Net (Rastegari et al., ECCV 2016), section 3.1: B = sign(W), scale = mean |W| of the filter is the best such
approximation of W in the least-squares sense.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolchain.encodings.base import GridEncoding, require_scale
from toolchain.errors import ToolchainError


@dataclass(frozen=True, eq=False)
class Binary(GridEncoding):
    """`positive` bool in the weight's shape (True: +1, False: -1), `scale` float32 `[shape[0]]`, positive, finite."""

    positive: npt.NDArray[np.bool_]
    scale: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.positive.dtype != np.bool_:
            raise ToolchainError(f"Binary.positive: expected bool, got {self.positive.dtype}")
        require_scale("Binary.scale", self.scale, self.positive.shape[:1])

    def grid(self) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        return np.where(self.positive, np.int8(1), np.int8(-1)), self.scale

    def __repr__(self) -> str:
        import hashlib

        digest = hashlib.sha256(np.packbits(self.positive).tobytes() + self.scale.tobytes()).hexdigest()
        return f"Binary({self.positive.shape}, sha256 {digest})"
