"""BNN: activations as the paper states them, where they stand in the net, and in TFLite, where sign(0) must be +1 too."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from runtime_py.bundle import InputContract
from tests.toolchain.compress.tiny import context, normed_model
from toolchain.compress.bnn import BNN, BinaryActivation, binary_activation
from toolchain.compress.xnor import XNOR
from toolchain.convert.route import Onnx2Tf
from toolchain.encodings import Binary
from toolchain.errors import ToolchainError
from toolchain.kept import Kept
from toolchain.model import Model
from toolchain.parity import host
from toolchain.parity.tolerance import tolerance
from toolchain.training.loop import Phase, TrainSettings

FEW = TrainSettings(phases=(Phase(4, 32, 1e-2),), batch=16, optimizer="adamw", weight_decay=0.0)
VALUES = torch.tensor([-math.inf, -3.0, -1.0, -0.25, -1e-30, -0.0, 0.0, 1e-30, 0.25, 1.0, 3.0, math.inf])
SIGNS = [-1.0] * 5 + [1.0] * 7


def test_signs_are_exact_and_zero_counts_as_plus_in_training_and_after() -> None:
    maps = VALUES.reshape(1, 1, 3, 4)
    layer = BinaryActivation(1)
    assert layer.train()(maps).flatten().tolist() == SIGNS
    assert layer.eval()(maps).flatten().tolist() == SIGNS


def test_nan_is_never_taken_for_a_sign() -> None:
    layer, maps = BinaryActivation(1), torch.full((1, 1, 1, 1), math.nan)
    assert bool(layer.train()(maps).isnan()) and bool(layer.eval()(maps).isnan())


@pytest.mark.parametrize("stochastic", [False, True])
def test_the_gradient_goes_straight_through_and_is_cancelled_beyond_one(stochastic: bool) -> None:
    values = torch.tensor([-3.0, -1.0001, -1.0, -0.5, 0.0, 1.0, 1.0001, 3.0], requires_grad=True)
    gradient = torch.arange(1.0, 9.0)
    binary_activation(values, stochastic).backward(gradient)
    assert values.grad is not None and values.grad.tolist() == (gradient * (values.detach().abs() <= 1)).tolist()


def test_drawn_activations_follow_the_seed_and_have_the_stated_mean() -> None:
    values = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0]).repeat(20_000, 1)
    torch.manual_seed(1)
    first = binary_activation(values, stochastic=True)
    torch.manual_seed(1)
    assert torch.equal(binary_activation(values, stochastic=True), first)
    # Mean clip(x, -1, 1), variance at most 1: five standard errors of a mean of 20,000.
    assert float((first.mean(0) - values[0].clamp(-1, 1)).abs().max()) < 5 / math.sqrt(20_000)


class Branches(nn.Module):
    """A ReLU that a convolution reads through a pooling and an addition reads too; a PReLU in front of the next."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.pool = nn.MaxPool2d(2)
        self.one = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8))
        self.two = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8))
        self.last = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 6, 1), nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.stem(x))
        result: Tensor = self.last(x + self.two(self.one(x)))
        return result


def test_a_sign_reads_what_the_activation_read_and_others_go_on_reading_the_activation() -> None:
    torch.manual_seed(0)
    net = Branches().eval()
    net.stem[1].bias.data.uniform_(-1, 1)
    made = BNN().constrained(net).eval()
    seen: dict[str, Tensor] = {}
    for name in ("stem.1", "one.0_sign", "one.1", "two.0_sign", "stem.2"):
        made.get_submodule(name).register_forward_hook(lambda _, given, out, name=name: seen.update({f"{name}<": given[0], name: out}))
    with torch.no_grad():
        made(torch.randn(2, 3, 16, 16))
    assert torch.equal(seen["one.0_sign<"], nn.functional.max_pool2d(seen["stem.1"], 2)) and float(seen["one.0_sign<"].min()) < 0
    assert torch.equal(seen["two.0_sign<"], seen["one.1"]), "the PReLU is gone"
    assert torch.equal(seen["stem.2"], seen["stem.1"].clamp_min(0)), "the addition's ReLU is not, and no longer writes in place"
    assert not any(isinstance(module, nn.PReLU) for module in made.modules())


def test_a_concatenation_of_activations_is_refused() -> None:
    class Joined(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)
            self.inner, self.last = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            joined = torch.cat([torch.relu(self.left(x)), torch.relu(self.right(x))], 1)
            result: Tensor = self.last(self.inner(joined))
            return result

    with pytest.raises(ToolchainError, match="inner: expected an input that can be negative, got a concatenation of activations"):
        BNN().constrained(Joined())


@pytest.mark.parametrize("stochastic", [False, True])
def test_the_stage_stores_signs_keeps_its_result_and_the_layers_come_back_with_it(stochastic: bool, tmp_path: Path) -> None:
    model, stage, kept = normed_model(tmp_path), BNN(FEW, stochastic=stochastic), Kept(tmp_path / "kept")
    made = kept.apply(stage, model, context(tmp_path))
    assert all(isinstance(encoding, Binary) and bool((encoding.scale == 1).all()) for encoding in made.encodings.values())
    assert set(made.encodings) == {"4.weight", "6.weight"}
    found = kept.find(stage, model, context(tmp_path))
    assert found is not None and found.fingerprint() == made.fingerprint() != model.fingerprint()
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(found.net.eval()(images), made.net.eval()(images))


class Signed(nn.Module):
    """An XNOR layer as the stage makes it, read by a linear layer. The first convolution's first four filters are 0 and so is
    what the signs read of them; its other four give whole numbers of pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(3, 8, 1, bias=False), nn.BatchNorm2d(8, eps=0.0)
        self.inner, self.inner_norm = nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8)
        self.last = nn.Linear(8, 16)
        self.first.weight.data[:4] = 0
        self.first.weight.data[4:] = torch.tensor([1.0, -1.0, 0.0]).reshape(1, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first_norm(self.first(x)))
        x = torch.relu(self.inner_norm(self.inner(x)))
        return self.last(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))


def test_in_tflite_the_sign_of_zero_is_plus_one_and_xnnpack_runs_the_graph_whole() -> None:
    """The maps are as wide as they have channels, where layouts are easily mistaken. Pixels differ or not, so half of the net's signs
    are of exact zeros: with sign(0) = 0 embeddings would be others."""
    torch.manual_seed(0)
    model = Model(XNOR().constrained(Signed()).eval(), InputContract(8, 8, "rgb", 1.0, 0.0))
    for name in ("first", "inner", "last"):
        nn.utils.parametrize.remove_parametrizations(model.net.get_submodule(name), "weight")
    tflite = Onnx2Tf().float32(model)
    host.check_runs_everywhere("xnor", tflite)
    assert tolerance(tflite, whole=True).min_cosine == 0.99, "on another machine a sign may turn: no largest difference is asked for"
    images = np.random.default_rng(0).integers(0, 3, (256, 8, 8, 3)).astype(np.uint8)
    for result in host.compare(model, tflite, images):
        if isinstance(result, host.Parity):
            # Sums of whole numbers are exact, so no sign can differ; what follows adds 72 and 8 terms: far below 1e-5.
            assert result.max_abs < 1e-5, result.runtime
    zeros = model.net.get_submodule("first")(torch.from_numpy(images[:1]).permute(0, 3, 1, 2).float()) == 0
    assert 0.5 < float(zeros.float().mean()) < 1
