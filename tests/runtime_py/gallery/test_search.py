"""The search against one that looks at every person by itself: by chunks, stripes and partitions it must find the same."""

from __future__ import annotations

import numpy as np
import pytest

from runtime_py.gallery.search import Candidate, Index
from tests.runtime_py.gallery.faces import unit

SIZE = 8


def index_of(vectors: np.ndarray, people: np.ndarray, int8: bool = False) -> Index:
    index = Index(vectors.shape[1], int8)
    index.add(vectors, people)
    return index


def found(index: Index, query: np.ndarray, top: int) -> list[tuple[int, float]]:
    return [(item.person, item.similarity) for item in index.search(query, top)]


def one_by_one(index: Index, query: np.ndarray, people: np.ndarray, top: int) -> list[tuple[int, float]]:
    """The best of each person, the most similar first, of equal ones the lower number."""
    scores = index.similarities(query)
    best = [(int(person), float(scores[people == person].max())) for person in np.unique(people)]
    return sorted(best, key=lambda item: (-item[1], item[0]))[:top]


@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize(("count", "each"), [(1, 1), (5, 3), (1500, 1), (9000, 1), (9000, 4)])
def test_the_same_people_are_found_as_one_by_one(count: int, each: int, int8: bool) -> None:
    """Of 9,000 vectors the largest are looked for by stripes of 1,024, the last of which is not whole."""
    vectors, people = unit(count, count, SIZE), np.random.default_rng(count).permutation(np.arange(count) // each)
    index = index_of(vectors, people, int8)
    for seed in range(3):
        query = unit(100 + seed, 1, SIZE)[0]
        for top in (1, 2, 7):
            assert found(index, query, top) == one_by_one(index, query, people, top)


def test_people_behind_somebody_of_many_templates_are_found_too() -> None:
    """Ninety templates of one person are nearer than any of the three others."""
    query = unit(0, 1, SIZE)[0]
    near = query + 0.01 * unit(1, 90, SIZE)
    vectors = np.concatenate([near / np.linalg.norm(near, axis=1, keepdims=True), unit(2, 3, SIZE)]).astype(np.float32)
    people = np.array([7] * 90 + [1, 2, 3])
    index = index_of(vectors, people)
    assert found(index, query, 3) == one_by_one(index, query, people, 3)
    assert len(found(index, query, 10)) == 4, "there are no more"


def test_of_equal_similarities_the_lower_number_comes_first_and_none_is_lost() -> None:
    row = unit(0, 1, SIZE)[0]
    index = index_of(np.stack([row] * 6), np.array([5, 3, 9, 3, 1, 4]))
    assert [person for person, _ in found(index, row, 3)] == [1, 3, 4]
    assert [person for person, _ in found(index, row, 9)] == [1, 3, 4, 5, 9]


def test_a_similarity_is_a_cosine_though_lengths_are_a_little_off() -> None:
    row = np.float32(1.0005) * unit(0, 1, SIZE)
    index = index_of(row, np.array([0]))
    assert index.search(row[0], 1) == [Candidate(0, 1.0)] and index.search(-row[0], 1) == [Candidate(0, -1.0)]


def test_nobody_is_found_among_nobody() -> None:
    assert Index(SIZE).search(unit(0, 1, SIZE)[0], 3) == []
