"""Encoding: the stored form of one weight tensor."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt
from torch import Tensor


class Encoding(ABC):
    """Frozen, by value. `decode()` gives the float tensor that the net computes with."""

    @abstractmethod
    def decode(self) -> Tensor:
        """The float32 tensor that is stored, in torch's layout."""

    @abstractmethod
    def grid(self) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        """`(codes, scale)`: int8 codes in the weight's torch shape and one float32 scale for each slice along axis 0,
        with `decode() == codes * scale` bit for bit. This is what TFLite stores and multiplies back."""
