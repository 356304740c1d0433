"""What every loss of the package keeps to, found by walking it: a new loss is held to this without naming it here."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil

import numpy as np
import pytest
import torch

import toolchain.losses
from toolchain.losses import Loss
from toolchain.losses.base import Classifier, Criterion
from toolchain.losses.supervised import grouped_order
from toolchain.stage import describe

LOSSES = sorted(
    (
        value
        for item in pkgutil.iter_modules(toolchain.losses.__path__)
        for value in vars(importlib.import_module(f"toolchain.losses.{item.name}")).values()
        if inspect.isclass(value)
        and issubclass(value, Loss)
        and not inspect.isabstract(value)
        and value.__module__.endswith(f".{item.name}")
    ),
    key=lambda loss: loss.__name__,
)
DIM, CLASSES = 16, 6


def batch(scale: float = 1.0, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    """12 embeddings, two of each identity."""
    rows = torch.randn(2 * CLASSES, DIM, generator=torch.Generator().manual_seed(0)) * scale
    return rows.to(dtype).requires_grad_(), torch.arange(2 * CLASSES) // 2


def built(loss: type[Loss]) -> Criterion:
    torch.manual_seed(0)
    return loss().build(DIM, CLASSES)


def test_the_walk_finds_the_losses() -> None:
    expected = "ArcFace CentreLoss Contrastive CosFace Focal HardExamples Softmax SphereFace Triplet".split()
    assert set(expected) <= {loss.__name__ for loss in LOSSES}


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_gives_a_scalar_whose_gradient_reaches_the_embeddings(loss: type[Loss]) -> None:
    rows, labels = batch()
    value = built(loss)(rows, labels)
    value.backward()
    assert value.shape == () and bool(value.isfinite()) and float(value.detach()) > 0
    assert rows.grad is not None and bool(rows.grad.isfinite().all()) and bool(rows.grad.any())


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_it_falls_along_its_own_gradient(loss: type[Loss]) -> None:
    """A step so small that the second order does not matter lowers the loss."""
    criterion = built(loss).double().eval()
    rows, labels = batch(dtype=torch.float64)
    value = criterion(rows, labels)
    (slope,) = torch.autograd.grad(value, rows)
    lower = criterion((rows - 1e-4 * slope / slope.norm()).detach(), labels)
    assert float(lower.detach()) < float(value.detach())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_in_mixed_precision_it_is_the_float32_loss_of_the_rounded_embeddings(loss: type[Loss], dtype: torch.dtype) -> None:
    """Embeddings that a half-precision net gives, their squares beyond fp16's largest number: computed in float32, exactly."""
    criterion = built(loss).eval()
    rows, labels = batch(scale=300, dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = criterion(rows, labels)
    mixed.backward()
    assert mixed.dtype == torch.float32 and float(mixed.detach()) == float(criterion(rows.detach().float(), labels).detach())
    assert rows.grad is not None and bool(rows.grad.isfinite().all())


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if isinstance(built(loss), Classifier)], ids=lambda loss: loss.__name__)
def test_a_classifiers_scores_name_each_class_and_know_no_margin(loss: type[Loss]) -> None:
    criterion = built(loss)
    assert isinstance(criterion, Classifier)
    rows, labels = batch()
    scores, logits = criterion.scores(rows), criterion.logits(rows, labels)
    assert scores.shape == logits.shape == (2 * CLASSES, CLASSES)
    right = torch.nn.functional.one_hot(labels, CLASSES).bool()
    # float32: scores and logits of the other classes are the same products
    assert torch.allclose(scores[~right], logits[~right], rtol=1e-6, atol=1e-6)
    assert bool((logits[right] <= scores[right] + 1e-5).all())


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_settings_survive_json(loss: type[Loss]) -> None:
    facts = describe(loss())
    assert json.loads(json.dumps(facts)) == facts and facts["type"] == loss.__name__


def test_an_order_for_pairs_takes_every_face_once_in_runs_of_one_person() -> None:
    labels = np.repeat(np.arange(5), [7, 4, 1, 8, 2])
    order = grouped_order(labels, 4, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(22))
    runs = 1 + int(np.count_nonzero(np.diff(labels[order])))
    # ceil(7/4) + 1 + 1 + 2 + 1 runs at most; two of one person may come to lie side by side
    assert runs <= 7
    again = grouped_order(labels, 4, np.random.default_rng(0))
    assert order.tolist() == again.tolist() != grouped_order(labels, 4, np.random.default_rng(1)).tolist()
