"""Match thresholds: for each variant the similarity from which on two faces count as one person's, at a stated false match rate
(FMR, the share of comparisons of different people that are taken for one person's; ISO/IEC 19795-1).

Docs: docs/thresholds.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from runtime_py.manifest import Threshold, UnsupportedThreshold
from toolchain.data.protocols import Bools, Floats
from toolchain.evaluation.bootstrap import Bootstrap, Measured
from toolchain.recipe import FALSE_MATCH_RATES

LEAST_ERRORS = 30
"""How many pairs of people must stand behind a measured rate: the rule of 30 (Doddington et al., "The NIST speaker recognition
evaluation", Speech Communication 31, 2000; ISO/IEC 19795-1): with as many independent errors the true rate is within 30 % of the
measured one with 90 % confidence. Errors of one pair of people are not independent, so pairs of people are counted, relatives as
one person."""
DIGITS = 4


@dataclass(frozen=True)
class Calibration:
    """The thresholds that some faces support, and the rates that they do not."""

    thresholds: tuple[Threshold, ...]
    left_out: tuple[UnsupportedThreshold, ...]


def calibrate(scores: Floats, bootstrap: Bootstrap, data_sha256: str, rates: Sequence[float] = FALSE_MATCH_RATES) -> Calibration:
    """Thresholds of one variant for each of `rates` from the `scores` `[P]` of all comparisons.

    `data_sha256`: the fingerprint of the images, to be stated with them.
    """
    others = ~bootstrap.comparisons.same
    thresholds, left_out = [], []
    for fmr in rates:
        similarity = threshold_at(scores[others], fmr)
        accepted = others & (scores.astype(np.float64) >= similarity) if similarity is not None else others
        reason = unsupported(fmr, similarity, others, accepted, bootstrap)
        if reason is not None or similarity is None:
            left_out.append(UnsupportedThreshold(fmr, reason or ""))
            continue
        found = bootstrap.rate(accepted, others)
        low, high = rounded(found)
        thresholds.append(Threshold(fmr, similarity, low, high, found.comparisons, found.independent, data_sha256))
    return Calibration(tuple(thresholds), tuple(left_out))


def threshold_at(others: Floats, fmr: float) -> float | None:
    """The lowest similarity, of 4 decimals, that at most the share `fmr` of `others` `[P]` reach, the scores of different
    people. None where fewer than 1 / `fmr` scores are given, or where more than that share is as alike as can be."""
    allowed = math.floor(fmr * len(others) + 1e-9)
    if allowed < 1:
        return None
    refused = float(np.partition(others, len(others) - allowed - 1)[len(others) - allowed - 1]) if allowed < len(others) else -1.0
    steps = math.floor(refused * 10**DIGITS) + 1
    return steps / 10**DIGITS if steps <= 10**DIGITS else None


def unsupported(fmr: float, similarity: float | None, others: Bools, accepted: Bools, bootstrap: Bootstrap) -> str | None:
    """Why these comparisons support no threshold at `fmr`; None where they do."""
    count = int(others.sum())
    if count * fmr < 1 - 1e-9:
        return f"{count:,} comparisons of different people; to see one false match at {fmr:g} takes {round(1 / fmr):,}"
    if similarity is None:
        return f"more than {fmr:g} of the comparisons of different people have similarity 1: look for images under two names"
    errors = int(accepted.sum())
    if errors == 0:
        independent = bootstrap.comparisons.independent(others)
        if 3 / independent > fmr:
            return f"no false match in {independent:,} independent comparisons; to rule out more than {fmr:g} takes {round(3 / fmr):,}"
        return None
    pairs = bootstrap.comparisons.unit_pairs(accepted)
    if pairs < LEAST_ERRORS:
        return f"false matches at {fmr:g}: {errors:,}, of pairs of people: {pairs}; the rule of 30 asks for {LEAST_ERRORS} pairs"
    return None


def rounded(found: Measured) -> tuple[float, float]:
    """The interval with two significant digits, made no narrower, so that machines agree."""
    return _two_digits(found.low, math.floor), min(1.0, _two_digits(found.high, math.ceil))


def _two_digits(value: float, towards: Callable[[float], int]) -> float:
    if value <= 0:
        return 0.0
    step = math.floor(math.log10(value)) - 1
    # 0.00099 / 1e-5 is a hair below 99: what a double cannot tell from a whole number is one
    return float(f"{towards(round(value / 10.0**step, 9))}e{step}")
