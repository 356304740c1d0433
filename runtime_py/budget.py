"""Which level of a net this machine has time for, measured when it is asked for."""

from __future__ import annotations

import statistics
import time

import numpy as np

from runtime_py.bundle import Bundle
from runtime_py.embedder import Embedder
from runtime_py.errors import BudgetError, BundleVariantError

_WARM_UP, _RUNS = 3, 9
"""Embeddings before and while the clock runs: the first ones lay out memory, and a median of nine is not moved by the odd
interruption."""


def milliseconds(embedder: Embedder) -> float:
    """The median time of one embedding, from an aligned crop on."""
    crop = np.full((embedder.contract.height, embedder.contract.width, 3), 127, np.uint8)
    tensor = embedder.tensor(crop)
    taken = []
    for _ in range(_WARM_UP + _RUNS):
        started = time.perf_counter()
        embedder.interpreter.run(tensor)
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken[_WARM_UP:])


def widest_within(bundle: Bundle, variant: str | None, budget_ms: float, threads: int = 1) -> tuple[Embedder, float]:
    """(embedder, its milliseconds) of the widest level of a variant's net (None: the default one's) that embeds a face in at most
    `budget_ms` milliseconds here and now. Errors: BundleVariantError where the variant has no levels; BudgetError where none is so fast;
    those of Embedder."""
    of = bundle.variant(variant).name
    levels = bundle.manifest.levels_of(of)
    if levels is None:
        raise BundleVariantError(f"{bundle.source}: expected a variant with levels, got {of}, which has none; leave the budget out")
    if not budget_ms > 0:
        raise BudgetError(f"budget: expected milliseconds above 0, got {budget_ms}")
    found = []
    for level in levels.levels:
        embedder = Embedder(bundle.variant(level.variant), bundle.manifest.preprocessing.input, bundle.model(level.variant), threads)
        taken = milliseconds(embedder)
        if taken <= budget_ms:
            return embedder, taken
        found.append(f"{level.name}: {taken:.3g}")
    raise BudgetError(
        f"budget: expected a level that embeds a face within {budget_ms:g} ms here, they take {', '.join(found)} ms; "
        "give more time, more threads, or name a level"
    )
