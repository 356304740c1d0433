import numpy as np
import pytest
import torch

from toolchain.encodings import Affine
from toolchain.errors import ToolchainError


def test_the_nearest_is_within_half_a_step_and_cuts_nothing_off() -> None:
    weight = torch.from_numpy(np.random.default_rng(0).standard_normal((8, 3, 3, 3))).float()
    made = Affine.nearest(weight)
    step = torch.from_numpy(made.scale).reshape(-1, 1, 1, 1)
    # Half a step, and a float32 product that may be half a unit in its last place off.
    assert bool(((made.decode() - weight).abs() <= step * 0.5 * (1 + 2**-20)).all())
    assert np.abs(made.codes).max() == 127


def test_scales_are_values_that_fp16_holds() -> None:
    scale = Affine.nearest(torch.randn(50, 7)).scale
    assert np.array_equal(scale, scale.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("magnitude", [1e-9, 1e-4, 1.0, 1e7])
def test_any_magnitude_has_a_scale_above_0_that_reaches_it(magnitude: float) -> None:
    """1e7 / 127 is beyond fp16: its scale is then any float32."""
    made = Affine.nearest(torch.tensor([[magnitude, 0.0], [0.0, 0.0]]))
    assert np.all(made.scale > 0) and np.all(np.isfinite(made.scale))
    assert float((made.decode()[0, 0] - magnitude).abs()) <= 0.5 * float(made.scale[0]) * (1 + 2**-20)
    assert not made.decode()[1].any()


def test_what_is_not_finite_is_refused() -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ToolchainError, match="finite"):
            Affine.nearest(torch.tensor([[value]]))


def test_the_code_that_tflite_leaves_out_is_refused() -> None:
    with pytest.raises(ToolchainError, match="from -127"):
        Affine(np.array([[-128]], np.int8), np.ones(1, np.float32))
