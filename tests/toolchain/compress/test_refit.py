"""The last layer solved anew gives what least squares gives, and takes back what a net lost in its last steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.toolchain.compress.tiny import context, normed_model, tiny_model
from toolchain.compress.binary_connect import BinaryConnect
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.insert_batch_norm import InsertBatchNorm
from toolchain.compress.layers import weighted_layers
from toolchain.compress.refit import refit_last, ridge
from toolchain.errors import ToolchainError
from toolchain.model import Model, to_input
from toolchain.training.loop import Phase, TrainSettings

FEW = TrainSettings((Phase(4, 32, 1e-2),), batch=16, optimizer="adamw", weight_decay=0.0)


def test_without_a_penalty_it_is_least_squares() -> None:
    random = np.random.default_rng(0)
    features, wanted = random.normal(size=(40, 5)), random.normal(size=(40, 3))
    weight, bias = ridge(torch.from_numpy(features), torch.from_numpy(wanted), penalty=0.0)
    solved = np.linalg.lstsq(np.hstack([features, np.ones((40, 1))]), wanted, rcond=None)[0]
    assert np.allclose(weight, solved[:5].T, atol=1e-6) and np.allclose(bias, solved[5], atol=1e-6)


def test_the_penalty_draws_the_weights_to_zero_and_the_bias_to_the_mean() -> None:
    """One feature of variance 1 and a slope of 2: the slope becomes 2 / (1 + penalty)."""
    features = torch.tensor([[-1.0], [1.0]])
    weight, bias = ridge(features, 2 * features + 3, penalty=1.0)
    assert weight.item() == pytest.approx(1.0) and bias.item() == pytest.approx(3.0)


@pytest.mark.parametrize("normed", [False, True])
def test_a_spoilt_last_layer_is_taken_back(normed: bool, tmp_path: Path) -> None:
    known = context(tmp_path)
    assert known.faces is not None
    model = InsertBatchNorm(faces=64).apply(tiny_model(), known) if normed else tiny_model()
    last = weighted_layers(model.net)[-1].weight
    spoilt = model.with_weights({last: model.net.get_parameter(last).detach() * 0.1 + 0.05})
    images = torch.from_numpy(np.ascontiguousarray(known.faces.images[:32])).permute(0, 3, 1, 2)
    wanted = model.embed(images)

    def cosine(found: Model) -> float:
        return float((found.embed(images) * wanted).sum(1).mean())

    solved = refit_last(spoilt, model, known.faces, len(known.faces))
    # The wanted embeddings have length 1, so they are no linear function of the features: near, not equal.
    assert cosine(solved) > 0.99 > cosine(spoilt)
    folded = FoldBatchNorm().apply(solved, known)
    assert torch.allclose(folded.embed(images), solved.embed(images), atol=1e-5)


def test_a_net_that_is_trained_on_starts_from_what_was_solved(tmp_path: Path) -> None:
    """In training batch norm has a batch's statistics: with all the faces as one batch, those that were solved with."""
    known = context(tmp_path)
    assert known.faces is not None
    model = InsertBatchNorm(faces=64).apply(tiny_model(), known)
    last = weighted_layers(model.net)[-1].weight
    spoilt = model.with_weights({last: model.net.get_parameter(last).detach() * 0.1 + 0.05})
    solved = refit_last(spoilt, model, known.faces, len(known.faces))
    images = to_input(torch.from_numpy(np.array(known.faces.images)).permute(0, 3, 1, 2), model.input)
    with torch.no_grad():
        wanted = solved.net.eval()(images)
        norms = [module for module in solved.net.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
        norms[-1].train()
        torch.testing.assert_close(solved.net(images), wanted, atol=1e-4, rtol=1e-4)


class _Behind(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.net(x))


def test_a_layer_that_does_not_give_the_embedding_is_refused(tmp_path: Path) -> None:
    known = context(tmp_path)
    assert known.faces is not None
    model = tiny_model()
    with pytest.raises(ToolchainError, match="leave out the refit"):
        refit_last(model.with_net(_Behind(model.net)), model, known.faces, 64)


@pytest.mark.parametrize("features", [torch.zeros(10, 5), torch.ones(10, 5), torch.full((10, 5), torch.nan), torch.ones(1, 5)])
def test_features_that_do_not_vary_are_refused(features: torch.Tensor) -> None:
    with pytest.raises(ToolchainError, match="refit: features do not vary; the training collapsed, .* refit=0"):
        ridge(features, torch.randn(len(features), 3))


def test_a_stage_of_few_values_ends_in_the_last_layer_solved(tmp_path: Path) -> None:
    known, model = context(tmp_path / "a"), normed_model(tmp_path)
    assert known.faces is not None
    plain = BinaryConnect(FEW, refit=0).apply(model, known)
    made = BinaryConnect(FEW, refit=64).apply(model, context(tmp_path / "b"))
    assert made.fingerprint() == refit_last(plain, model, known.faces, 64).fingerprint() != plain.fingerprint()
