from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.toolchain import tiny_nets
from toolchain.compress.fold_batch_norm import FoldBatchNorm, fold_batch_norms, folded, folded_signs
from toolchain.encodings import Binary
from toolchain.errors import ToolchainError
from toolchain.model import Model

# Folding rounds each weight once more (2^-24, relative), over a handful of layers that add up to a few hundred products.
ROUNDING = 1e-5


def drawn_norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels).eval()
    assert norm.running_mean is not None and norm.running_var is not None
    for values, low in ((norm.weight, 0.5), (norm.bias, -1.0), (norm.running_mean, -1.0), (norm.running_var, 0.5)):
        nn.init.uniform_(values, low, 2.0)
    return norm


def test_it_is_the_formula_of_the_paper() -> None:
    norm = nn.BatchNorm2d(1, eps=0.0)
    norm.load_state_dict(
        {
            "weight": torch.tensor([3.0]),
            "bias": torch.tensor([5.0]),
            "running_mean": torch.tensor([1.0]),
            "running_var": torch.tensor([4.0]),
            "num_batches_tracked": torch.tensor(0),
        }
    )
    weight, bias = folded(torch.full((1, 1, 1, 1), 2.0), torch.tensor([7.0]), norm)
    assert weight.item() == 3.0  # 2 * 3 / sqrt(4)
    assert bias.item() == 14.0  # (7 - 1) * 3 / sqrt(4) + 5


def test_the_net_computes_the_same_and_no_batch_norm_is_left(tmp_path: Path) -> None:
    model = tiny_nets.tiny_model()
    result = FoldBatchNorm().apply(model, tiny_nets.context(tmp_path))
    pictures = torch.rand(8, 3, tiny_nets.SIDE, tiny_nets.SIDE) * 2 - 1
    with torch.no_grad():
        before, after = model.net(pictures), result.net(pictures)
    assert (before - after).norm() < ROUNDING * before.norm()
    assert not any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) for layer in result.net.modules())
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in model.net.modules())
    assert "stem.0.weight" in result.net.state_dict()


def test_a_layer_that_something_else_reads_too_is_left_alone() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 1), drawn_norm(4)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            total: Tensor = y + self.norm(y)
            return total

    net = Shared().eval()
    result = fold_batch_norms(net)
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in result.modules())
    picture = torch.rand(1, 3, 4, 4)
    assert torch.equal(result(picture), net(picture))


def test_a_subclass_whose_forward_ignores_its_bias_gets_one_that_counts() -> None:
    class NoBias(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:
            return nn.functional.conv2d(input, self.weight, None, self.stride, self.padding, self.dilation, self.groups)

    net = nn.Sequential(NoBias(3, 4, 3, bias=False), drawn_norm(4)).eval()
    picture = torch.rand(1, 3, 5, 5)
    before = net(picture)
    assert (fold_batch_norms(net)(picture) - before).norm() < ROUNDING * before.norm()


def test_a_net_that_cannot_be_traced_is_refused_in_one_line() -> None:
    class Branches(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(ToolchainError, match=r"^Branches: expected a net that torch.fx can trace[^\n]*$"):
        fold_batch_norms(Branches())


def signs(shape: tuple[int, ...]) -> Binary:
    draw = np.random.default_rng(0)
    return Binary(draw.random(shape) < 0.5, draw.uniform(0.01, 0.1, shape[0]).astype(np.float32))


def test_signs_take_a_norm_into_their_scale_and_turn_where_its_gain_is_negative() -> None:
    before, norm = signs((3, 4, 1, 1)), drawn_norm(3)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([2.0, -2.0, 0.0]))
    after = folded_signs(before, norm)
    assert np.array_equal(after.positive[0], before.positive[0]) and np.array_equal(after.positive[1], ~before.positive[1])
    weight, _ = folded(before.decode(), None, norm)
    # The scale is rounded to fp16: half a step of 2^-10.
    torch.testing.assert_close(after.decode()[:2], weight[:2], rtol=2.0**-11, atol=0)
    assert np.array_equal(after.scale, after.scale.astype(np.float16).astype(np.float32))
    assert after.scale[2] == 2.0**-24  # switched off, but a scale that runtimes take


def test_a_scale_beyond_fp16_stays_as_it_is() -> None:
    norm = nn.BatchNorm2d(1, eps=0.0).eval()
    with torch.no_grad():
        norm.weight.fill_(3e6)
    assert folded_signs(Binary(np.ones((1, 2), np.bool_), np.array([0.1], np.float32)), norm).scale[0] == np.float32(0.1 * 3e6)


def test_a_binary_layer_stays_binary_and_one_of_another_encoding_loses_it(tmp_path: Path) -> None:
    plain = tiny_nets.tiny_model()
    state = plain.net.state_dict()
    chosen = {name: signs(tuple(state[name].shape)) for name in ("depthwise.0.weight", "project.0.weight", "linear.weight")}
    model = plain.with_weights({**chosen, "shrink.0.weight": tiny_nets.palette(state["shrink.0.weight"])})
    result = FoldBatchNorm().apply(model, tiny_nets.context(tmp_path))
    assert set(result.encodings) == set(chosen)
    assert not any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) for layer in result.net.modules())
    unrounded = Model(fold_batch_norms(model.net), model.input)
    pictures = torch.rand(8, 3, tiny_nets.SIDE, tiny_nets.SIDE) * 2 - 1
    with torch.no_grad():
        before, after = unrounded.net(pictures), result.net(pictures)
    # Three layers whose scales are rounded by up to 2^-11.
    assert (before - after).norm() < 3 * 2.0**-11 * before.norm()
