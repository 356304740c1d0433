"""InsertBatchNorm: norms that change nothing, and undo themselves when folded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.toolchain import tiny_nets
from tests.toolchain.compress.tiny import blobs, context, tiny_model
from toolchain.compress.fold_batch_norm import FoldBatchNorm, graph_of, norms_behind
from toolchain.compress.insert_batch_norm import InsertBatchNorm, neutral_norm, output_statistics
from toolchain.compress.layers import weighted_layers
from toolchain.errors import DataError, RecipeError, ToolchainError
from toolchain.model import Model, to_input

# A handful of layers, each of which rounds twice more, 2^-24 relative to mean and spread of its map.
ROUNDING = 1e-5


def outputs(model: Model) -> Tensor:
    images = torch.from_numpy(blobs(16, seed=1).images).permute(0, 3, 1, 2)
    with torch.no_grad():
        return model.net(to_input(images, model.input))


def test_the_norm_adds_the_bias_and_else_changes_nothing() -> None:
    x = torch.randn(64, 5, 3, 3, generator=torch.Generator().manual_seed(0)) * 3 + 2
    bias = torch.arange(5.0)
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
    norm = neutral_norm(mean, variance, bias, maps=True)
    torch.testing.assert_close(norm(x), x + bias.reshape(-1, 1, 1), rtol=ROUNDING, atol=ROUNDING)
    # In training it sees the statistics that it already has, so it starts from where it is.
    torch.testing.assert_close(norm.train()(x), x + bias.reshape(-1, 1, 1), rtol=1e-4, atol=1e-4)


def test_statistics_are_those_of_all_batches_without_the_bias() -> None:
    conv = nn.Conv2d(3, 4, 3)
    net = nn.Sequential(conv).eval()
    images = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    mean, variance = output_statistics(net, ["0"], images.split(4))["0"]
    assert conv.bias is not None
    without = (conv(images) - conv.bias.reshape(-1, 1, 1)).detach().double()
    torch.testing.assert_close(mean, without.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(variance, without.var((0, 2, 3), correction=0), rtol=1e-5, atol=1e-6)


def test_every_layer_but_the_last_gets_one_and_the_embeddings_stay(tmp_path: Path) -> None:
    model = tiny_model()
    before = model.fingerprint()
    made = InsertBatchNorm(faces=32).apply(model, context(tmp_path))
    assert set(norms_behind(graph_of(made.net))) == {layer.name for layer in weighted_layers(model.net)[:-1]}
    assert made.net.get_submodule("4").bias is None and made.net.get_submodule("10").bias is not None
    wanted = outputs(model)
    assert (outputs(made) - wanted).norm() < ROUNDING * wanted.norm()
    assert model.fingerprint() == before


def test_layers_that_have_one_keep_it(tmp_path: Path) -> None:
    model = tiny_nets.tiny_model()  # all but "linear", the last, have one behind
    made = InsertBatchNorm(faces=8).apply(model, tiny_nets.context(tmp_path))
    assert made.fingerprint() == model.fingerprint()


def test_folding_takes_them_out_again(tmp_path: Path) -> None:
    model = tiny_model()
    made = FoldBatchNorm().apply(InsertBatchNorm(faces=32).apply(model, context(tmp_path)), context(tmp_path))
    assert set(made.net.state_dict()) == set(model.net.state_dict())
    for name, tensor in made.net.state_dict().items():
        torch.testing.assert_close(tensor, model.net.state_dict()[name], rtol=1e-5, atol=1e-5)


def test_a_linear_layer_over_sequences_is_refused(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(32, 8), nn.Flatten(), nn.Linear(768, 4)).eval()
    with pytest.raises(ToolchainError, match=r"InsertBatchNorm: 0: expected outputs \[N, C\]"):
        InsertBatchNorm(faces=4).apply(Model(net, tiny_model().input), context(tmp_path))


def test_it_needs_two_faces(tmp_path: Path) -> None:
    assert InsertBatchNorm().needs_faces
    with pytest.raises(DataError, match="InsertBatchNorm needs face images"):
        InsertBatchNorm().apply(tiny_model(), context(tmp_path, faces=False))
    with pytest.raises(DataError, match="expected 2 faces or more, got 1"):
        InsertBatchNorm().apply(tiny_model(), replace(context(tmp_path), faces=blobs(1)))
    with pytest.raises(RecipeError, match=r"InsertBatchNorm\.faces: expected 2 or more"):
        InsertBatchNorm(faces=1)
