"""Encodings of free floats: what they decode to, beside formulas that share no code with them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime_py.packed import geometric_values
from toolchain.encodings import Codebook, LogMinMax
from toolchain.encodings.log_min_max import index_of
from toolchain.errors import ToolchainError


def test_a_codebook_is_made_of_the_values_that_a_tensor_has() -> None:
    made = Codebook.of(torch.tensor([[0.5, -0.0], [0.0, 0.5], [-2.0, 0.5]]))
    assert made.values.tolist() == [-2, 0, 0.5] and not np.signbit(made.values[1])
    assert made.indices.tolist() == [[2, 1], [1, 2], [0, 2]]


def test_a_tensor_of_too_many_values_or_of_one_that_is_none_has_no_codebook() -> None:
    with pytest.raises(ToolchainError, match="1 to 4096 float32 values"):
        Codebook.of(torch.arange(4097.0))
    with pytest.raises(ToolchainError, match="finite"):
        Codebook.of(torch.tensor([1.0, float("nan")]))


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 12), st.booleans(), st.floats(-30, 0), st.floats(0, 30), st.integers(0, 2**16))
def test_log_min_max_decodes_to_its_formula(bits: int, zero: bool, f_min: float, span: float, seed: int) -> None:
    """sign · exp(f_min + k q) for every k. The values are made by up to 2^11 rounded multiplications of doubles, each off by 2^-53 and
    the ratio too: together below 2^11 · 2^-52, far below half a unit in the last place of a float32, 2^-24. As exp itself is at both
    ends of that interval rounded to float32, 2^-23 in all."""
    count = 2 ** (bits - 1) - zero
    random = np.random.default_rng(seed)
    k, sign = random.integers(0, count, 300), random.integers(0 if zero else 1, 2, 300) * random.choice([-1, 1], 300)
    made = LogMinMax(f_min, f_min + span, bits, zero, index_of(k, sign, bits, zero)).decode().numpy()
    wanted = [int(s) * math.exp(f_min + int(step) * span / count) for s, step in zip(sign, k, strict=True)]
    np.testing.assert_allclose(made, wanted, rtol=2**-23, atol=0)


def test_a_zero_needs_a_code_of_its_own() -> None:
    with pytest.raises(ToolchainError, match="no code is kept for it"):
        index_of(np.array([0]), np.array([0]), 4, zero=False)


def test_a_tensor_of_one_magnitude_and_one_of_zeros_alone() -> None:
    signs = np.array([1, -1])
    one = LogMinMax(math.log(0.25), math.log(0.25), 3, False, index_of(np.zeros(2, np.int64), signs, 3, False))
    assert one.decode().tolist() == [0.25, -0.25]
    none = LogMinMax(0.0, 0.0, 2, True, index_of(np.zeros(3, np.int64), np.zeros(3, np.int64), 2, True))
    assert none.decode().tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("ends", "bits", "message"),
    [
        ((1.0, 0.0), 4, "f_min <= f_max"),
        ((0.0, math.inf), 4, "finite"),
        ((math.nan, 0.0), 4, "finite"),
        ((0, 1), 1, "2 to 12"),
        ((0, 1), 13, "2 to 12"),
    ],
)
def test_settings_that_make_no_sense_are_refused(ends: tuple[float, float], bits: int, message: str) -> None:
    with pytest.raises(ToolchainError, match=message):
        LogMinMax(*ends, bits, False, np.zeros(1, np.uint16))


def test_geometric_values_are_multiplied_one_after_the_other() -> None:
    """Bit for bit what a loop over doubles gives, in any language."""
    first, ratio, loop = 1e-4, 1.0123456789, []
    magnitude = first
    for _ in range(2047):
        loop.append(magnitude)
        magnitude *= ratio
    with np.errstate(over="ignore"):
        wanted = np.array([-value for value in loop[::-1]] + [0.0] + loop).astype(np.float32)
    assert geometric_values(first, ratio, 4095).tobytes() == wanted.tobytes()
    assert geometric_values(0.5, 2, 1).tolist() == [0]
    assert geometric_values(0.5, 2, 4).tolist() == [-1, -0.5, 0.5, 1]
