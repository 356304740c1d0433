"""Encoding: the stored form of one weight tensor; a tensor without one is stored dense, as float32.

Two families, by what the .tflite that runs holds. A `GridEncoding` lies on int8 times a scale per output channel, which TFLite
multiplies back. A `CodebookEncoding` has free float values: the .tflite keeps float32, and the packed form an index a weight.
"""

from __future__ import annotations

import dataclasses
import hashlib
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from toolchain.errors import ToolchainError

Codes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.uint16]


class Encoding(ABC):
    """Frozen, by value; a dataclass whose fields are arrays and numbers. `decode()` gives the float tensor that the net computes
    with."""

    @abstractmethod
    def decode(self) -> Tensor:
        """The float32 tensor that is stored, in torch's layout."""

    def __repr__(self) -> str:
        """The class and a sha256 over every field: two of the same repr decode to the same tensor."""
        assert dataclasses.is_dataclass(self)
        digest = hashlib.sha256()
        for item in dataclasses.fields(self):
            array = np.asarray(getattr(self, item.name))
            digest.update(f"{item.name}{array.dtype}{array.shape}".encode() + array.tobytes())
        return f"{type(self).__name__}(sha256 {digest.hexdigest()})"


def require_whole(field: str, array: npt.NDArray[Any], kind: type[np.integer[Any]], low: int, high: int) -> None:
    """Error: ToolchainError where `array` is not of that `kind`, or has a value outside low..high, which is named."""
    expected = f"{field}: expected {np.dtype(kind)} from {low} to {high}"
    if array.dtype != kind:
        raise ToolchainError(f"{expected}, got {array.dtype}")
    wrong = array[(array < low) | (array > high)]
    if wrong.size:
        raise ToolchainError(f"{expected}, got {wrong[0]}")


def require_scale(field: str, scale: npt.NDArray[Any], channels: tuple[int, ...]) -> None:
    """Error: ToolchainError where `scale` is not one positive, finite float32 a channel: runtimes refuse a scale of 0."""
    expected = f"{field}: expected positive, finite float32 {channels}"
    if scale.dtype != np.float32 or scale.shape != channels:
        raise ToolchainError(f"{expected}, got {scale.dtype} {scale.shape}")
    wrong = scale[~((scale > 0) & np.isfinite(scale))]
    if wrong.size:
        raise ToolchainError(f"{expected}, got {wrong[0]}")


class GridEncoding(Encoding):
    """An encoding whose values lie on an int8 grid with a scale per output channel."""

    @abstractmethod
    def grid(self) -> tuple[Codes, Floats]:
        """`(codes, scale)`: int8 codes in the weight's torch shape and one float32 scale for each slice along axis 0,
        with `decode() == codes * scale` bit for bit. This is what TFLite stores and multiplies back."""

    def decode(self) -> Tensor:
        codes, scale = self.grid()
        return torch.from_numpy(codes.astype(np.float32) * scale.reshape(-1, *[1] * (codes.ndim - 1)))


class CodebookEncoding(Encoding):
    """An encoding whose values are free floats, few in a tensor."""

    @abstractmethod
    def codebook(self) -> tuple[Floats, Indices]:
        """`(values, indices)`: float32 `[K]`, 1 <= K <= 4096, and uint16 indices below K in the weight's torch shape, with
        `decode() == values[indices]` bit for bit."""

    def decode(self) -> Tensor:
        values, indices = self.codebook()
        return torch.from_numpy(values[indices])
