"""MobileFaceNet has the paper's layers at every width, runs at lower resolutions, and its PReLU has torch's numbers."""

import pytest
import torch
from torch import nn

from toolchain.backbones import MobileFaceNet
from toolchain.backbones.mobilefacenet import WIDTHS, GlobalDepthwiseConv
from toolchain.backbones.prelu import PReLU
from toolchain.errors import RecipeError


def paper_weights(width: float, dim: int) -> int:
    """Convolution weights by hand from table 1 of the paper: 3×3 stem, 3×3 depthwise, six bottleneck rows, head, pool, linear."""
    c = lambda channels: round(channels * width)  # noqa: E731
    total = 27 * c(64) + 9 * c(64)
    inputs = 64
    for hidden, outputs, repeats in ((128, 64, 1), (128, 64, 4), (256, 128, 1), (256, 128, 6), (512, 128, 1), (256, 128, 2)):
        for _ in range(repeats):
            total += c(inputs) * c(hidden) + 9 * c(hidden) + c(hidden) * c(outputs)
            inputs = outputs
    return total + c(128) * c(512) + 49 * c(512) + c(512) * dim


@pytest.mark.parametrize("width", WIDTHS)
def test_convolution_weights_are_those_of_the_papers_table(width: float) -> None:
    net = MobileFaceNet(width=width, embedding_size=512).build()
    counted = sum(module.weight.numel() for module in net.modules() if isinstance(module, nn.Conv2d))
    assert counted == paper_weights(width, 512)


@pytest.mark.parametrize(("width", "megabytes"), [(1.0, 4.8), (0.5, 1.7)])
def test_float_size_is_near_the_lectures(width: float, megabytes: float) -> None:
    """The lecture's files (4.8 MB, 1.7 MB) hold a 512-d net with its batch norms; 10 % covers its container format."""
    state = MobileFaceNet(width=width, embedding_size=512).build().state_dict()
    size = sum(value.numel() * 4 for value in state.values()) / 1e6
    assert size == pytest.approx(megabytes, rel=0.10)


@pytest.mark.parametrize("activation", ["prelu", "relu", "relu6"])
def test_embeds_at_112_and_at_lower_resolutions(activation: str) -> None:
    net = MobileFaceNet(width=0.125, embedding_size=32, activation=activation).build().eval()  # type: ignore[arg-type]
    for pixels in (112, 64, 80):
        assert net(torch.zeros(2, 3, pixels, pixels)).shape == (2, 32)


def test_global_kernel_keeps_the_sum_of_a_constant_map() -> None:
    """A constant kernel on a constant map gives the same value at any size: interpolation and rescaling cancel."""
    layer = GlobalDepthwiseConv(2, 7)
    nn.init.constant_(layer.weight, 0.5)
    assert torch.allclose(layer(torch.ones(1, 2, 4, 4)), layer(torch.ones(1, 2, 7, 7)), rtol=1e-5)


def test_prelu_has_torchs_values_and_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, 3, 4, 4, generator=generator, dtype=torch.float64)
    ours, theirs = PReLU(3).double(), nn.PReLU(3).double()
    with torch.no_grad():
        for layer in (ours, theirs):
            layer.weight.copy_(torch.tensor([0.25, -0.5, 1.5]))
    results = []
    for layer in (ours.train(), theirs.train()):
        x = values.clone().requires_grad_()
        y = layer(x)
        (y * values.cos()).sum().backward()
        results.append((y, x.grad, layer.weight.grad))
    for mine, reference in zip(*results, strict=True):
        # float64: the same products, summed in another order
        assert torch.allclose(mine, reference, rtol=0, atol=1e-12)


@pytest.mark.parametrize("settings", [{"width": 0.3}, {"embedding_size": 0}, {"activation": "tanh"}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="expected"):
        MobileFaceNet(**settings)  # type: ignore[arg-type]
