"""Affine: an int8 code for each weight and a scale for each output channel, weight = code * scale.

Quantization as TFLite has it for weights (Jacob et al., CVPR 2018, equation 1), symmetric: the zero point is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from toolchain.encodings.base import GridEncoding, require_scale, require_whole
from toolchain.errors import ToolchainError

_LARGEST = 127
_LEAST_SCALE = np.float32(2.0**-24)
"""fp16's smallest value above 0: the scale of a channel of zeros, since runtimes refuse a scale of 0."""


@dataclass(frozen=True, eq=False, repr=False)
class Affine(GridEncoding):
    """`codes` int8 from -127 in the weight's shape, `scale` float32 `[shape[0]]`, positive, finite."""

    codes: npt.NDArray[np.int8]
    scale: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        require_whole("Affine.codes", self.codes, np.int8, -_LARGEST, _LARGEST)
        require_scale("Affine.scale", self.scale, self.codes.shape[:1])

    @classmethod
    def nearest(cls, weight: Tensor) -> Affine:
        """`weight` `[O, ...]` rounded to the grid whose ends are each channel's largest magnitude. Scales are values that fp16 holds
        (the packed form stores two bytes then), each the next one up, so that no weight is cut off.

        Error: ToolchainError where a weight is not finite.
        """
        values = weight.detach().cpu().numpy().astype(np.float32)
        if not np.all(np.isfinite(values)):
            raise ToolchainError("Affine.nearest: expected finite weights, got NaN or infinity")
        exact = np.abs(values.reshape(len(values), -1)).max(axis=1, initial=0) / np.float32(_LARGEST)
        with np.errstate(over="ignore"):
            half = exact.astype(np.float16)
        scale = np.where(half < exact, np.nextafter(half, np.float16(np.inf)), half).astype(np.float32)
        scale = np.maximum(np.where(np.isfinite(scale), scale, exact), _LEAST_SCALE)
        codes = np.rint(values / scale.reshape(-1, *[1] * (values.ndim - 1)))
        return cls(np.clip(codes, -_LARGEST, _LARGEST).astype(np.int8), scale)

    def grid(self) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        return self.codes, self.scale
