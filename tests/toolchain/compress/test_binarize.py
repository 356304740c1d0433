"""Binarize: signs and scales as XNOR-Net and BinaryConnect state them, and a fine-tuning that can be stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from torch import nn

from tests.toolchain.compress.tiny import context, mean_cosine, normed_model, tiny_model
from toolchain.compress.binarize import Binarize, SignWeights, binary_scale
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.latent_weights import UnitWeights, signs
from toolchain.compress.palettize import Palettize
from toolchain.encodings import Binary, Palette
from toolchain.errors import DataError, RecipeError, ToolchainError
from toolchain.kept import Kept
from toolchain.model import Model
from toolchain.progress import Progress
from toolchain.training.loop import Phase, TrainSettings

T = TypeVar("T")
SETTINGS = TrainSettings(phases=(Phase(80, 32, 1e-2),), batch=16, optimizer="adamw", weight_decay=0.0, checkpoint_every=4)
SHORT = Binarize(replace(SETTINGS, phases=(Phase(8, 32, 1e-2),)), depthwise=True)
WEIGHT = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(0))


def plain_signs(model: Model) -> Model:
    """The inner layers as XNOR-Net's approximation of the float weights, with no fine-tuning."""
    inner = {name: model.net.get_parameter(name).detach() for name in ("2.weight", "4.weight", "6.weight")}
    return model.with_weights({name: Binary((weight >= 0).numpy(), binary_scale(weight).numpy()) for name, weight in inner.items()})


def test_the_scale_brings_the_signs_nearest_to_the_weights() -> None:
    def error(scale: torch.Tensor) -> torch.Tensor:
        return (WEIGHT - scale.reshape(-1, 1, 1, 1) * signs(WEIGHT)).square().flatten(1).sum(1)

    best = binary_scale(WEIGHT)
    assert bool((error(best) < error(best * 1.01)).all()) and bool((error(best) < error(best * 0.99)).all())


def test_a_latent_weight_of_zero_counts_as_positive() -> None:
    assert signs(torch.tensor([-0.1, 0.0, 0.1])).tolist() == [-1.0, 1.0, 1.0]


def test_fully_mixed_in_the_weight_is_the_stored_one_bit_for_bit() -> None:
    layer = SignWeights(WEIGHT)
    latent = layer.right_inverse(WEIGHT)
    assert torch.equal(layer(latent).detach(), layer.encoding(latent).decode())


def test_before_the_signs_come_in_the_weight_is_the_float_one_but_for_clipped_outliers() -> None:
    layer = SignWeights(WEIGHT)
    layer.mix = 0.0
    bound = 3 * binary_scale(WEIGHT).reshape(-1, 1, 1, 1)
    # One multiplication and one division by the same factor: two roundings of 2⁻²⁴.
    torch.testing.assert_close(layer(layer.right_inverse(WEIGHT)).detach(), WEIGHT.clamp(-bound, bound), rtol=2.0**-22, atol=1e-7)


@pytest.mark.parametrize("mix", [0.0, 0.3, 1.0])
def test_the_gradient_goes_straight_through_the_signs_to_the_latent_weights(mix: float) -> None:
    layer = SignWeights(WEIGHT)
    layer.mix = mix
    latent = layer.right_inverse(WEIGHT).requires_grad_()
    gradient = torch.randn(WEIGHT.shape, generator=torch.Generator().manual_seed(1))
    layer(latent).backward(gradient)
    torch.testing.assert_close(latent.grad, gradient * 3 * binary_scale(WEIGHT).reshape(-1, 1, 1, 1))
    of_scale = mix * (gradient * signs(WEIGHT)).sum((1, 2, 3)) * binary_scale(WEIGHT)  # d/ds of α eˢ at s = 0
    torch.testing.assert_close(layer.log_scale.grad, of_scale)


def test_latent_weights_are_clipped_while_training_and_can_come_back_from_the_bound() -> None:
    layer = SignWeights(WEIGHT).train()
    latent = nn.Parameter(torch.full_like(WEIGHT, 1.5))
    layer(latent).sum().backward()
    assert torch.equal(latent.detach(), torch.ones_like(WEIGHT))
    assert latent.grad is not None and bool((latent.grad > 0).all())


def test_layers_that_stay_floats_keep_their_values_under_unit_latents() -> None:
    layer = UnitWeights(WEIGHT)
    torch.testing.assert_close(layer(layer.right_inverse(WEIGHT)), WEIGHT, rtol=2.0**-22, atol=0)


def test_the_optimiser_sees_latent_weights_that_move_faster_and_the_weight_is_the_same() -> None:
    slow, fast = SignWeights(WEIGHT), SignWeights(WEIGHT, pace=8.0)
    latents = [layer.right_inverse(WEIGHT).requires_grad_() for layer in (slow, fast)]
    assert torch.equal(latents[1].detach() * 8, latents[0].detach())  # a power of two: exact
    for layer, latent in zip((slow, fast), latents, strict=True):
        layer.mix = 0.5
        layer(latent).sum().backward()
    torch.testing.assert_close(fast(latents[1]), slow(latents[0]))
    assert latents[0].grad is not None and latents[1].grad is not None
    torch.testing.assert_close(latents[1].grad, 8 * latents[0].grad)


