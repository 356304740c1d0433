"""PruneChannels: one threshold for the net, and a smaller net that computes what the masked one did."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.toolchain.compress.tiny import context
from toolchain.backbones import MobileFaceNet, SqueezeNet
from toolchain.backbones.pooled import PooledBackbone
from toolchain.compress.prune_channels import PruneChannels, kept_rows, threshold_of_share
from toolchain.costs import count
from toolchain.errors import RecipeError, ToolchainError
from toolchain.model import Model


def model_of(backbone: MobileFaceNet | PooledBackbone, switched_off: bool = False) -> Model:
    """With drawn gains; `switched_off`: a third of every norm's gains and biases are 0, the same third of any width."""
    torch.manual_seed(0)
    net = backbone.build().eval()
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            if switched_off:
                layer.weight.data[::3] = 0
                layer.bias.data[::3] = 0
    return Model(net, backbone.input)


def test_the_threshold_is_a_percentile_of_all_gains() -> None:
    worths = [torch.tensor([0.1, 0.5, 0.9]), torch.tensor([0.2, 0.3, 0.4, 0.8])]
    assert threshold_of_share(worths, 2 / 7) == pytest.approx(0.3), "0.1 and 0.2 go"
    assert threshold_of_share(worths, 0.0) == pytest.approx(0.1), "none goes"
    assert threshold_of_share([torch.tensor([0.7])], 0.9) == torch.inf, "the only one goes, if a layer may be empty"
    with pytest.raises(ToolchainError, match="gains that are numbers, got NaN"):
        threshold_of_share([torch.tensor([torch.nan])], 0.5)
    with pytest.raises(ToolchainError, match="gains that are numbers, got NaN"):
        kept_rows(torch.tensor([0.5, torch.nan]), 0.1, 1)
    with pytest.raises(ToolchainError, match="got none that could go"):
        threshold_of_share([torch.tensor([torch.inf])], 0.5)


def test_a_layer_keeps_its_worthiest_where_too_few_reach_the_threshold() -> None:
    worths = torch.tensor([0.1, 0.9, 0.3, 0.3])
    assert kept_rows(worths, 0.3, 1).tolist() == [1, 2, 3]
    assert kept_rows(worths, 2.0, 2).tolist() == [1, 2], "of equal ones the first"
    assert kept_rows(torch.full((3,), 0.5), 0.5, 1).tolist() == [0, 1, 2], "constant gains stay together"


def test_channels_that_were_switched_off_can_be_removed_without_a_trace(tmp_path: Path) -> None:
    """Residual and depthwise layers too: a channel of gain and bias 0 is 0 through PReLU and depthwise convolutions."""
    model = model_of(MobileFaceNet(embedding_size=32, width=0.25), switched_off=True)
    before = model.fingerprint()
    made = PruneChannels(share=None, threshold=1e-6, least=1).apply(model, context(tmp_path, faces=False))
    assert model.fingerprint() == before
    images = torch.rand(2, 3, 112, 112)
    # The same sums without zeros, in another order: float32 over 50 layers.
    torch.testing.assert_close(made.net(images), model.net(images), rtol=1e-3, atol=1e-4)
    costs, whole = (count(item.net, 112, 112) for item in (made, model))
    assert costs.multiply_adds < 0.55 * whole.multiply_adds, "two thirds of inputs and outputs are left: 4/9 of the 1×1 layers"
    assert made.net.get_submodule("blocks.1.depthwise.0").groups == made.net.get_submodule("blocks.1.depthwise.0").weight.shape[0]


def test_the_share_goes_and_every_layer_keeps_some(tmp_path: Path) -> None:
    model = model_of(MobileFaceNet(embedding_size=32, width=0.25))
    made = PruneChannels(share=0.4, least=4).apply(model, context(tmp_path, faces=False))
    kept = [layer.num_features for layer in made.net.modules() if isinstance(layer, nn.BatchNorm2d)]
    all_of = [layer.num_features for layer in model.net.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert min(kept) >= 4 and kept[-1] == 32, "the embedding keeps its size"
    assert all(a <= b for a, b in zip(kept, all_of, strict=True)) and sum(kept) < 0.75 * sum(all_of)


def test_what_it_cannot_do_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="not known what it does to channels"):
        PruneChannels().apply(model_of(SqueezeNet(pixels=64)), context(tmp_path, faces=False))  # concatenates


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"share": None}, "either share or threshold"), ({"share": 1.0}, "share: expected"), ({"least": 0}, "least >= 1")],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        PruneChannels(**wrong)  # type: ignore[arg-type]
