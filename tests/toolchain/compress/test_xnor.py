"""XNOR-Net beside its equations: α and its gradient by numpy, K by the paper's A ∗ k, the approximation term by term."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.toolchain.compress.tiny import context, normed_model, tiny_model
from toolchain.compress.bnn import BinaryActivation
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.pattern_binarize import PatternBinarize
from toolchain.compress.xnor import BWN, XNOR, InputScale, ScaledSigns, scaled_signs
from toolchain.encodings import Binary
from toolchain.errors import ToolchainError
from toolchain.training.loop import Phase, TrainSettings

FEW = TrainSettings(phases=(Phase(4, 32, 1e-2),), batch=16, optimizer="adamw", weight_decay=0.0)
WEIGHT = torch.tensor([[0.2, -0.4, 0.0, 0.6], [1.5, -1.5, 0.5, -0.5]])
ALPHA = np.float32([[0.3], [1.0]])  # (0.2 + 0.4 + 0 + 0.6) / 4, (1.5 + 1.5 + 0.5 + 0.5) / 4
SIGNS = np.float32([[1, -1, 1, 1], [1, -1, 1, -1]])


def test_the_weight_is_the_mean_magnitude_times_the_sign_and_zero_counts_as_plus() -> None:
    np.testing.assert_allclose(scaled_signs(WEIGHT).numpy(), ALPHA * SIGNS, rtol=2.0**-22)
    for only in (torch.tensor([[-2.0]]), torch.full((2, 3), 0.5)):
        assert torch.equal(scaled_signs(only), only), "one element and a constant are their own approximation"


def test_the_gradient_is_the_papers() -> None:
    """∂C/∂W_i = ∂C/∂W̃_i (1/n + α·1{|W_i| ≤ 1}), by numpy."""
    weight = WEIGHT.clone().requires_grad_()
    gradient = np.float32([[1, 2, 4, 8], [16, 32, 64, 128]])
    scaled_signs(weight).backward(torch.from_numpy(gradient))
    assert weight.grad is not None
    np.testing.assert_allclose(weight.grad.numpy(), gradient * (1 / 4 + ALPHA * (np.abs(WEIGHT.numpy()) <= 1)), rtol=2.0**-20)


def test_latent_weights_in_their_own_units_give_the_same_weight_whatever_the_pace() -> None:
    for pace in (1.0, 8.0):
        layer = ScaledSigns(WEIGHT, pace)
        latent = layer.right_inverse(WEIGHT)
        # By the unit and back: two roundings of 2^-24 in each term of the mean.
        torch.testing.assert_close(layer(latent), scaled_signs(WEIGHT), rtol=2.0**-21, atol=0)
        assert torch.equal(layer.encoding(latent).decode(), layer(latent))


@pytest.mark.parametrize("convolution", [nn.Conv2d(5, 7, 3, 2, 1, bias=False), nn.Conv2d(5, 7, (3, 1), 1, 0, bias=False)])
def test_the_input_scale_is_a_mean_over_channels_and_then_over_the_window(convolution: nn.Conv2d) -> None:
    x = torch.randn(2, 5, 8, 8, generator=torch.Generator().manual_seed(0))
    means = x.abs().mean(1, keepdim=True)  # A
    window = torch.full((1, 1, *convolution.kernel_size), 1 / (convolution.kernel_size[0] * convolution.kernel_size[1]))  # k
    expected = nn.functional.conv2d(means, window, None, convolution.stride, convolution.padding)
    # 45 terms, each rounded by 2^-24 of its size: far below 1e-5.
    torch.testing.assert_close(InputScale(convolution)(x), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [(1, 2), "same"])
def test_the_input_scale_reads_the_margins_that_the_convolution_reads(mode: Any, padding: Any) -> None:
    """A convolution of equal weights, by torch's own module, is the mean of the magnitudes."""
    convolution = nn.Conv2d(5, 1, (3, 5), 1, padding, bias=False, padding_mode=mode)
    nn.init.constant_(convolution.weight, 1 / (5 * 3 * 5))
    x = torch.randn(2, 5, 8, 8, generator=torch.Generator().manual_seed(0))
    # 75 terms, each rounded by 2^-24 of its size: far below 1e-5.
    torch.testing.assert_close(InputScale(convolution)(x), convolution(x.abs()).detach(), rtol=1e-5, atol=0)


