"""Times one search among templates by the gallery's index and by faiss, in turns, and prints what it found as JSON. A process of its
own, since the number of threads that BLAS uses is settled when it is loaded.

    python -m toolchain.bench.search_worker TEMPLATES SIZE TOP ROUNDS int8|float PROBES
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime_py.gallery.search import Index
from toolchain.bench.timing import interleaved, pinned
from toolchain.progress import Progress

Vectors = npt.NDArray[np.float32]

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
REPEATS = 5
_ADDED_AT_A_TIME = 1000
"""As a gallery takes them in, so that the room which the index keeps for more counts as memory."""


@dataclass
class _Search:
    """A search by the gallery's index, over the queries in turn."""

    index: Index
    queries: Vectors
    top: int
    turn: int = 0

    def run(self) -> object:
        self.turn += 1
        return self.index.search(self.queries[self.turn % len(self.queries)], self.top)


@dataclass
class _Faiss:
    """The same by faiss."""

    index: Any
    queries: Vectors
    top: int
    turn: int = 0

    def run(self) -> object:
        self.turn += 1
        return self.index.search(self.queries[self.turn % len(self.queries)][None], self.top)


def drawn(count: int, size: int, seed: int) -> Vectors:
    """`[count, size]` drawn evenly from the sphere."""
    rows = np.random.default_rng(seed).standard_normal((count, size), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def nearest_stranger(count: int, size: int) -> float:
    """About the largest cosine of a vector to `count` others, all drawn evenly from the sphere: the bound √(2 ln N) on the largest of N
    normal numbers, of standard deviation 1/√D."""
    return float(np.sqrt(2 * np.log(count) / size))


def probes(templates: Vectors, count: int, likeness: float) -> Vectors:
    """`[count, size]`: number i has the cosine `likeness` to template i, and its other part is drawn."""
    own = templates[:count].astype(np.float64)
    other = drawn(count, templates.shape[1], 1).astype(np.float64)
    other -= (other * own).sum(1, keepdims=True) * own
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    return np.asarray(likeness * own + np.sqrt(1 - likeness**2) * other, np.float32)


def filled(templates: Vectors, int8: bool) -> Index:
    """An index of `templates`, a person each."""
    index = Index(templates.shape[1], int8)
    for first in range(0, len(templates), _ADDED_AT_A_TIME):
        part = templates[first : first + _ADDED_AT_A_TIME]
        index.add(part, np.arange(first, first + len(part)))
    return index


def measure(count: int, size: int, top: int, rounds: int, int8: bool, asked: int, progress: Progress) -> dict[str, Any]:
    """Milliseconds `[rounds, runners]` with the runners' names, bytes, and whom the probes find."""
    import faiss

    faiss.omp_set_num_threads(1)
    templates = drawn(count, size, 0)
    queries = probes(templates, asked, nearest_stranger(count, size))
    plain, flat = filled(templates, False), faiss.IndexFlatIP(size)
    flat.add(templates)
    del templates
    runners: dict[str, _Search | _Faiss] = {"float32": _Search(plain, queries, top), "faiss": _Faiss(flat, queries, top)}
    found = {"float32": _first(plain, queries), "faiss": flat.search(queries, 1)[1][:, 0].tolist()}
    held = {"float32": plain.bytes}
    if int8:
        small = filled(flat.reconstruct_n(0, count), True)
        runners["int8"], found["int8"], held["int8"] = _Search(small, queries, top), _first(small, queries), small.bytes
    with pinned(1) as processors:
        milliseconds = interleaved(list(runners.values()), rounds, REPEATS, progress)
    return {
        "faiss": faiss.__version__,
        "processors": processors,
        "names": list(runners),
        "milliseconds": milliseconds.tolist(),
        "bytes": held,
        "vector_bytes": 4 * count * size,
        "rank1": {name: float(np.mean(np.array(first) == np.arange(asked))) for name, first in found.items()},
        "otherwise": {name: int((np.array(first) != np.array(found["faiss"])).sum()) for name, first in found.items()},
    }


def _first(index: Index, queries: Vectors) -> list[int]:
    return [index.search(query, 1)[0].person for query in queries]


if __name__ == "__main__":
    count, size, top, rounds, form, asked = sys.argv[1:]
    print(json.dumps(measure(int(count), int(size), int(top), int(rounds), form == "int8", int(asked), Progress(quiet=True))))
