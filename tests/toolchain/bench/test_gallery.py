"""The gallery's benchmarks: the search beside faiss finds the same people, and threads that share a gallery get what one gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolchain.bench.gallery import bench_gallery
from toolchain.bench.search_worker import drawn, filled, nearest_stranger, probes
from toolchain.cli import main
from toolchain.errors import RecipeError
from toolchain.progress import Progress


def test_the_search_is_timed_beside_faiss_and_finds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("faiss")
    size = "128"
    assert main(["bench-gallery", "--templates", "3000", "--sizes", size, "--rounds", "2", "--int8", "--quiet", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in found["rows"]}
    assert set(rows) == {"float32", "faiss", "int8"} and rows["faiss"]["ratio"]["median"] == 1
    assert rows["float32"]["otherwise"] == 0 and rows["float32"]["memory"] <= 1.1
    # A byte a number for four, with room for one in twenty more, and 12 bytes a template besides.
    assert rows["int8"]["memory"] <= (128 + 12) * 1.05 / 512
    assert all(row["milliseconds"]["median"] > 0 for row in found["rows"])


def test_a_probe_is_as_like_its_own_template_as_it_was_to_be() -> None:
    templates = drawn(500, 64, 0)
    likeness = nearest_stranger(500, 64)
    asked = probes(templates, 50, likeness)
    # float32 numbers, each off by 2^-24 of at most 1, in a sum of 64.
    assert (asked * templates[:50]).sum(1) == pytest.approx(likeness, abs=64 * 2**-24)
    assert (asked**2).sum(1) == pytest.approx(1, abs=64 * 2**-24)
    index = filled(templates, False)
    exact = (asked @ templates.T).argmax(1)
    assert [index.search(probe, 1)[0].person for probe in asked] == exact.tolist()


def test_templates_of_too_few_numbers_are_refused() -> None:
    with pytest.raises(RecipeError, match="--sizes: expected at least 14 numbers in each of 1000 templates, got 8"):
        bench_gallery(1000, (128, 8), 5, 1, False, 10, Progress(quiet=True))


@pytest.mark.parametrize("templates", [10**11, 10**18 - 1])
def test_more_templates_than_memory_holds_are_refused_with_what_they_take(templates: int) -> None:
    takes = f"{2 * 4 * templates * 256 / 1e9:,.1f} GB"
    with pytest.raises(RecipeError, match=rf"--templates: .* got {templates} templates of 256 numbers, which take {takes}; give fewer$"):
        bench_gallery(templates, (128, 256), 5, 1, False, 10, Progress(quiet=True))


def test_many_threads_get_what_one_gets(face_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench-threads", str(face_bundle), "--threads", "8", "--seconds", "5", "--people", "50", "--quiet", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mismatches"] == 0 and found["first_error"] is None
    assert found["checked"] >= 8 and found["threads"] == 8