def by_hand(x: Tensor, weight: Tensor) -> np.ndarray:
    """(sign(X) ⊛ sign(W)) ⊙ K α of one map `[C, H, W]` without padding, sum by sum (equation 11)."""
    values, filters = x.numpy(), weight.numpy()
    outputs, _, height, width = filters.shape
    result = np.zeros((outputs, values.shape[1] - height + 1, values.shape[2] - width + 1))
    for number, row, column in np.ndindex(*result.shape):
        window = values[:, row : row + height, column : column + width]
        agree = np.where((window >= 0) == (filters[number] >= 0), 1, -1).sum()
        result[number, row, column] = agree * np.abs(window).mean() * np.abs(filters[number]).mean()
    return result


class Two(nn.Module):
    """A convolution between two others, batch norm behind each."""

    def __init__(self, bias: bool = False) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.inner, self.inner_norm = nn.Conv2d(4, 5, 3, bias=bias), nn.BatchNorm2d(5)
        self.last = nn.Conv2d(5, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first_norm(self.first(x)))
        return torch.flatten(self.last(torch.relu(self.inner_norm(self.inner(x)))), 1)


@pytest.mark.parametrize("bias", [False, True])
def test_the_constrained_net_computes_the_papers_approximation_of_what_batch_norm_gives(bias: bool) -> None:
    torch.manual_seed(0)
    net = Two(bias).eval()
    before = net.get_buffer("inner_norm.running_mean").clone()
    made = XNOR().constrained(net).eval()
    seen: dict[str, Tensor] = {}
    made.get_submodule("first_norm").register_forward_hook(lambda *given: seen.update(x=given[2]))
    made.get_submodule("inner_norm").register_forward_hook(lambda *given: seen.update(y=given[1][0]))
    with torch.no_grad():
        made(torch.randn(1, 3, 8, 8))
    assert float(seen["x"].min()) < 0, "no ReLU in front of the signs"
    expected = by_hand(seen["x"][0], net.inner.weight.detach())
    np.testing.assert_allclose(seen["y"][0].numpy(), expected, rtol=1e-5, atol=1e-6)
    if net.inner.bias is not None:
        # The bias comes after K: batch norm takes off as much less.
        assert torch.equal(made.get_buffer("inner_norm.running_mean"), before - net.inner.bias)
        assert torch.equal(net.get_buffer("inner_norm.running_mean"), before), "the net itself stays"
    trained, plain = made.train()(torch.zeros(1, 3, 8, 8)), made.eval()
    assert trained.requires_grad and plain.training is False


def test_a_gradient_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    net = XNOR().constrained(Two()).train()
    net(torch.randn(4, 3, 8, 8)).square().sum().backward()
    still = [name for name, value in net.named_parameters() if value.grad is None or not bool(value.grad.any())]
    assert not still


def test_the_stages_store_scaled_signs_of_their_layers(tmp_path: Path) -> None:
    model = normed_model(tmp_path)
    for stage, layers in ((BWN(FEW), {"4.weight", "6.weight"}), (PatternBinarize(FEW), {"2.weight"})):
        folded = FoldBatchNorm().apply(stage.apply(model, context(tmp_path / type(stage).__name__)), context(tmp_path))
        assert {name for name, encoding in folded.encodings.items() if isinstance(encoding, Binary)} == layers


def test_xnor_leaves_grouped_and_linear_layers_as_they_are(tmp_path: Path) -> None:
    made = XNOR(FEW).apply(normed_model(tmp_path), context(tmp_path))
    kinds = {name: type(module) for name, module in made.net.named_modules()}
    assert {name for name, kind in kinds.items() if kind is BinaryActivation} == {"4_sign", "6_sign"}
    assert {name for name, kind in kinds.items() if kind is InputScale} == {"4_scale", "6_scale"}
    assert set(made.encodings) == {"4.weight", "6.weight"}


def test_without_batch_norm_it_does_not_train(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"XNOR: 4 has no batch norm of its own behind it, .* put XNOR\(\) before FoldBatchNorm\(\)"):
        XNOR(FEW).apply(tiny_model(), context(tmp_path))
