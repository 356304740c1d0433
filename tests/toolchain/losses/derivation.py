"""Losses derived anew with Python's math alone, and the check of a criterion against such a derivation, gradients included."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from toolchain.losses.base import Criterion

Rows = Sequence[Sequence[float]]

# Five embeddings of four numbers, three classes: small enough to follow by hand, no two alike.
EMBEDDINGS: Rows = ((0.9, 0.1, -0.3, 0.4), (-0.2, 0.8, 0.5, 0.1), (0.3, -0.7, 0.6, 0.2), (0.5, 0.5, -0.1, -0.6), (1.2, 0.3, -0.5, 0.2))
CENTRES: Rows = ((1.0, 0.2, -0.4, 0.1), (-0.3, 1.1, 0.2, 0.4), (0.2, -0.9, 0.8, -0.3))
LABELS = (0, 1, 2, 1, 0)


def length(row: Sequence[float]) -> float:
    return math.sqrt(sum(value * value for value in row))


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / (length(one) * length(other))


def angle(one: Sequence[float], other: Sequence[float]) -> float:
    return math.acos(cosine(one, other))


def cross_entropy(logits: Sequence[float], label: int) -> float:
    return math.log(sum(math.exp(value) for value in logits)) - logits[label]


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Between both scaled to length 1, from their angle: the chord 2 sin(θ/2)."""
    return 2 * math.sin(angle(one, other) / 2)


def assert_as_derived(criterion: Criterion, by_hand: Callable[[Rows], float], embeddings: Rows = EMBEDDINGS) -> None:
    """The criterion's loss of `embeddings` is `by_hand`'s, and so is its gradient, by central differences of `by_hand`.

    In float64 with a step of 1e-5 a central difference errs by about h² · f''' / 6 + 1e-16 / h = 1e-10 times the third derivative.
    """
    rows = torch.tensor(embeddings, dtype=torch.float64, requires_grad=True)
    loss = criterion.double()(rows, torch.tensor(LABELS[: len(embeddings)]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(by_hand(embeddings), abs=1e-9)
    assert rows.grad is not None
    for row in range(len(embeddings)):
        for column in range(len(embeddings[0])):
            slope = (by_hand(shifted(embeddings, row, column, 1e-5)) - by_hand(shifted(embeddings, row, column, -1e-5))) / 2e-5
            assert float(rows.grad[row, column]) == pytest.approx(slope, abs=1e-7), f"row {row}, column {column}"


def assert_centres_as_derived(criterion: Criterion, centres: Tensor, by_hand: Callable[[Rows], float]) -> None:
    """The gradient of `centres`, a parameter of the criterion, is that of `by_hand` as a function of the centres."""
    criterion(torch.tensor(EMBEDDINGS, dtype=torch.float64), torch.tensor(LABELS)).backward()
    assert centres.grad is not None
    for row in range(len(CENTRES)):
        slope = (by_hand(shifted(CENTRES, row, 1, 1e-5)) - by_hand(shifted(CENTRES, row, 1, -1e-5))) / 2e-5
        assert float(centres.grad[row, 1]) == pytest.approx(slope, abs=1e-7), f"centre {row}"


def shifted(rows: Rows, row: int, column: int, step: float) -> Rows:
    changed = [list(values) for values in rows]
    changed[row][column] += step
    return changed


def set_parameter(parameter: Tensor, values: Rows) -> None:
    with torch.no_grad():
        parameter.copy_(torch.tensor(values, dtype=torch.float64))
