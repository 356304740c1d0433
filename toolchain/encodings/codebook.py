"""Codebook: few distinct float values in a tensor, any floats, and an index for each weight.

Deep Compression (Han, Mao, Dally, ICLR 2016, section 3) shares values this way, by layer. A zero among the values makes the tensor
sparse. The .tflite that runs holds plain float32; `Palette` shares values that TFLite itself stores in a byte.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from toolchain.encodings.base import CodebookEncoding, require_whole
from toolchain.errors import ToolchainError

LARGEST_CODEBOOK = 4096


@dataclass(frozen=True, eq=False, repr=False)
class Codebook(CodebookEncoding):
    """`values` float32 `[K]`, finite, ascending, distinct, K from 1 to 4096; `indices` uint16 in the weight's shape."""

    values: npt.NDArray[np.float32]
    indices: npt.NDArray[np.uint16]

    def __post_init__(self) -> None:
        if self.values.dtype != np.float32 or self.values.ndim != 1 or not 1 <= len(self.values) <= LARGEST_CODEBOOK:
            got = f"{self.values.dtype} {self.values.shape}"
            raise ToolchainError(f"Codebook.values: expected 1 to {LARGEST_CODEBOOK} float32 values, got {got}")
        if not np.all(np.isfinite(self.values)) or not np.all(self.values[1:] > self.values[:-1]):
            raise ToolchainError("Codebook.values: expected finite, ascending, distinct values")
        require_whole("Codebook.indices", self.indices, np.uint16, 0, len(self.values) - 1)

    @classmethod
    def of(cls, weight: Tensor) -> Codebook:
        """The codebook of the values that `weight` has. Error: ToolchainError where it has more than 4096, or one that is not finite."""
        array = weight.detach().cpu().numpy().astype(np.float32)
        values, indices = np.unique(array, return_inverse=True)
        # 0 and -0 are one value to numpy: whichever it took, 0 is stored.
        return cls(values + np.float32(0), indices.reshape(array.shape).astype(np.uint16))

    def codebook(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint16]]:
        return self.values, self.indices