def test_inner_layers_become_one_bit_and_the_norms_behind_them_learn(tmp_path: Path) -> None:
    model = normed_model(tmp_path)
    before = model.fingerprint()
    made = SHORT.apply(model, context(tmp_path))
    assert set(made.encodings) == {"2.weight", "4.weight", "6.weight"}
    assert all(isinstance(encoding, Binary) for encoding in made.encodings.values())
    old, new = model.net.state_dict(), made.net.state_dict()
    assert list(old) == list(new)
    for name in ("0.weight", "4_norm.weight", "4_norm.running_mean", "4_norm.running_var", "10.weight"):
        assert not torch.equal(old[name], new[name]), name
    assert model.fingerprint() == before


def test_depthwise_layers_stay_floats_unless_asked(tmp_path: Path) -> None:
    made = replace(SHORT, depthwise=False).apply(normed_model(tmp_path), context(tmp_path))
    assert set(made.encodings) == {"4.weight", "6.weight"}


def test_folded_and_palettized_all_that_is_stored_is_a_bit_a_palette_or_two_bytes(tmp_path: Path) -> None:
    binary = SHORT.apply(normed_model(tmp_path), context(tmp_path))
    folded = FoldBatchNorm().apply(binary, context(tmp_path, faces=False))
    made = Palettize(clusters=255, rate=0).apply(folded, context(tmp_path, faces=False))
    assert {name: type(encoding) for name, encoding in made.encodings.items()} == {
        "0.weight": Palette, "2.weight": Binary, "4.weight": Binary, "6.weight": Binary, "10.weight": Palette
    }  # fmt: skip
    for name, tensor in made.net.state_dict().items():
        values = torch.from_numpy(made.encodings[name].grid()[1]) if name in made.encodings else tensor
        assert torch.equal(values, values.half().float()), name
    # fp16's rounding of every scale, bias and slope, 2^-11 each, and a palette of 8 bits in two layers.
    assert mean_cosine(made, binary) > 0.9999


def test_a_result_can_be_kept_and_read_back(tmp_path: Path) -> None:
    model = normed_model(tmp_path)
    kept = Kept(tmp_path / "kept")
    made = kept.apply(SHORT, model, context(tmp_path))
    found = kept.find(SHORT, model, context(tmp_path))
    assert found is not None and found.fingerprint() == made.fingerprint()


def test_fine_tuning_brings_most_of_the_embedding_back(tmp_path: Path) -> None:
    model = normed_model(tmp_path)
    tuned = Binarize(SETTINGS, depthwise=True, map_weight=0.3).apply(model, context(tmp_path))
    assert 1 - mean_cosine(tuned, model) < 0.5 * (1 - mean_cosine(plain_signs(model), model))


@dataclass(frozen=True)
class Stopping(Progress):
    """Stops the work after some items, as a user does."""

    after: int = 0

    def track(self, items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
        for done, item in enumerate(items):
            if done == self.after:
                raise KeyboardInterrupt
            yield item


def test_a_run_that_was_stopped_goes_on_in_its_schedule_to_the_same_bytes(tmp_path: Path) -> None:
    model = normed_model(tmp_path)
    whole = SHORT.apply(model, context(tmp_path / "whole"))
    stopped = context(tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        SHORT.apply(model, replace(stopped, progress=Stopping(quiet=True, after=6)))
    assert SHORT.apply(model, stopped).fingerprint() == whole.fingerprint()


def test_batch_norm_must_stand_behind_every_layer_that_becomes_binary(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"Binarize: 2 has no batch norm .* put Binarize\(\) before FoldBatchNorm\(\)"):
        SHORT.apply(tiny_model(), context(tmp_path))
    with pytest.raises(ToolchainError, match="Binarize: 7 has no batch norm"):
        replace(SHORT, depthwise=False).apply(tiny_model(batch_norm=True), context(tmp_path))


def test_it_needs_faces_and_inner_layers(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Binarize needs face images"):
        SHORT.apply(normed_model(tmp_path), context(tmp_path, faces=False))
    shallow = Model(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 30 * 30, 8)), tiny_model().input)
    with pytest.raises(RecipeError, match="expected a layer of its kind between the first and the last, .* got 2 layers"):
        SHORT.apply(shallow, context(tmp_path))


@pytest.mark.parametrize("wrong", [{"ramp": 1.5}, {"map_weight": -1.0}, {"pace": 0.0}, {"refit": -1}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="Binarize: expected (ramp|pace)"):
        Binarize(**wrong)  # type: ignore[arg-type]
