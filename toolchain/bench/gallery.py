"""`toolchain bench-gallery`: the gallery's exact search beside faiss's, one thread, in one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import toolchain
from toolchain.bench import search_worker
from toolchain.bench.timing import Spread, ratios
from toolchain.errors import DataError, RecipeError
from toolchain.machine import machine
from toolchain.progress import Progress

REFERENCE = "faiss"
_COPIES = 2  # of all templates in 32-bit floats: faiss's and the gallery's


@dataclass(frozen=True)
class SearchRow:
    """One way to search templates of one size. `ratio`: its milliseconds over faiss's of the same round. `memory`: bytes of the index
    over those of the vectors in float32; None for faiss. `rank1`: of the probes, the share whose own template came first; `otherwise`:
    how many found another template first than faiss did."""

    size: int
    name: str
    milliseconds: Spread
    ratio: Spread
    memory: float | None
    rank1: float
    otherwise: int


@dataclass(frozen=True)
class GalleryBench:
    """What was measured: searches for the `top` people among `templates`; each of `probes` probes has the cosine `likeness` to its
    own template, by size."""

    templates: int
    top: int
    rounds: int
    probes: int
    likeness: dict[int, float]
    faiss: str
    processors: int | None
    rows: tuple[SearchRow, ...]
    machine: dict[str, Any]

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def bench_gallery(templates: int, sizes: Sequence[int], top: int, rounds: int, int8: bool, probes: int, progress: Progress) -> GalleryBench:
    """Times it for each of `sizes`; `int8`: templates of a byte a number too.

    Errors: RecipeError for more probes than templates, templates of so few numbers that a stranger is as like a probe as its own, or more
    than the machine's memory holds; DataError without faiss, or where the process that measures fails.
    """
    if probes > templates:
        raise RecipeError(f"--probes: expected at most as many as there are templates ({templates}), got {probes}")
    likeness = {size: search_worker.nearest_stranger(templates, size) for size in sizes}
    small = [size for size in sizes if likeness[size] >= 1]
    if small:
        least = int(2 * np.log(templates)) + 1
        raise RecipeError(f"--sizes: expected at least {least} numbers in each of {templates} templates, got {small[0]}")
    needed, there = _COPIES * 4 * templates * max(sizes), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        took = f"{templates} templates of {max(sizes)} numbers, which take {needed / 1e9:,.1f} GB"
        raise RecipeError(f"--templates: expected no more than this machine's {there / 1e9:,.1f} GB hold, got {took}; give fewer")
    rows: list[SearchRow] = []
    done: dict[str, Any] = {}
    for size in sizes:
        progress.say(f"{templates} templates of {size} numbers")
        done = _measured([templates, size, top, rounds, "int8" if int8 else "float", probes])
        milliseconds = np.array(done["milliseconds"])
        over = ratios(milliseconds, done["names"].index(REFERENCE))
        for column, name in enumerate(done["names"]):
            held = done["bytes"].get(name)
            rows.append(
                SearchRow(
                    size,
                    name,
                    Spread.of(milliseconds[:, column]),
                    Spread.of(over[:, column]),
                    None if held is None else held / done["vector_bytes"],
                    done["rank1"][name],
                    done["otherwise"][name],
                )
            )
    return GalleryBench(templates, top, rounds, probes, likeness, done["faiss"], done["processors"], tuple(rows), dict(machine()))


def _measured(arguments: Sequence[object]) -> dict[str, Any]:
    environment = {**os.environ, **search_worker.ONE_THREAD, "PYTHONPATH": str(Path(toolchain.__file__).parents[1])}
    command = [sys.executable, "-m", search_worker.__name__, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}, as for want of memory"])[-1]
        if "No module named 'faiss'" in reason:
            raise DataError("expected faiss to compare with, found none; pip install 'pocketface[bench]'")
        raise DataError(f"the search could not be timed: {reason}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
