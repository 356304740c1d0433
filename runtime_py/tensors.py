"""From 8-bit pixels to the tensor that a model takes. A tensor value depends on its pixel alone, so 256 values say it all."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from runtime_py.image import Pixels
from runtime_py.manifest import InputContract, TensorSpec


def input_table(contract: InputContract, spec: TensorSpec | None = None) -> npt.NDArray[Any]:
    """`[256]`: the tensor value of each pixel value.

    The real value is computed in float32: pixel * scale, then + offset, each rounded. For an integer input (`spec`) it becomes
    ⌊real / scale + ½⌋ + zero point in doubles, cut to the dtype's range.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # of a manifest's numbers past float32: what the model makes of them is checked
        real = np.arange(256, dtype=np.float32) * np.float32(contract.scale) + np.float32(contract.offset)
        if spec is None or spec.quantization is None:
            return real
        limits = np.iinfo(spec.dtype)
        integers = np.floor(real.astype(np.float64) / spec.quantization.scale + 0.5) + spec.quantization.zero_point
        return np.clip(integers, limits.min, limits.max).astype(spec.dtype)


def to_tensor(pixels: Pixels, contract: InputContract, table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The tensor `[H, W, 3]` of an RGB crop `[H, W, 3]`, in the contract's colour order."""
    ordered = pixels if contract.color == "rgb" else pixels[:, :, ::-1]
    return np.ascontiguousarray(table[ordered])
