"""An example of every encoding, of any weight shape, drawn by a seed, and a .tflite of one layer that has it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from ai_edge_litert import schema_py_generated as schema

from tests.tiny_tflite import layers
from toolchain.convert import flatbuffer
from toolchain.encodings import Affine, Binary, Codebook, CodebookEncoding, Encoding, GridEncoding, LogMinMax, Palette, Sparse, Ternary
from toolchain.encodings.log_min_max import index_of, magnitudes
from toolchain.pack.packed import Tied, TiedCodebook, TiedTensor

Shape = tuple[int, ...]


def _scale(random: np.random.Generator, shape: Shape) -> npt.NDArray[np.float32]:
    return random.uniform(0.001, 0.01, shape[:1]).astype(np.float32)


def affine(random: np.random.Generator, shape: Shape, bits: int) -> Affine:
    return Affine.nearest(torch.from_numpy(random.standard_normal(shape)).float())


def binary(random: np.random.Generator, shape: Shape, bits: int) -> Binary:
    return Binary(random.random(shape) < 0.5, _scale(random, shape))


def ternary(random: np.random.Generator, shape: Shape, bits: int) -> Ternary:
    signs = random.integers(-1, 2, shape, dtype=np.int8)
    return Ternary.nearest(signs, float(random.uniform(0.1, 1)), float(random.uniform(0.1, 1)))


def palette(random: np.random.Generator, shape: Shape, bits: int) -> Palette:
    levels = np.sort(random.permutation(np.arange(-127, 128))[: 2 ** min(bits, 7)]).astype(np.int8)
    return Palette(levels, random.integers(0, len(levels), shape, dtype=np.uint8), _scale(random, shape))


def sparse(random: np.random.Generator, shape: Shape, bits: int) -> Sparse:
    codes = random.integers(-127, 128, shape, dtype=np.int8) * (random.random(shape) < 0.2)
    return Sparse.of(codes, _scale(random, shape))


def codebook(random: np.random.Generator, shape: Shape, bits: int) -> Codebook:
    """Up to 2^`bits` values, some of which no weight may have."""
    values = np.unique(random.standard_normal(2**bits).astype(np.float32))
    return Codebook(values, random.integers(0, len(values), shape).astype(np.uint16))


def log_min_max(random: np.random.Generator, shape: Shape, bits: int) -> LogMinMax:
    zero = bool(random.integers(2))
    sign = random.integers(-1, 2, shape) if zero else random.choice([-1, 1], shape)
    magnitude = random.integers(0, magnitudes(bits, zero), shape)
    f_min = float(random.uniform(-12, -5))
    return LogMinMax(f_min, f_min + float(random.uniform(0, 8)), bits, zero, index_of(magnitude, sign, bits, zero))


DRAWN: dict[type[Encoding], Callable[[np.random.Generator, Shape, int], Encoding]] = {
    Affine: affine,
    Binary: binary,
    Ternary: ternary,
    Palette: palette,
    Sparse: sparse,
    Codebook: codebook,
    LogMinMax: log_min_max,
}
"""By class; `bits` is how many tell its values apart where that is a choice."""


def as_tflite(encoding: Encoding) -> tuple[bytes, Tied]:
    """A .tflite of one layer with that weight, and where the weight lies."""
    decoded = encoding.decode().numpy()
    flat = decoded.reshape(len(decoded), -1)
    if isinstance(encoding, GridEncoding):
        codes, scale = encoding.grid()
        content = layers([1, 1, flat.shape[1]], [codes.reshape(flat.shape)], seed=0, scales=[scale])
        return content, TiedTensor(place(content), codes)
    assert isinstance(encoding, CodebookEncoding)
    values, indices = encoding.codebook()
    content = layers([1, 1, flat.shape[1]], [flat], seed=0)
    geometric = (encoding.first, encoding.ratio) if isinstance(encoding, LogMinMax) else None
    return content, TiedCodebook(place(content), values, indices.reshape(-1), geometric)


def weight_of(model: flatbuffer.Model) -> flatbuffer.Tensor:
    """The one constant of rank 2."""
    (weight,) = (item for item in model.subgraphs[0].tensors if flatbuffer.is_constant(model, item) and len(item.shape) == 2)
    return weight


def place(tflite: bytes) -> int:
    """The byte at which the weight begins."""
    table = schema.Model.GetRootAs(tflite, 0).Buffers(weight_of(flatbuffer.read(tflite)).buffer)._tab
    return int(table.Vector(table.Offset(4)))
