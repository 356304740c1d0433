"""Log min-max quantization against values worked out by hand in powers of two, and its bounds on drawn weights."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime_py import packed
from tests.toolchain.compress.tiny import context, mean_cosine, tiny_model
from toolchain.backbones import VGG11
from toolchain.bundling.variants import Workshop, judge
from toolchain.compress.log_min_max import LogMinMax, encode, log_min_max
from toolchain.convert.compressed import Compressed
from toolchain.convert.route import Onnx2Tf
from toolchain.data import synthetic
from toolchain.encodings import Binary
from toolchain.encodings import LogMinMax as Encoded
from toolchain.errors import RecipeError, ToolchainError
from toolchain.kept import Kept, KeptBytes
from toolchain.model import Model
from toolchain.progress import Progress
from toolchain.recipes import find_recipe
from toolchain.stage import Context
from toolchain.stage_order import check_order, traits_of


def quantized(*weights: float, bits: int) -> list[float]:
    return encode(torch.tensor(weights), bits).decode().tolist()


# From 1 to 16, four octaves: the ends decide the step, values between lie well inside one, and 16 itself falls into the last.
@pytest.mark.parametrize(
    ("bits", "weights", "expected"),
    [
        # 3 bits: a sign and four magnitudes, one octave each
        (3, (1, 3, 5, -12, 16), (1, 2, 4, -8, 8)),
        # with a zero three magnitudes are left: from 1 to 8, one octave each
        (3, (0, 1, -3, 8), (0, 1, -2, 4)),
        # 2 bits: two magnitudes of two octaves each
        (2, (1, 3, -5, 16), (1, 1, -4, 4)),
        # 2 bits and a zero: one magnitude, the least
        (2, (0, 2, -7), (0, 2, -2)),
        # 4 bits: eight magnitudes of half an octave
        (4, (1, -1.5, 3, 6, 16), (1, -math.sqrt(2), 2 * math.sqrt(2), 4 * math.sqrt(2), 8 * math.sqrt(2))),
    ],
)
def test_values_by_hand(bits: int, weights: tuple[float, ...], expected: tuple[float, ...]) -> None:
    # The dictionary's values are products in float64, rounded to float32 once: half a unit of its last place.
    assert quantized(*weights, bits=bits) == pytest.approx(expected, rel=2.0**-24)


def test_a_centred_step_stands_for_its_middle() -> None:
    # From 1 to 16 in steps of an octave, whose middle is a factor of √2 above its lower end.
    made = encode(torch.tensor((1.0, 3.0, 5.0, -12.0, 16.0)), 3, centred=True).decode().tolist()
    assert made == pytest.approx([math.sqrt(2) * value for value in (1, 2, 4, -8, 8)], rel=2.0**-24)
    weight = torch.randn(200, 100, generator=torch.Generator().manual_seed(0))
    step = float(weight.abs().log().max() - weight.abs().log().min()) / 16
    floor, centred = ((encode(weight, 5, centred=item).decode() / weight).log() for item in (False, True))
    # Within a step logarithms lie nearly evenly: the floor is off by half a step in the mean, the middle by a quarter, and by none in
    # the mean with its sign. Their density falls over the few steps that most weights lie in, hence a tenth of a step.
    assert [float(-floor.mean()), float(centred.mean()), float(centred.abs().mean())] == pytest.approx(
        [step / 2, 0, step / 4], abs=step / 10
    )


@pytest.mark.parametrize("bits", [2, 7, 12])
@pytest.mark.parametrize("weights", [(0.3, -0.3, 0.3), (-1e-6,), (0.0,), (0.0, 0.0), (0.0, 5.0, -5.0)])
def test_a_constant_tensor_one_of_a_single_element_and_one_of_zeros_keep_their_values(bits: int, weights: tuple[float, ...]) -> None:
    assert torch.equal(encode(torch.tensor(weights), bits).decode(), torch.tensor(weights))


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("bits", range(2, 13))
def test_no_weight_grows_changes_its_sign_or_shrinks_by_more_than_one_step(bits: int, zeros: bool) -> None:
    weight = torch.randn(40, 30, 3, 3, generator=torch.Generator().manual_seed(bits))
    if zeros:
        weight[weight.abs() < 0.1] = 0
    encoded = encode(weight, bits)
    made = encoded.decode()
    held = weight != 0
    assert torch.equal(held, made != 0) and encoded.zero == zeros
    ends = weight[held].abs().double().log()
    step = float(ends.max() - ends.min()) / (2 ** (bits - 1) - zeros)
    ratio = made[held].double() / weight[held].double()
    # float32 rounds the value by 2⁻²⁴ of itself at most; the products before it, in float64, are exact to 2¹¹ · 2⁻⁵³.
    assert float(ratio.max()) <= 1 + 2.0**-23 and float(ratio.min()) >= math.exp(-step) * (1 - 2.0**-23)
    assert len(made.unique()) <= 2**bits


def test_more_bits_come_nearer() -> None:
    weight = torch.randn(5000, generator=torch.Generator().manual_seed(0))
    errors = [float((encode(weight, bits).decode() - weight).abs().mean()) for bits in range(2, 13)]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("wrong", [[1.0, math.nan], [math.inf, 1.0], []])
def test_weights_that_are_not_finite_and_none_at_all_are_refused(wrong: list[float]) -> None:
    with pytest.raises(ToolchainError, match="LogMinMax: expected finite weights"):
        log_min_max(np.array(wrong, np.float32), 6)


def encoded_layers(made: Model) -> set[str]:
    return {name for name, encoding in made.encodings.items() if isinstance(encoding, Encoded)}


def test_the_scope_says_whether_linear_layers_are_among_them(tmp_path: Path) -> None:
    convolutions = {"0.weight", "2.weight", "4.weight", "6.weight"}
    work = context(tmp_path, faces=False)
    assert encoded_layers(LogMinMax(scope="convolutions").apply(tiny_model(), work)) == convolutions
    whole = LogMinMax().apply(tiny_model(), work)
    assert encoded_layers(whole) == {*convolutions, "10.weight"}
    rest = {name: value for name, value in whole.net.state_dict().items() if name not in whole.encodings}
    assert rest and all(torch.equal(value, value.half().float()) for value in rest.values())


def test_ten_bits_leave_the_embeddings_where_they_were_and_three_do_not(tmp_path: Path) -> None:
    model = tiny_model()
    fine, coarse = (mean_cosine(LogMinMax(bits=bits).apply(model, context(tmp_path, faces=False)), model) for bits in (10, 3))
    # Ten bits shrink each weight by 2 % at most (log magnitudes span less than 10 here), 1 % in the mean, and nearly alike.
    assert fine > 0.9999 > coarse


def test_layers_that_are_encoded_already_are_left_and_none_left_is_refused(tmp_path: Path) -> None:
    weight = tiny_model().net.get_parameter("4.weight").detach()
    signs = Binary((weight >= 0).numpy(), weight.abs().flatten(1).mean(1).numpy())
    work = context(tmp_path, faces=False)
    made = LogMinMax().apply(tiny_model().with_weights({"4.weight": signs}), work)
    assert isinstance(made.encodings["4.weight"], Binary) and len(encoded_layers(made)) == 4
    with pytest.raises(RecipeError, match="no layer is left to quantize"):
        LogMinMax().apply(made, work)


@pytest.mark.parametrize(("settings", "named"), [({"bits": 1}, "bits"), ({"bits": 13}, "bits"), ({"scope": "some"}, "scope")])
def test_settings_out_of_range_are_refused(settings: dict[str, int], named: str) -> None:
    with pytest.raises(RecipeError, match=f"LogMinMax.{named}: expected"):
        LogMinMax(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("recipe", ["log_min_max", "flame_1mb"])
def test_a_recipe_has_stages_in_an_order_that_works(recipe: str) -> None:
    found = find_recipe(recipe)
    variant = next(item for item in found.variants if item.name == found.default_variant)
    assert isinstance(variant, Compressed) and found.backbone is not None
    check_order(recipe, variant.stages, traits_of(found.backbone.build(), variant.stages))


def test_what_the_recipe_makes_is_stored_at_its_entropy_rebuilt_byte_exact_and_passes_parity(tmp_path: Path) -> None:
    """The Flame net on faces of 32 pixels, as it is drawn."""
    found, faces = find_recipe("flame_1mb"), synthetic.faces(32, 8, 32, 32)
    assert isinstance(found.backbone, VGG11)
    backbone = replace(found.backbone, pixels=32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Model(backbone.build().eval(), backbone.input)
    quiet = Context(tmp_path, faces=faces, progress=Progress(quiet=True))
    workshop = Workshop(quiet, Kept(tmp_path / "kept"), KeptBytes(tmp_path / "bytes"), Onnx2Tf(), np.ascontiguousarray(faces.images))
    variant = found.variants[-1]
    staged = workshop.staged(variant, model)
    assert isinstance(staged, Model)
    made = workshop.make(variant, staged, model)
    assert judge([made]) == {}
    assert packed.unpack(made.stored) == made.tflite
    entropy = 0.0
    for encoding in staged.encodings.values():
        assert isinstance(encoding, Encoded)
        shares = np.unique(encoding.indices, return_counts=True)[1] / encoding.indices.size
        entropy -= encoding.indices.size * float((shares * np.log2(shares)).sum()) / 8
    halves = sum(value.numel() for value in staged.net.parameters() if value.ndim == 1)
    # The codes at their entropy and 3 %, two bytes a bias, and what the graph of 60 operators and the code tables take.
    assert len(made.stored) < 1.03 * entropy + 2 * halves + 10_000
