"""Which layers carry weights, in which order, and what is swapped or rounded for fine-tuning and storing them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.toolchain.compress.tiny import SIZE, tiny_net
from toolchain.backbones import MobileFaceNet
from toolchain.backbones.prelu import PReLU
from toolchain.compress.fold_batch_norm import fold_batch_norms
from toolchain.compress.layers import refuse_batch_norm, rounded_to_half, use_fast_prelu, weighted_layers
from toolchain.errors import ToolchainError


class Backwards(nn.Module):
    """Runs its layers in the reverse of the order in which it names them."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4, 2)
        self.first = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.last(self.first(x).mean((2, 3)))
        return y


def test_layers_come_in_the_order_in_which_the_net_runs_them() -> None:
    assert [layer.name for layer in weighted_layers(Backwards())] == ["first", "last"]


def test_mobilefacenet_starts_with_its_stem_and_ends_with_its_embedding_and_a_traced_copy_agrees() -> None:
    net = MobileFaceNet(embedding_size=16, width=0.125).build()
    layers = weighted_layers(net)
    assert (layers[0].name, layers[-1].name) == ("stem.0", "linear")
    assert sum(layer.depthwise for layer in layers) == 1 + 15 + 1  # after the stem, one a block, the global one
    assert weighted_layers(fold_batch_norms(net)) == layers


def test_a_batch_norm_after_an_encoded_layer_is_refused_with_the_stage_that_helps() -> None:
    net = tiny_net(batch_norm=True)
    with pytest.raises(ToolchainError, match=r"4 is followed by the batch norm 5; put FoldBatchNorm\(\) before Palettize"):
        refuse_batch_norm("Palettize", net, weighted_layers(net))
    folded = fold_batch_norms(net)
    refuse_batch_norm("Palettize", folded, weighted_layers(folded))


def test_the_fast_prelu_gives_the_same_embeddings_gradients_and_names() -> None:
    slow, fast = tiny_net(), tiny_net()
    images = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    use_fast_prelu(fast, images)
    assert sum(isinstance(module, PReLU) for module in fast.modules()) == 4
    for net in (slow, fast):
        net.train()(images).square().sum().backward()
    assert torch.equal(slow(images), fast(images))
    assert [name for name, _ in slow.named_parameters()] == [name for name, _ in fast.named_parameters()]
    for one, other in zip(slow.parameters(), fast.parameters(), strict=True):
        # Sums over 2 · 16 · 16 positions in another order: 512 roundings of 2⁻²⁴ at the very most.
        torch.testing.assert_close(one.grad, other.grad, rtol=512 * 2.0**-24, atol=1e-6)


def test_a_prelu_on_vectors_keeps_torchs_own() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.PReLU(4))
    use_fast_prelu(net, torch.zeros(1, 3, 2, 2))
    assert type(net[2]) is nn.PReLU


def test_rounding_to_half_gives_the_nearest_values_that_two_bytes_hold() -> None:
    values = torch.tensor([1 + 2.0**-12, -0.1, 3e-8, 0.0])
    rounded = rounded_to_half(values)
    assert rounded.dtype == torch.float32 and torch.equal(rounded, rounded.half().float())
    assert float((rounded - values)[0].abs()) <= 2.0**-11  # half a step of 2⁻¹⁰ at 1
    assert torch.equal(rounded_to_half(rounded), rounded)


def test_values_beyond_half_precision_stay_as_they_are() -> None:
    values = torch.tensor([70000.0, 0.1])
    assert torch.equal(rounded_to_half(values), values)
