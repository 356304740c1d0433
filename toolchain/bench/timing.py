"""Latencies that can be compared: all in one process, in turns, so that whatever else the machine does falls on each alike."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from toolchain.progress import Progress

Floats = npt.NDArray[np.float64]
WARM_UP = 3


class Timed(Protocol):
    """Something to time."""

    def run(self) -> object:
        """Once."""


@dataclass(frozen=True)
class Spread:
    """The median of the rounds and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Floats) -> Spread:
        low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
        return cls(float(median), float(low), float(high))


@contextmanager
def pinned(threads: int) -> Iterator[int | None]:
    """Holds the process to as many processors as it has threads, where the system can (Linux), so that none of them moves; yields
    how many, or None."""
    if not hasattr(os, "sched_setaffinity"):
        yield None
        return
    before = os.sched_getaffinity(0)
    chosen = set(sorted(before)[:threads])
    os.sched_setaffinity(0, chosen)
    try:
        yield len(chosen)
    finally:
        os.sched_setaffinity(0, before)


def interleaved(runners: Sequence[Timed], rounds: int, repeats: int, progress: Progress) -> Floats:
    """Milliseconds of an inference `[rounds, runners]`. In each round every runner has its turn of `repeats` inferences in a row,
    whose median counts; each round begins with another runner, so that none always follows the same one."""
    for runner in runners:
        for _ in range(WARM_UP):
            runner.run()
    found = np.zeros((rounds, len(runners)))
    for row in progress.track(range(rounds), "rounds", rounds):
        for place in range(len(runners)):
            column = (place + row) % len(runners)
            found[row, column] = _median(runners[column], repeats)
    return found


def _median(runner: Timed, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        runner.run()
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e3


def ratios(milliseconds: Floats, reference: int) -> Floats:
    """`[rounds, runners]`: each latency over the reference's of the same round, so that what slows a whole round cancels out."""
    over: Floats = milliseconds / milliseconds[:, reference : reference + 1]
    return over
