"""Exact search among templates: the similarity to every one of them is computed, none is skipped.

A person of several templates counts by the one that is most similar (the maximum rule: J. Kittler, M. Hatef, R. P. W. Duin,
J. Matas, On combining classifiers, IEEE PAMI 20(3), 1998, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime_py.errors import GalleryError
from runtime_py.gallery.people import Vectors

Ids = npt.NDArray[np.int64]

_ROOM = 20
"""An index has room for one in this many more vectors than it holds, so that its memory stays below 1.1 times theirs."""
_CHUNK = 1024
"""int8 vectors that are turned into floats at a time: half a megabyte, which the second cache holds."""
_STRIPE = 1024
"""Similarities of which the largest is found first."""


@dataclass(frozen=True)
class Candidate:
    """A person's number and the similarity, a cosine, of the template that is nearest."""

    person: int
    similarity: float


def check_top(top: int) -> int:
    """Error: GalleryError where it is not a whole number of 1 or more."""
    if not (isinstance(top, int | np.integer) and top >= 1):
        raise GalleryError(f"search: expected 1 or more people to list, got {top!r:.40}")
    return int(top)


class Index:
    """Vectors of length 1 in memory, each with the number of a person. `int8` keeps one byte a number (each vector by its own
    scale) in a quarter of the memory; similarities are then off by at most half a step of each number.

    The first numbers of all vectors lie side by side, then the second, and so on: a search adds up many similarities at once, which
    BLAS does faster than one long sum after the other.
    """

    def __init__(self, size: int, int8: bool = False) -> None:
        """`size`: numbers in a vector."""
        self.size, self.int8 = size, int8
        self._vectors: npt.NDArray[Any] = np.empty((size, 0), np.int8 if int8 else np.float32)
        self._scales = np.empty(0, np.float32)
        self._people: Ids = np.empty(0, np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def bytes(self) -> int:
        """Memory that the vectors and the numbers of their people take, with the room for more."""
        return self._vectors.nbytes + self._scales.nbytes + self._people.nbytes

    def add(self, vectors: Vectors, people: Ids) -> None:
        """Adds `vectors` float32 `[T, D]` of `people` int64 `[T]`."""
        first, last = self._count, self._count + len(vectors)
        if last > len(self._people):
            self._grow(last + last // _ROOM)
        if self.int8:
            scales = np.abs(vectors).max(1) / 127
            self._vectors[:, first:last] = np.rint(vectors / scales[:, None]).T
            self._scales[first:last] = scales
        else:
            self._vectors[:, first:last] = vectors.T
        self._people[first:last] = people
        self._count = last

    def reserve(self, count: int) -> None:
        """Makes room for `count` vectors in all, so that adding them copies nothing."""
        if count > len(self._people):
            self._grow(count)

    def _grow(self, room: int) -> None:
        self._vectors = _longer(self._vectors, self._count, room)
        self._people = _longer(self._people, self._count, room)
        if self.int8:
            self._scales = _longer(self._scales, self._count, room)

    def similarities(self, query: Vectors) -> Vectors:
        """Of `query` float32 `[D]` with every vector, `[T]`."""
        if not self.int8:
            return np.asarray(query @ self._vectors[:, : self._count])
        found = np.empty(self._count, np.float32)
        for first in range(0, self._count, _CHUNK):
            last = min(first + _CHUNK, self._count)
            found[first:last] = query @ self._vectors[:, first:last].astype(np.float32)
        return found * self._scales[: self._count]

    def search(self, query: Vectors, top: int) -> Sequence[Candidate]:
        """The `top` most similar people to `query` float32 `[D]`, the most similar first; of equal ones the lower number."""
        scores = self.similarities(query)
        wanted = top
        while True:
            rows = _largest(scores, wanted)
            found: dict[int, float] = {}
            for row in rows:
                found.setdefault(int(self._people[row]), float(scores[row]))
            if len(found) >= top or len(rows) == len(scores):
                break
            wanted *= 4  # people of several templates took more than one place
        ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        return [Candidate(person, min(1.0, max(-1.0, similarity))) for person, similarity in ordered[:top]]


def _longer(values: npt.NDArray[Any], count: int, room: int) -> npt.NDArray[Any]:
    """The first `count` of `values` `[..., T]` in an array that has place for `room`."""
    longer = np.empty((*values.shape[:-1], room), values.dtype)
    longer[..., :count] = values[..., :count]
    return longer


def _largest(scores: Vectors, count: int) -> Ids:
    """The rows of the `count` largest scores, and of all that equal the least of these, the largest first."""
    if count >= len(scores):
        return np.argsort(-scores, kind="stable")
    rows = np.arange(len(scores))
    stripes = len(scores) // _STRIPE
    if stripes > count:
        # The largest of each stripe are scores too, so the count-th of them is no more than the count-th of all: few reach it.
        maxima = scores[: stripes * _STRIPE].reshape(stripes, _STRIPE).max(1)
        rows = np.flatnonzero(scores >= np.partition(maxima, stripes - count)[stripes - count])
    left = scores[rows]
    least = np.partition(left, len(left) - count)[len(left) - count]
    rows = rows[left >= least]
    return rows[np.argsort(-scores[rows], kind="stable")]
