import numpy as np
import pytest

from toolchain.data import protocols
from toolchain.data.faces import Faces
from toolchain.report.curves import SAMPLED, histograms, roc, sample, worst
from toolchain.report.report import Report

GENERATOR = np.random.default_rng(5)
SAME = np.arange(3000) < 1000
SCORES = np.where(SAME, GENERATOR.normal(0.5, 0.2, 3000), GENERATOR.normal(0.0, 0.2, 3000)).round(2).astype(np.float32)


def test_the_curve_goes_through_the_rates_that_evaluate_states() -> None:
    # Scores are rounded to two decimals, so that there are ties, which both must treat alike.
    for far, tar in zip(*roc(SCORES, SAME), strict=True):
        stated = protocols.tar_at_far(SCORES, SAME, far)
        # A rate is kept to four digits, which can move the number of accepted impostors by one at most where it is rounded down.
        after = protocols.tar_at_far(SCORES, SAME, far + 1 / (~SAME).sum())
        assert stated is None or (after is not None and stated.tar - 1e-6 <= tar <= after.tar + 1e-6)


def test_the_curve_begins_where_the_impostors_allow_one_and_ends_where_all_are_accepted() -> None:
    far, tar = roc(SCORES, SAME)
    assert far[0] == pytest.approx(1 / 2000) and far[-1] == 1 and tar[-1] == 1
    assert list(tar) == sorted(tar), "a higher rate never accepts fewer"


def test_histograms_share_out_all_pairs() -> None:
    genuine, impostor = histograms(SCORES, SAME, np.linspace(-2, 2, 41))
    # Each of 40 shares is rounded to 1e-6.
    assert sum(genuine) == pytest.approx(1, abs=40e-6) and sum(impostor) == pytest.approx(1, abs=40e-6)


def test_a_sample_has_both_kinds_and_repeats_none() -> None:
    rows = sample(SAME)
    assert len(rows) == len(set(rows.tolist())) == 2 * SAMPLED and SAME[rows].sum() == SAMPLED
    assert sorted(sample(np.array([True, False, False])).tolist()) == [0, 1, 2], "all where they are few"


def test_the_worst_faces_are_those_that_moved() -> None:
    reference = np.eye(8, dtype=np.float32)
    moved = reference.copy()
    moved[3] = np.roll(moved[3], 1)
    found = worst(moved, reference, tuple(f"face {row}" for row in range(8)))
    assert found[0].face == "face 3" and found[0].cosine == 0 and {row.cosine for row in found[1:]} == {1.0}


def test_every_variant_is_measured_on_the_same_pairs(full: Report, drawn: Faces) -> None:
    assert full.curves is not None
    assert (full.curves.images, full.curves.identities, full.curves.genuine) == (len(drawn), 6, 6 * 6)
    assert full.curves.impostors == 24 * 23 // 2 - 36
    float_, packed = (next(item for item in full.curves.variants if item.name == name) for name in ("float", "packed"))
    assert (packed.tar, packed.sampled) == (float_.tar, float_.sampled), "the same .tflite, stored otherwise"
    assert {row.cosine for row in packed.worst} == {1.0} and float_.worst == ()
