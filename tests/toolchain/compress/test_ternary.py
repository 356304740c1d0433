"""Trained ternary quantization beside the paper's equations, worked out by hand and by numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.toolchain.compress.tiny import context, mean_cosine, normed_model
from toolchain.compress.fold_batch_norm import FoldBatchNorm, folded_ternary
from toolchain.compress.ternary import Ternarize, TrainedTernary, ternary_signs, twn_scale, two_scales
from toolchain.encodings import Ternary
from toolchain.errors import RecipeError
from toolchain.training.loop import Phase, TrainSettings

FEW = TrainSettings(phases=(Phase(4, 32, 1e-2),), batch=16, optimizer="adamw", weight_decay=0.0)
LATENT = torch.tensor([[1.0, 0.051, 0.05, 0.0], [-0.05, -0.051, -0.8, -0.0]])


def test_zero_within_five_hundredths_of_the_largest_and_a_sign_beyond() -> None:
    assert ternary_signs(LATENT, 0.05).tolist() == [[1, 1, 0, 0], [0, -1, -1, 0]]
    assert ternary_signs(LATENT * 40, 0.05).tolist() == ternary_signs(LATENT, 0.05).tolist()


def test_a_constant_tensor_one_element_and_nothing_but_zeros() -> None:
    assert ternary_signs(torch.full((2, 2), -3.0), 0.05).tolist() == [[-1, -1], [-1, -1]]
    assert ternary_signs(torch.tensor([[2.0]]), 0.05).tolist() == [[1]]
    assert ternary_signs(torch.zeros(2, 2), 0.05).tolist() == [[0, 0], [0, 0]]
    for weight in (torch.full((2, 2), -3.0), torch.tensor([[2.0]]), torch.zeros(2, 2)):
        layer = TrainedTernary(weight)
        latent = layer.right_inverse(weight)
        torch.testing.assert_close(layer(latent).detach(), weight, rtol=2.0**-20, atol=0)  # through a logarithm and back
        # The grid holds a single magnitude exactly but for fp16's rounding of the scale.
        torch.testing.assert_close(layer.encoding(latent).decode(), weight, rtol=2.0**-11, atol=0)


def test_gradients_are_the_papers_but_for_the_sign_of_w_n() -> None:
    """Equations 6 to 8 by numpy: sums over the two sets, and W_p, 1, W_n times the gradient."""
    latent = LATENT.clone().requires_grad_()
    positive, negative = torch.tensor(0.7, requires_grad=True), torch.tensor(0.3, requires_grad=True)
    weight = two_scales(latent, positive, negative, 0.05)
    expected = np.float32([[0.7, 0.7, 0, 0], [0, -0.3, -0.3, 0]])
    assert np.array_equal(weight.detach().numpy(), expected)
    gradient = np.float32([[1, 2, 4, 8], [16, 32, 64, 128]])
    weight.backward(torch.from_numpy(gradient))
    assert positive.grad == 1 + 2 and negative.grad == -(32 + 64)
    scaled = gradient * np.float32([[0.7, 0.7, 1, 1], [1, 0.3, 0.3, 1]])
    assert latent.grad is not None
    np.testing.assert_array_equal(latent.grad.numpy(), scaled)


def test_both_values_start_from_twns_best_single_scale() -> None:
    weight = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    scale = twn_scale(weight, 0.3)

    def error(value: torch.Tensor) -> float:
        return float((weight - value * ternary_signs(weight, 0.3)).square().sum())

    assert error(scale) < min(error(scale * 1.01), error(scale * 0.99))
    layer = TrainedTernary(weight, threshold=0.3)
    torch.testing.assert_close(layer.log_positive.exp(), scale)
    torch.testing.assert_close(layer.log_negative.exp(), scale)


def test_what_is_stored_is_what_was_trained_up_to_the_grid() -> None:
    weight = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(1))
    layer = TrainedTernary(weight, pace=8.0)
    with torch.no_grad():
        layer.log_positive += 0.7
    latent = layer.right_inverse(weight)
    stored, trained = layer.encoding(latent).decode(), layer(latent).detach()
    assert torch.equal(stored.sign(), trained.sign()) and len(trained.unique()) == 3
    # Ternary.nearest: the ratio within 0.5 %, the larger value within fp16's 2^-11.
    torch.testing.assert_close(stored, trained, rtol=0.0055, atol=0)


def test_folding_a_negative_gain_turns_signs_and_swaps_the_levels() -> None:
    weights = Ternary.nearest(np.int8([[1, 0, -1], [1, -1, 0]]), negative=0.25, positive=0.5)
    norm = nn.BatchNorm1d(2).eval()
    norm.weight.data = torch.tensor([3.0, -2.0])
    norm.running_var = torch.tensor([4.0, 1.0]) - norm.eps
    folded = folded_ternary(weights, norm)
    # fp16 rounds the scale, 0.25 and 0.5 times 1.5 and -2, by up to 2^-11.
    np.testing.assert_allclose(folded.decode().numpy(), [[0.75, 0, -0.375], [-1.0, 0.5, 0]], rtol=2.0**-10)


def test_the_stage_stores_ternary_weights_and_keeps_them_when_folded(tmp_path: Path) -> None:
    made = Ternarize(FEW).apply(normed_model(tmp_path), context(tmp_path))
    folded = FoldBatchNorm().apply(made, context(tmp_path))
    for model in (made, folded):
        assert {name: type(encoding) for name, encoding in model.encodings.items()} == {"4.weight": Ternary, "6.weight": Ternary}
    assert mean_cosine(folded, made) > 0.9999  # fp16's rounding of two layers' scales


def test_a_threshold_out_of_range_is_refused() -> None:
    with pytest.raises(RecipeError, match="Ternarize.threshold: expected 0 up to but not 1, got 1"):
        Ternarize(FEW, threshold=1.0)
