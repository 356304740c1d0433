"""Error rates by group, counted by hand, and CSV files that are not what they should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime_py.manifest import Threshold
from toolchain.data.faces import Faces
from toolchain.errors import DataError
from toolchain.evaluation.bootstrap import Bootstrap, Comparisons
from toolchain.evaluation.groups import rates_by_group, read_groups

NAMES = ("ann/1.png", "ann/2.png", "bob/1.png", "bob/2.png", "cyd/1.png", "cyd/2.png", "dan/1.png", "dan/2.png", "eve/1.png")
FACES = Faces(np.zeros((len(NAMES), 2, 2, 3), np.uint8), NAMES)
AT = Threshold(0.01, 0.5, 0.005, 0.02, 1000, 40, "0" * 64)


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "groups.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_groups_are_read_by_identity_and_by_image(tmp_path: Path) -> None:
    by_identity = write(tmp_path, "identity,group\nann,old\nbob,old\n\ncyd,young\nzoe,young\n")
    assert read_groups(by_identity, FACES) == ("old",) * 4 + ("young",) * 2 + ("",) * 3
    by_image = write(tmp_path, '\ufeffimage,group\r\nann/1.png," with glasses"\r\nann/2.png,without\r\n')
    assert read_groups(by_image, FACES) == ("with glasses", "without") + ("",) * 7


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "groups.csv:1: expected the header image,group or identity,group, got nothing"),
        ("ann,old\n", r"groups.csv:1: expected the header image,group or identity,group, got 'ann,old'"),
        ("identity,group,more\nann,old,x\n", "groups.csv:1: expected the header"),
        ("identity,group\nann\n", r"groups.csv:2: expected identity,group with neither empty, got 'ann'"),
        ("identity,group\nann,old\nbob,\n", r"groups.csv:3: expected identity,group with neither empty, got 'bob,'"),
        ("identity,group\nann,old,x\n", "groups.csv:2: expected identity,group"),
        ("identity,group\nann,old\nann,young\n", "groups.csv:3: ann is in group young here and in old above"),
        ("image,group\nann,old\n", r"none of its 1 names is an image of the 9 faces \(it has 'ann', the faces have such as 'ann/1.png'\)"),
        ("identity,group\n", "none of its 0 names"),
        (b"identity,group\nann,\xff\xfe\n", "expected a CSV file of groups, cannot read it"),
        ('identity,group\nann,"old\n', "expected a CSV file of groups, cannot read it"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_groups(write(tmp_path, content), FACES)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read it"):
        read_groups(tmp_path / "none.csv", FACES)


def test_rates_are_of_the_comparisons_within_each_group() -> None:
    bootstrap = Bootstrap(Comparisons.of(FACES.identities), draws=50)
    comparisons = bootstrap.comparisons
    scores = np.where(comparisons.same, 0.9, 0.1).astype(np.float32)

    def put(first: str, second: str, score: float) -> None:
        rows = (comparisons.first == NAMES.index(first)) & (comparisons.second == NAMES.index(second))
        assert rows.sum() == 1
        scores[rows] = score

    put("ann/1.png", "bob/1.png", 0.6)  # a false match among the old: 1 of the 4 comparisons of ann with bob
    put("cyd/1.png", "cyd/2.png", 0.4)  # a false non-match among the young: 1 of 2 people
    put("ann/2.png", "cyd/1.png", 0.7)  # a false match across groups: in neither
    groups = ("old",) * 4 + ("young",) * 4 + ("one",)
    old, one, young = rates_by_group(scores, groups, (AT,), bootstrap)
    assert [item.group for item in (old, one, young)] == ["old", "one", "young"]
    assert old.fmr is not None and old.fnmr is not None and young.fmr is not None and young.fnmr is not None
    assert (old.people, old.images, old.fmr.errors, old.fmr.comparisons, old.fmr.independent) == (2, 4, 1, 4, 1)
    assert (old.fmr.low, old.fmr.high) == (0.0, 1.0), "one pair of people says nothing of others"
    assert (old.fnmr.errors, old.fnmr.comparisons, old.fnmr.independent) == (0, 2, 2)
    assert (young.fmr.errors, young.fmr.comparisons) == (0, 4) and young.fmr.high == 1.0, "one independent comparison bounds nothing"
    assert (young.fnmr.errors, young.fnmr.rate) == (1, 0.5) and young.fnmr.low < 0.5 < young.fnmr.high
    assert (one.fmr, one.fnmr) == (None, None), "one person, one image"
    assert one.describe()["fmr"] is None and old.describe()["fmr"]["rate"] == 0.25


def test_a_comparison_of_images_in_two_groups_is_in_neither() -> None:
    bootstrap = Bootstrap(Comparisons.of(FACES.identities), draws=10)
    groups = ("with", "without") * 4 + ("with",)
    scores = np.full(len(bootstrap.comparisons.first), 0.9, np.float32)
    for found in rates_by_group(scores, groups, (AT,), bootstrap):
        assert found.fnmr is None, "both images of a person are never in one group here"
        assert found.fmr is not None and found.fmr.rate == 1.0
