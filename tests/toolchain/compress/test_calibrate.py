from pathlib import Path

import numpy as np
import pytest

from tests.toolchain import tiny_nets
from toolchain.compress.calibrate import Calibrate, Observed, average_range, minmax_range, mse_range, percentile_range
from toolchain.convert import flatbuffer
from toolchain.convert.quantizer import activations
from toolchain.errors import RecipeError


def observed(values: np.ndarray) -> Observed:
    """Each row an image."""
    counts = np.histogram(values, 4096, (values.min(), values.max()))[0]
    return Observed(values.min(1), values.max(1), counts)


def test_minmax_is_all_and_average_the_mean_of_the_extremes() -> None:
    seen = observed(np.array([[-1.0, 2.0], [-3.0, 6.0]]))
    assert minmax_range(seen) == (-3.0, 6.0)
    assert average_range(seen) == (-2.0, 4.0)


def test_a_percentile_leaves_out_that_share_at_each_end() -> None:
    seen = observed(np.linspace(-1.0, 1.0, 100_001)[None])
    low, high = percentile_range(seen, 99.0)
    bin_width = 2 / 4096
    assert abs(low + 0.98) <= bin_width and abs(high - 0.98) <= bin_width
    assert percentile_range(seen, 100.0) == (-1.0, 1.0)


def test_least_squared_error_clips_an_outlier_and_keeps_even_values() -> None:
    even = observed(np.linspace(-1.0, 1.0, 100_001)[None])
    low, high = mse_range(even)
    assert low < -0.95 and high > 0.95
    # A million values below 1 and one of 2: 255 steps up to 2 err by 10^6 (2 / 255)^2 / 12 = 5.1, up to 1 by 1.3 + 1.
    outlier = observed(np.append(np.linspace(0.0, 1.0, 1_000_000), 2.0)[None])
    low, high = mse_range(outlier)
    assert low == 0.0 and 1.0 <= high < 1.3


@pytest.mark.parametrize("value", [0.0, 3.0, -2.0])
def test_a_tensor_of_one_value_has_a_range(value: float) -> None:
    seen = observed(np.full((2, 4), value))
    for low, high in (minmax_range(seen), average_range(seen), percentile_range(seen, 99.9), mse_range(seen)):
        assert np.isfinite([low, high]).all() and low <= high


def test_every_activation_gets_a_finite_range_that_images_fill() -> None:
    model = tiny_nets.calibrated()
    tflite = flatbuffer.read(tiny_nets.converter().float32(model))
    assert set(model.ranges) == set(activations(tflite))
    assert all(np.isfinite(bounds).all() and bounds[0] < bounds[1] for bounds in model.ranges.values())
    assert -1.0 <= model.ranges["input"][0] < -0.5 and 0.5 < model.ranges["input"][1] <= 1.0


def test_the_same_seed_gives_the_same_ranges(tmp_path: Path) -> None:
    context = tiny_nets.context(tiny_nets.session_folder())
    assert Calibrate(faces=32).apply(tiny_nets.folded(), context).ranges == tiny_nets.calibrated().ranges
    assert not tiny_nets.folded().ranges


@pytest.mark.parametrize("settings", [{"faces": 0}, {"method": "best"}, {"percentile": 50.0}, {"percentile": 101.0}])
def test_settings_that_make_no_sense_are_refused(settings: dict) -> None:
    with pytest.raises(RecipeError, match="Calibrate"):
        Calibrate(**settings)
