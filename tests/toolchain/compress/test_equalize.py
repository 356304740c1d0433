from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.toolchain import tiny_nets
from toolchain.compress.equalize import Equalize, channel_scales, equalized
from toolchain.errors import DataError, RecipeError
from toolchain.model import to_input

# Every weight is multiplied and divided once more: 2^-24 each, relative, over four layers of at most 192 products.
ROUNDING = 1e-5


def spread(net: nn.Module, images: torch.Tensor) -> float:
    """Bits between the widest and the median channel of the depthwise convolution's input, which only it and an addition read."""
    largest: list[torch.Tensor] = []
    layer = net.get_submodule("depthwise.0")
    hook = layer.register_forward_pre_hook(lambda _, inputs: largest.append(inputs[0].abs().amax((0, 2, 3))))
    net(images)
    hook.remove()
    return float((largest[0].max() / largest[0].median()).log2())


def test_scales_are_in_proportion_to_ranges_where_only_depthwise_convolutions_read() -> None:
    scales = channel_scales(torch.tensor([1.0, 2.0, 8.0]), torch.zeros(3), balance=0.5)
    assert torch.allclose(scales / scales[0], torch.tensor([1.0, 2.0, 8.0]))
    assert scales.log().mean().abs() < 1e-6


def test_balance_trades_ranges_against_weights() -> None:
    ranges, weights = torch.tensor([1.0, 16.0]), torch.tensor([1.0, 0.25])
    assert torch.allclose(channel_scales(ranges, weights, 1.0)[1] / channel_scales(ranges, weights, 1.0)[0], torch.tensor(16.0))
    assert torch.allclose(channel_scales(ranges, weights, 0.0)[1] / channel_scales(ranges, weights, 0.0)[0], torch.tensor(4.0))
    assert torch.allclose(channel_scales(ranges, weights, 0.5)[1] / channel_scales(ranges, weights, 0.5)[0], torch.tensor(8.0))


def test_a_channel_that_never_fires_has_a_finite_scale() -> None:
    scales = channel_scales(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([1.0, 0.0, 1.0]), 0.5)
    assert torch.isfinite(scales).all() and (scales > 0).all()
    assert torch.isfinite(channel_scales(torch.zeros(3), torch.zeros(3), 0.5)).all()


def test_the_net_computes_the_same_from_evener_channels(tmp_path: Path) -> None:
    model = tiny_nets.folded()
    # One channel 30 times wider than it need be: the weight that makes it and those that read it hide it from the output.
    state = {name: tensor.clone() for name, tensor in model.net.state_dict().items()}
    state["stem.0.weight"][3] *= 30
    state["stem.0.bias"][3] *= 30
    uneven = model.with_weights(state)
    before = {name: tensor.clone() for name, tensor in uneven.net.state_dict().items()}
    result = Equalize(faces=32, balance=1.0).apply(uneven, tiny_nets.context(tmp_path))
    pictures = to_input(torch.from_numpy(tiny_nets.images(32, seed=9)).permute(0, 3, 1, 2), model.input)
    with torch.no_grad():
        expected, found = uneven.net(pictures), result.net(pictures)
        assert (expected - found).norm() < ROUNDING * expected.norm()
        # Not down to none: one s serves every map of the residual stream.
        assert spread(uneven.net, pictures) > 4
        assert spread(result.net, pictures) < 2
    assert all(torch.equal(tensor, before[name]) for name, tensor in uneven.net.state_dict().items())


def test_what_bounds_an_activation_keeps_its_channels() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU6(), nn.Conv2d(4, 4, 1), nn.Flatten()).eval()
    result = equalized(net, torch.rand(4, 3, 2, 2), 1.0)
    for name, tensor in net.state_dict().items():
        assert torch.equal(result.state_dict()[name], tensor)


def test_a_layer_that_runs_twice_keeps_its_weights() -> None:
    """It reads and makes maps of different ranges, and has one weight for both."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.again, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.first(x))
            x = self.again(self.again(x))
            return torch.flatten(self.last(x), 1)

    torch.manual_seed(0)
    net, images = Twice().eval(), torch.rand(16, 3, 2, 2)
    with torch.no_grad():
        expected = net(images)
        assert (equalized(net, images, 0.5)(images) - expected).norm() < ROUNDING * expected.norm()


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    runs = [Equalize(faces=8).apply(tiny_nets.folded(), tiny_nets.context(tmp_path)).fingerprint() for _ in range(2)]
    assert runs[0] == runs[1] != tiny_nets.folded().fingerprint()


def test_it_needs_faces(tmp_path: Path) -> None:
    context = tiny_nets.context(tmp_path)
    with pytest.raises(DataError, match="Equalize needs face images"):
        Equalize().apply(tiny_nets.folded(), type(context)(work=tmp_path))


@pytest.mark.parametrize("balance", [-0.1, 1.1, np.nan])
def test_settings_that_make_no_sense_are_refused(balance: float) -> None:
    with pytest.raises(RecipeError, match="balance"):
        Equalize(balance=balance)
