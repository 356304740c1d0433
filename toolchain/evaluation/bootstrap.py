"""Comparisons of labelled faces, and confidence intervals of what is counted over them.

Comparisons that share a person are not independent: one face that resembles many gives many false matches. So intervals come
from a bootstrap over people (Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems: the subsets bootstrap",
Computer Vision and Image Understanding 93, 2004): people are drawn with replacement, as many as there are, and a rate is
computed again from each draw. With a person drawn w_i times and another w_j times, each of their comparisons counts w_i * w_j
times; a person's copies are not compared with each other (the vertex bootstrap of Snijders and Borgatti, "Non-parametric
standard errors and tests for network statistics", Connections 22(2), 1999). Families are drawn whole, since relatives look
alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolchain.data import protocols
from toolchain.data.faces import family
from toolchain.data.protocols import Bools, Floats, Ints

Rates = npt.NDArray[np.float64]

DRAWS = 2000
CONFIDENCE = 0.95
MOST_IMPOSTORS = 4_000_000
MOST_GENUINE = 4_000_000
"""Unlabelled images in one folder are many of one person: 13,000 would be 86 million comparisons."""
_MOST_UNITS = 2048
"""Beyond it several people make one unit, drawn or left together: an interval of people in blocks is as right, and the table of
how often each unit is compared with each stays small."""


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Which images are compared with which.

    `first`, `second` int64 `[P]`: rows of the images; `same` bool `[P]`: of one person; `people` int64 `[N]`: whom each image
    shows; `units` int64 `[N]`: what a draw takes or leaves whole, a family or a person without one.
    """

    first: Ints
    second: Ints
    same: Bools
    people: Ints
    units: Ints

    @classmethod
    def of(cls, identities: Sequence[str]) -> Comparisons:
        """All comparisons of images of `identities` `[N]`, or MOST_IMPOSTORS of different people and MOST_GENUINE of one,
        drawn, where they are more."""
        people = np.unique(np.array(identities), return_inverse=True)[1].astype(np.int64)
        units = np.unique(np.array([family(identity) for identity in identities]), return_inverse=True)[1].astype(np.int64)
        return cls(*protocols.labelled_pairs(people, MOST_GENUINE, MOST_IMPOSTORS), people, units % _MOST_UNITS)

    def scores(self, embeddings: Floats) -> npt.NDArray[np.float32]:
        """Cosine `[P]` of each comparison of L2-normalised `embeddings` `[N, D]`."""
        return protocols.pair_scores(embeddings, self.first, self.second)

    def unit_pairs(self, chosen: Bools) -> int:
        """How many pairs of units the comparisons `chosen` `[P]` are of; those within a unit are a pair of it with itself."""
        count = int(self.units.max()) + 1
        first, second = self.units[self.first[chosen]], self.units[self.second[chosen]]
        return int(np.count_nonzero(np.bincount(np.minimum(first, second) * count + np.maximum(first, second))))

    def independent(self, among: Bools) -> int:
        """How many of the comparisons `among` `[P]` share no person: one a person of those with themselves, and one for every
        two people of those with others. One at most where all are of one pair of units."""
        if self.unit_pairs(among) < 2:
            return int(among.any())
        alone = np.unique(self.people[self.first[among & self.same]])
        others = np.unique(self.people[np.concatenate([self.first[among & ~self.same], self.second[among & ~self.same]])])
        return len(alone) + len(others) // 2


@dataclass(frozen=True)
class Measured:
    """A rate: `errors` of `comparisons`, of which `independent` share no person, with its interval (95 %)."""

    errors: int
    comparisons: int
    independent: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        return self.errors / self.comparisons


class Bootstrap:
    """Draws of units: `weights` float32 `[draws, units]` says how often each was drawn."""

    def __init__(self, comparisons: Comparisons, draws: int = DRAWS, seed: int = 0) -> None:
        units = int(comparisons.units.max()) + 1
        drawn = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), draws)
        self.comparisons = comparisons
        self.weights = drawn.astype(np.float32)

    def totals(self, chosen: Bools) -> Rates:
        """How many of the comparisons `chosen` `[P]` each draw holds, `[draws]`."""
        units, count = self.comparisons.units, self.weights.shape[1]
        first, second = units[self.comparisons.first[chosen]], units[self.comparisons.second[chosen]]
        table = np.bincount(first * count + second, minlength=count * count).reshape(count, count).astype(np.float32)
        within = table.diagonal().copy()
        np.fill_diagonal(table, 0)
        weights = self.weights
        return np.asarray(((weights @ table) * weights).sum(1, dtype=np.float64) + weights @ within, np.float64)

    def pair_weights(self, rows: Ints, draws: slice) -> npt.NDArray[np.float32]:
        """How often each of the comparisons `rows` `[R]` is in each of `draws`, `[draws, R]`."""
        first, second = self.comparisons.units[self.comparisons.first[rows]], self.comparisons.units[self.comparisons.second[rows]]
        weights = self.weights[draws]
        return np.where(first == second, weights[:, first], weights[:, first] * weights[:, second])

    def rate(self, wrong: Bools, among: Bools) -> Measured:
        """The share of the comparisons `among` `[P]` that are `wrong` `[P]` too.

        Where none is, or all are, there is nothing to draw: the interval is by the rule of three (Hanley and Lippman-Hand,
        JAMA 249(13), 1983) for the comparisons that share no person. Comparisons of one pair of units, or of one unit with itself, are
        drawn together or not at all, so that every draw has the same rate: they bound nothing, and the interval is from 0 to 1.
        """
        errors, count = int((wrong & among).sum()), int(among.sum())
        independent = self.comparisons.independent(among)
        if independent < 2 and self.comparisons.unit_pairs(among) < 2:
            return Measured(errors, count, independent, 0.0, 1.0)
        bound = min(1.0, 3 / independent)
        if errors == 0:
            return Measured(errors, count, independent, 0.0, bound)
        if errors == count:
            return Measured(errors, count, independent, 1 - bound, 1.0)
        low, high = interval(self.totals(wrong & among), self.totals(among))
        return Measured(errors, count, independent, min(low, errors / count), max(high, errors / count))


def interval(parts: Rates, wholes: Rates) -> tuple[float, float]:
    """The 95 % interval of a ratio whose two sides were drawn together, `[draws]` each: its percentiles over the draws where
    it is defined."""
    known = wholes > 0
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(parts[known] / wholes[known], [tail, 100 - tail])
    return float(low), float(high)
