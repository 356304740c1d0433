"""What every encoding must do, over all that are found by walking the package."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

import toolchain.encodings
from runtime_py.packed import unpack
from tests.toolchain import tiny_nets
from tests.toolchain.encodings.drawn import DRAWN, Shape, as_tflite, weight_of
from toolchain.convert import flatbuffer
from toolchain.encodings import Affine, Codebook, CodebookEncoding, Encoding, GridEncoding, LogMinMax, Palette, Ternary
from toolchain.errors import ToolchainError
from toolchain.kept import read_result, write_result
from toolchain.model import Model
from toolchain.pack.packed import pack

SHAPES: tuple[Shape, ...] = ((1, 1), (3, 200), (5, 4, 3, 3), (7, 1, 3, 3), (64, 24, 1, 1))
shapes = st.sampled_from(SHAPES)
bits = st.integers(2, 12)
seeds = st.integers(0, 2**16)
each = pytest.mark.parametrize("kind", DRAWN, ids=lambda kind: kind.__name__)


def found() -> Iterator[type[Encoding]]:
    for item in pkgutil.iter_modules(toolchain.encodings.__path__):
        module = importlib.import_module(f"toolchain.encodings.{item.name}")
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__ and issubclass(value, Encoding):
                if dataclasses.is_dataclass(value):
                    yield value


def drawn(kind: type[Encoding], shape: Shape = SHAPES[2], bit_count: int = 4, seed: int = 0) -> Encoding:
    return DRAWN[kind](np.random.default_rng(seed), shape, bit_count)


def test_every_encoding_of_the_package_is_drawn_here_and_can_be_had_from_it() -> None:
    assert set(found()) == set(DRAWN)
    for kind in found():
        assert getattr(toolchain.encodings, kind.__name__) is kind


@each
@settings(max_examples=15, deadline=None)
@given(shape=shapes, bit_count=bits, seed=seeds)
def test_it_decodes_to_what_a_tflite_holds(kind: type[Encoding], shape: Shape, bit_count: int, seed: int) -> None:
    encoding = drawn(kind, shape, bit_count, seed)
    decoded = encoding.decode()
    assert decoded.dtype == torch.float32 and tuple(decoded.shape) == shape and bool(decoded.isfinite().all())
    if isinstance(encoding, GridEncoding):
        codes, scale = encoding.grid()
        assert codes.dtype == np.int8 and scale.dtype == np.float32 and scale.shape == shape[:1]
        assert np.array_equal(decoded.numpy(), codes * scale.reshape(-1, *[1] * (len(shape) - 1)))
    else:
        assert isinstance(encoding, CodebookEncoding)
        values, indices = encoding.codebook()
        assert values.dtype == np.float32 and indices.dtype == np.uint16 and 1 <= len(values) <= 4096
        assert np.all(values[1:] >= values[:-1])
        assert np.array_equal(decoded.numpy(), values[indices])


@each
@settings(max_examples=15, deadline=None)
@given(shape=shapes, bit_count=bits, seed=seeds)
@example(shape=(64, 200), bit_count=12, seed=0)  # enough weights that a codebook of 4,096 values pays
def test_encoded_packed_unpacked_and_decoded_it_is_the_same(kind: type[Encoding], shape: Shape, bit_count: int, seed: int) -> None:
    encoding = drawn(kind, shape, bit_count, seed)
    content, tied = as_tflite(encoding)
    rebuilt = unpack(pack(content, {"weight": tied}))
    assert rebuilt == content
    assert np.array_equal(held(rebuilt), encoding.decode().numpy().reshape(shape[0], -1))


def held(tflite: bytes) -> np.ndarray:
    """The weight, float32 `[outputs, inputs]`."""
    model = flatbuffer.read(tflite)
    weight = weight_of(model)
    values = flatbuffer.constant(model, weight)
    return values if values.dtype == np.float32 else values.astype(np.float32) * weight.quantization.scale.reshape(-1, 1)


@each
def test_two_are_of_one_name_only_where_they_are_of_one_value(kind: type[Encoding]) -> None:
    """A model's fingerprint, which kept results are found by, takes an encoding's repr."""
    assert repr(drawn(kind)) == repr(drawn(kind))
    assert len({repr(drawn(kind, seed=seed)) for seed in range(5)}) == 5
    assert str(drawn(kind)).startswith(f"{kind.__name__}(")


@each
def test_it_is_kept_and_read_back(kind: type[Encoding], tmp_path: Path) -> None:
    before = Model(nn.Sequential(nn.Conv2d(4, 5, 3)), tiny_nets.CONTRACT)
    encoding = drawn(kind)
    after = before.with_weights({"0.weight": encoding})
    write_result(tmp_path / "kept.safetensors", before, after)
    read = read_result(tmp_path / "kept.safetensors", before).encodings["0.weight"]
    assert type(read) is kind and repr(read) == repr(encoding)


@each
def test_it_cannot_be_changed_or_made_of_arrays_of_another_kind(kind: type[Encoding]) -> None:
    encoding = drawn(kind)
    for item in dataclasses.fields(encoding):  # type: ignore[arg-type]
        value = getattr(encoding, item.name)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(encoding, item.name, value)
        if isinstance(value, np.ndarray):
            with pytest.raises(ToolchainError, match=rf"^{kind.__name__}\.{item.name}: expected "):
                dataclasses.replace(encoding, **{item.name: value.astype(np.float64)})  # type: ignore[type-var]


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
@each
def test_a_scale_that_runtimes_refuse_is_refused(kind: type[Encoding], wrong: float) -> None:
    encoding = drawn(kind)
    if isinstance(encoding, GridEncoding):
        scale = encoding.grid()[1].copy()
        scale[-1] = wrong
        with pytest.raises(ToolchainError, match=rf"^{kind.__name__}\.scale: expected positive, finite float32 \(\d+,\), got {wrong}$"):
            dataclasses.replace(encoding, scale=scale)  # type: ignore[type-var]


WRONG = [(Affine, "codes", -128), (Ternary, "signs", -128), (Ternary, "signs", 2), (Palette, "indices", 255), (Codebook, "indices", 4096)]


@pytest.mark.parametrize(("kind", "field", "value"), [*WRONG, (LogMinMax, "indices", 4096)])
def test_a_code_out_of_range_is_named(kind: type[Encoding], field: str, value: int) -> None:
    encoding = drawn(kind)
    codes = getattr(encoding, field).copy()
    codes.flat[-1] = value
    with pytest.raises(ToolchainError, match=rf"^{kind.__name__}\.{field}: expected u?int\d+ from -?\d+ to \d+, got {value}$"):
        dataclasses.replace(encoding, **{field: codes})  # type: ignore[type-var]
