"""The bootstrap over people against counts by hand, closed forms and a world whose true rates are known."""

from __future__ import annotations

from itertools import combinations
from math import comb
from statistics import NormalDist

import numpy as np
import pytest

from toolchain.evaluation.bootstrap import Bootstrap, Comparisons, interval

FOUR = ("ann", "ann", "bob", "bob", "fiw_F0001_MID1", "fiw_F0001_MID2", "fiw_F0001_MID2", "dan")


def counted_by_copies(weights: np.ndarray, comparisons: Comparisons, chosen: np.ndarray) -> int:
    """Draws as they are meant: a list of units with its copies, each pair of copies of two units compared, each copy with itself."""
    copies = [unit for unit, weight in enumerate(weights.astype(int)) for _ in range(weight)]
    units = list(zip(comparisons.units[comparisons.first[chosen]], comparisons.units[comparisons.second[chosen]], strict=True))
    total = sum(units.count((unit, unit)) for unit in copies)
    for one, other in combinations(copies, 2):
        if one != other:
            total += units.count((one, other)) + units.count((other, one))
    return total


def test_each_draw_counts_what_its_copies_compare() -> None:
    comparisons = Comparisons.of(FOUR)
    bootstrap = Bootstrap(comparisons, draws=30)
    assert (bootstrap.weights.sum(1) == 4).all(), "ann, bob, the family and dan are drawn four times in all"
    chosen = np.random.default_rng(1).random(len(comparisons.first)) < 0.6
    for mask in (chosen, comparisons.same, ~comparisons.same):
        assert bootstrap.totals(mask).tolist() == [counted_by_copies(weights, comparisons, mask) for weights in bootstrap.weights]


def test_the_weights_of_single_comparisons_add_up_to_the_totals() -> None:
    comparisons = Comparisons.of(FOUR)
    bootstrap = Bootstrap(comparisons, draws=30)
    rows = np.flatnonzero(~comparisons.same)
    assert np.array_equal(bootstrap.pair_weights(rows, slice(0, 30)).sum(1), bootstrap.totals(~comparisons.same))


def test_a_family_is_drawn_whole_and_its_members_are_different_people() -> None:
    comparisons = Comparisons.of(FOUR)
    assert len(set(comparisons.people)) == 5 and len(set(comparisons.units)) == 4
    relatives = (comparisons.units[comparisons.first] == comparisons.units[comparisons.second]) & ~comparisons.same
    assert relatives.sum() == 2


def test_independent_comparisons_share_no_person() -> None:
    comparisons = Comparisons.of(FOUR)
    assert comparisons.independent(comparisons.same) == 3, "ann, bob and the second of the family have two images"
    assert comparisons.independent(~comparisons.same) == 2, "of five people two pairs share nobody"
    assert comparisons.unit_pairs(~comparisons.same) == 7, "six pairs of ann, bob, the family and dan, and the family with itself"
    assert comparisons.unit_pairs(comparisons.same) == 3 and comparisons.unit_pairs(comparisons.same & ~comparisons.same) == 0


def test_people_with_one_comparison_each_give_the_binomial_interval() -> None:
    # 40 people with two images, 8 of them never recognised: a draw holds Binomial(40, 0.2) of those.
    people, failed = 40, 8
    comparisons = Comparisons.of([f"p{number:02d}" for number in range(people) for _ in range(2)])
    wrong = comparisons.same & (comparisons.people[comparisons.first] < failed)
    found = Bootstrap(comparisons, draws=4000).rate(wrong, comparisons.same)
    below = np.cumsum([comb(people, k) * 0.2**k * 0.8 ** (people - k) for k in range(people + 1)])
    exact = [int(np.searchsorted(below, share)) / people for share in (0.025, 0.975)]
    # A quantile of 4,000 draws lies within one step of the distribution's: each step near it holds over 1 %, 4 standard errors.
    assert [found.low, found.high] == pytest.approx(exact, abs=1.001 / people)
    assert (found.errors, found.comparisons, found.independent, found.rate) == (8, 40, 40, 0.2)


def test_where_no_error_was_seen_the_rule_of_three_bounds_the_rate() -> None:
    comparisons = Comparisons.of([f"p{number:02d}" for number in range(24) for _ in range(2)])
    bootstrap = Bootstrap(comparisons, draws=10)
    none, every = np.zeros(len(comparisons.first), bool), np.ones(len(comparisons.first), bool)
    found = bootstrap.rate(none, ~comparisons.same)
    assert (found.low, found.high, found.independent) == (0.0, 3 / 12, 12)
    # It is the exact bound, 1 - 0.05^(1/n), from above: log 0.05 is -2.9957.
    assert 0.0 < found.high - (1 - 0.05 ** (1 / 12)) < 0.04
    assert bootstrap.rate(every, comparisons.same).low == pytest.approx(1 - 3 / 24)
    assert bootstrap.rate(none, comparisons.same & (comparisons.people[comparisons.first] == 0)).high == 1.0, "one person says nothing"


@pytest.mark.parametrize(
    "identities",
    [["ann"] * 10, ["ann", "ann", "ann", "bob", "bob", "bob"], [f"fiw_F0001_MID{person}" for person in range(20) for _ in range(2)]],
    ids=["one person", "one pair of people", "one family"],
)
def test_comparisons_that_every_draw_holds_alike_bound_nothing(identities: list[str]) -> None:
    comparisons = Comparisons.of([*identities, *(f"p{number}" for number in range(8))])
    among = (comparisons.first < len(identities)) & (comparisons.second < len(identities))
    among &= comparisons.same if len(set(identities)) == 1 else ~comparisons.same
    bootstrap, wrong = Bootstrap(comparisons, draws=50), comparisons.second % 2 > 0
    for errors in (wrong, ~(wrong | ~wrong), wrong | ~wrong):
        found = bootstrap.rate(errors, among)
        assert (found.low, found.high) == (0.0, 1.0)
    assert 0 < bootstrap.rate(wrong, among).rate < 1


def test_the_interval_covers_the_true_rate_where_one_of_independent_comparisons_does_not() -> None:
    # A score is the resemblance of both people and chance, so people who resemble many give many errors: N(0, 0.5 + 0.5 + 1).
    people, worlds, limit = 40, 200, 2.0
    true = 1 - NormalDist(0, 2**0.5).cdf(limit)
    comparisons = Comparisons.of([f"p{number:02d}" for number in range(people)])
    bootstrap = Bootstrap(comparisons, draws=400)
    random = np.random.default_rng(0)
    covered, naive = 0, 0
    every = np.ones(len(comparisons.first), bool)
    for _ in range(worlds):
        resemblance = random.normal(0, 0.5**0.5, people)
        scores = resemblance[comparisons.first] + resemblance[comparisons.second] + random.normal(0, 1, len(comparisons.first))
        found = bootstrap.rate(scores >= limit, every)
        covered += found.low <= true <= found.high
        half = 1.96 * (found.rate * (1 - found.rate) / found.comparisons) ** 0.5
        naive += abs(found.rate - true) <= half
    # Nominal 95 %; a percentile interval of 40 people may lack a few, and 200 worlds err by 2 % (one standard error).
    assert covered / worlds >= 0.88
    assert naive / worlds <= 0.75


def test_draws_in_which_a_rate_is_not_defined_do_not_count() -> None:
    assert interval(np.array([0.0, 1.0, 1.0, 0.0]), np.array([0.0, 2.0, 2.0, 0.0])) == (0.5, 0.5)
