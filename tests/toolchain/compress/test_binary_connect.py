"""BinaryConnect: signs and chances as the paper states them, by seed and by expectation."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.toolchain.compress.tiny import context, normed_model
from toolchain.compress.binary_connect import BinaryConnect, PlainSigns, chance_of_plus, drawn_signs
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.encodings import Binary
from toolchain.errors import RecipeError
from toolchain.training.loop import Phase, TrainSettings

FEW = TrainSettings(phases=(Phase(4, 32, 1e-2),), batch=16, optimizer="adamw", weight_decay=0.0)
WEIGHT = torch.tensor([[0.2, -0.4, 0.0, -0.0], [1.5, -1.5, 3.0, 0.0]])


def test_the_chance_of_plus_is_the_hard_sigmoid() -> None:
    values = torch.tensor([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])
    assert chance_of_plus(values).tolist() == [0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


def test_the_weight_is_the_sign_and_zero_counts_as_plus() -> None:
    layer = PlainSigns(WEIGHT)
    assert layer(layer.right_inverse(WEIGHT)).tolist() == [[1, -1, 1, 1], [1, -1, 1, 1]]
    for only in (torch.full((1, 1), 7.0), torch.full((1, 1), -7.0), torch.zeros(1, 1), torch.full((2, 3), -0.5)):
        layer = PlainSigns(only)
        assert torch.equal(layer(layer.right_inverse(only)), torch.where(only >= 0, 1.0, -1.0))


def test_the_gradient_reaches_the_latent_weights_as_it_is() -> None:
    layer = PlainSigns(WEIGHT, pace=8.0)
    latent = layer.right_inverse(WEIGHT).requires_grad_()
    gradient = torch.arange(8.0).reshape(2, 4)
    layer(latent).backward(gradient)
    assert torch.equal(latent.grad, 8 * gradient)  # of latent weights divided by the pace


def test_latent_weights_are_clipped_while_training_only() -> None:
    layer = PlainSigns(WEIGHT, pace=8.0)
    latent = nn.Parameter(torch.full_like(WEIGHT, 1.0))
    layer.eval()(latent)
    assert bool((latent == 1).all())
    layer.train()(latent)
    assert bool((latent == 1 / 8).all())


def test_drawn_signs_follow_the_seed_and_come_to_the_latent_weights_on_average() -> None:
    latent = torch.linspace(-1, 1, 9).repeat(20_000, 1)
    torch.manual_seed(1)
    first = drawn_signs(latent)
    torch.manual_seed(1)
    assert torch.equal(drawn_signs(latent), first)
    torch.manual_seed(2)
    assert not torch.equal(drawn_signs(latent), first)
    assert set(first.unique().tolist()) == {-1.0, 1.0}
    # E[sign] = p - (1 - p) = w and its variance is 1 - w² <= 1: five standard errors of a mean of 20,000, passed by chance in
    # all but 1 of 190,000 runs were the seed not fixed.
    assert float((first.mean(0) - latent[0]).abs().max()) < 5 / math.sqrt(20_000)
    assert first[:, 0].eq(-1).all() and first[:, -1].eq(1).all()


def test_stochastic_signs_are_drawn_in_training_and_taken_afterwards() -> None:
    weight = torch.full((1, 4096), 0.1)
    layer = PlainSigns(weight, stochastic=True)
    latent = layer.right_inverse(weight)  # 1/3 each
    torch.manual_seed(0)
    drawn = layer.train()(latent)
    # Binomial: p = 2/3, a standard deviation of 0.0074 of the share; five of them.
    assert abs(float((drawn == 1).float().mean()) - 2 / 3) < 5 * math.sqrt(2 / 9 / 4096)
    assert bool((layer.eval()(latent) == 1).all())
    assert np.array_equal(layer.encoding(latent).positive, np.ones((1, 4096), bool))


@pytest.mark.parametrize("stochastic", [False, True])
def test_the_stage_stores_signs_and_batch_norm_gives_them_their_scale(stochastic: bool, tmp_path: Path) -> None:
    model = normed_model(tmp_path)
    made = BinaryConnect(FEW, stochastic=stochastic, refit=0).apply(model, context(tmp_path))
    assert set(made.encodings) == {"4.weight", "6.weight"}, "not the first, the depthwise and the last"
    for encoding in made.encodings.values():
        assert isinstance(encoding, Binary) and bool((encoding.scale == 1).all())
    folded = FoldBatchNorm().apply(made, context(tmp_path))
    gain = (made.net.get_parameter("4_norm.weight").double() / (made.net.get_buffer("4_norm.running_var").double() + 1e-5).sqrt()).abs()
    scale = folded.encodings["4.weight"].scale  # type: ignore[attr-defined]
    np.testing.assert_allclose(scale, gain.detach().numpy(), rtol=2.0**-11)  # fp16 rounds to half of 2^-10


@pytest.mark.parametrize("wrong", [{"pace": 0.0}, {"refit": -1}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="BinaryConnect: expected pace > 0 and refit >= 0"):
        replace(BinaryConnect(FEW), **wrong)  # type: ignore[arg-type]
