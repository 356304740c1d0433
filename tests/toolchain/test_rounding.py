"""Figures of a manifest: what is exact already stays, all others go to the unfavourable side."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from toolchain.errors import ToolchainError
from toolchain.rounding import rounded_down, rounded_up


def test_a_number_of_one_digit_stays_what_it_is() -> None:
    exact = [value for exponent in range(-330, 309) for digit in range(10) if math.isfinite(value := float(f"{digit}e{exponent}"))]
    assert len(exact) > 6000 and [value for value in exact if rounded_up(value) != value] == []


def test_a_cosine_of_four_decimals_stays_what_it_is() -> None:
    exact = [number / 10000 for number in range(-10000, 10001)]
    assert [value for value in exact if rounded_down(value) != value] == []
    assert math.copysign(1, rounded_down(-0.0)) == 1


def test_what_lies_between_goes_up_to_one_digit_and_down_to_four_decimals() -> None:
    random = np.random.default_rng(0)
    for value in 10 ** random.uniform(-20, 20, 2000):
        stated = rounded_up(value)
        assert stated >= value and len(Decimal(repr(stated)).normalize().as_tuple().digits) == 1
        assert stated - value < 10.0 ** math.floor(math.log10(value)) * (1 + 1e-9)
    for value in random.uniform(-1, 1, 2000):
        assert 0 <= value - rounded_down(value) < 1e-4
    assert rounded_up(math.nextafter(0.07, 1)) == 0.08 and rounded_down(math.nextafter(0.9, 0)) == 0.8999
    assert rounded_up(-1.0) == 0 and rounded_down(1.5) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_none_is_refused(value: float) -> None:
    for rounded in (rounded_up, rounded_down):
        with pytest.raises(ToolchainError, match="expected a finite figure to state, got"):
            rounded(value)
