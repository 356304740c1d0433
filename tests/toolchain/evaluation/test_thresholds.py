"""Thresholds against counts by hand and known distributions, and the reasons for those that are left out."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from toolchain.evaluation.bootstrap import Bootstrap, Comparisons, Measured
from toolchain.evaluation.thresholds import LEAST_ERRORS, calibrate, rounded, threshold_at

DATA = "0" * 64


def test_a_threshold_lets_through_what_its_rate_allows_and_no_more() -> None:
    hundredths = np.arange(100) / 100
    assert threshold_at(hundredths, 0.01) == 0.9801, "one of 100 may pass: 0.99 does, 0.98 does not"
    assert threshold_at(hundredths, 0.05) == 0.9401
    assert threshold_at(hundredths, 0.001) is None, "of 100 comparisons none is a thousandth"
    assert threshold_at(np.full(300, 0.5), 0.01) == 0.5001, "equal scores pass all or none"
    assert threshold_at(np.ones(300), 0.01) is None, "no threshold parts those that are as alike as can be"


def test_no_lower_threshold_of_four_decimals_would_do() -> None:
    random = np.random.default_rng(0)
    for fmr in (0.01, 0.001):
        for _ in range(20):
            scores = np.clip(random.normal(0, 0.2, 5000), -1, 1).astype(np.float32)
            found = threshold_at(scores, fmr)
            assert found is not None
            assert np.mean(scores.astype(float) >= found) <= fmr < np.mean(scores.astype(float) >= found - 1e-4) + 1 / 5000


def strangers(people: int, each: int, size: int = 64) -> tuple[Comparisons, np.ndarray]:
    """Embeddings that say nothing: every image in a direction of its own."""
    rows = np.random.default_rng(3).normal(size=(people * each, size)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return Comparisons.of([f"p{number:03d}" for number in range(people) for _ in range(each)]), rows


def test_thresholds_lie_where_the_distribution_of_different_people_has_them() -> None:
    comparisons, rows = strangers(150, 6)
    found = calibrate(comparisons.scores(rows), Bootstrap(comparisons, draws=300), DATA)
    assert [row.fmr for row in found.thresholds] == [0.01, 0.001, 0.0001] and found.left_out == ()
    for row in found.thresholds[:2]:
        # Cosines of directions at random in 64 dimensions have mean 0, variance 1/64, and nearly normal tails. 402,300 comparisons
        # hold 402 at a rate of 1e-3, so the rate there is known to 5 %, and the density over the tail at 1e-3 is 3.4 a
        # standard deviation: 0.02 of one. Lighter tails than the normal's are worth 0.1 more.
        assert row.similarity == pytest.approx(-NormalDist().inv_cdf(row.fmr) / 8, abs=0.12 / 8)
        assert row.fmr_low <= row.fmr <= row.fmr_high
        assert (row.comparisons, row.independent, row.data_sha256) == (150 * 149 // 2 * 36, 75, DATA)


def test_few_people_support_the_higher_rates_alone_and_the_reasons_are_stated() -> None:
    comparisons, rows = strangers(24, 8)
    found = calibrate(comparisons.scores(rows), Bootstrap(comparisons, draws=100), DATA)
    assert [row.fmr for row in found.thresholds] == [0.01]
    reasons = {row.fmr: row.reason for row in found.left_out}
    # 17,664 comparisons hold 17 and 1 at these rates.
    assert reasons[0.001].startswith("false matches at 0.001: 17, of pairs of people: 1")
    assert reasons[0.0001] == "false matches at 0.0001: 1, of pairs of people: 1; the rule of 30 asks for 30 pairs"


def test_many_errors_of_few_people_are_not_taken_for_evidence() -> None:
    comparisons = Comparisons.of([f"p{number:02d}" for number in range(20) for _ in range(10)])
    twins = (comparisons.people[comparisons.first] == 0) & (comparisons.people[comparisons.second] == 1)
    found = calibrate(np.where(twins, 0.9, 0.1).astype(np.float32), Bootstrap(comparisons, draws=50), DATA, rates=(0.01,))
    # 100 of 19,000 comparisons are alike, all of one pair of people; the rate allows 190.
    assert found.left_out[0].reason == f"false matches at 0.01: 100, of pairs of people: 1; the rule of 30 asks for {LEAST_ERRORS} pairs"


def test_relatives_count_as_one_person_in_the_rule_of_30() -> None:
    comparisons = Comparisons.of([f"fiw_F0001_MID{number}" for number in range(20) for _ in range(10)])
    rows = np.random.default_rng(3).normal(size=(200, 64)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = calibrate(comparisons.scores(rows), Bootstrap(comparisons, draws=50), DATA, rates=(0.01,))
    assert found.left_out[0].reason == "false matches at 0.01: 190, of pairs of people: 1; the rule of 30 asks for 30 pairs"
    silent = Comparisons.of([f"fiw_F0001_MID{number}" for number in range(600)])
    alike = np.full(len(silent.first), 0.3, np.float32)
    found = calibrate(alike, Bootstrap(silent, draws=10), DATA, rates=(0.01,))
    assert found.left_out[0].reason == "no false match in 1 independent comparisons; to rule out more than 0.01 takes 300"


def test_no_error_at_all_is_no_evidence_of_a_low_rate_where_few_comparisons_are_independent() -> None:
    comparisons = Comparisons.of([f"p{number:02d}" for number in range(20) for _ in range(10)])
    alike = np.full(len(comparisons.first), 0.3, np.float32)
    found = calibrate(alike, Bootstrap(comparisons, draws=10), DATA, rates=(0.01,))
    assert found.left_out[0].reason == "no false match in 10 independent comparisons; to rule out more than 0.01 takes 300"
    many = Comparisons.of([f"p{number:03d}" for number in range(600)])
    (found_threshold,) = calibrate(np.full(len(many.first), 0.3, np.float32), Bootstrap(many, draws=10), DATA, rates=(0.01,)).thresholds
    assert (found_threshold.similarity, found_threshold.fmr_low, found_threshold.fmr_high) == (0.3001, 0.0, 0.01), "3 / 300"


def test_too_few_comparisons_say_how_many_it_takes() -> None:
    comparisons, rows = strangers(5, 2)
    found = calibrate(comparisons.scores(rows), Bootstrap(comparisons, draws=10), DATA, rates=(0.01, 0.0001))
    assert [row.reason for row in found.left_out] == [
        "40 comparisons of different people; to see one false match at 0.01 takes 100",
        "40 comparisons of different people; to see one false match at 0.0001 takes 10,000",
    ]


def test_images_under_two_names_are_pointed_out() -> None:
    comparisons = Comparisons.of([f"p{number:02d}" for number in range(20) for _ in range(2)])
    found = calibrate(np.ones(len(comparisons.first), np.float32), Bootstrap(comparisons, draws=10), DATA, rates=(0.01,))
    assert "look for images under two names" in found.left_out[0].reason


@pytest.mark.parametrize(
    ("low", "high", "stated"),
    [(0.000361, 0.001851, (0.00036, 0.0019)), (0.0, 0.0123, (0.0, 0.013)), (0.5, 0.999, (0.5, 1.0)), (0.00099, 0.0101, (0.00099, 0.011))],
)
def test_intervals_are_stated_no_narrower_than_they_are(low: float, high: float, stated: tuple[float, float]) -> None:
    assert rounded(Measured(1, 10, 5, low, high)) == stated
