import numpy as np
import pytest
import torch

from toolchain.encodings import Ternary
from toolchain.errors import ToolchainError

SIGNS = np.array([[1, 0, -1], [0, 0, 1]], np.int8)


@pytest.mark.parametrize("ratio", [1.0, 1 / 16, 0.3, 0.5, 2 / 3, 0.98, 0.996, 1.37, 16.0])
def test_both_values_are_within_what_the_file_states(ratio: float) -> None:
    """0.5 % for their ratio and half of 2^-10 for the scale, which fp16 holds: the larger one is off by the scale alone."""
    made = Ternary.nearest(SIGNS, 0.04 * ratio, 0.04)
    negative, zero, positive = torch.unique(made.decode()).tolist()
    assert zero == 0 and made.scale.dtype == np.float32
    assert -negative / positive == pytest.approx(ratio, rel=0.005)
    assert max(-negative, positive) == pytest.approx(0.04 * max(ratio, 1), rel=2**-11)


def test_a_channel_may_be_turned_round() -> None:
    made = Ternary(SIGNS, np.array([2, 3], np.int8), np.array([5, 7], np.int8), np.array([1, 0.5], np.float32))
    assert made.decode().tolist() == [[5, 0, -2], [0, 0, 3.5]]


@pytest.mark.parametrize("values", [(0.0, 1.0), (1.0, -1.0), (float("nan"), 1.0), (1.0, float("inf"))])
def test_magnitudes_must_be_numbers_above_0(values: tuple[float, float]) -> None:
    with pytest.raises(ToolchainError, match="W_n and W_p above 0"):
        Ternary.nearest(SIGNS, *values)


@pytest.mark.parametrize("magnitude", [1e-12, 1e12])
def test_magnitudes_that_fp16_cannot_scale_have_a_scale_of_their_own(magnitude: float) -> None:
    assert Ternary.nearest(SIGNS, magnitude, magnitude).decode().max() == pytest.approx(magnitude)
