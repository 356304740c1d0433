"""What compression costs in terms of faces: a variant against fp32 on the same labelled faces.

Both have their own threshold at a false accept rate, and what is compared is their true accept rate there. On one set of
people the two rates err in the same direction, so their ratio, the share that the variant keeps, is far better known than
either: it is computed on the same draws of people for both (toolchain/evaluation/bootstrap.py), threshold and all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runtime_py.manifest import FaceTerms, KeptTar
from toolchain.data import protocols
from toolchain.data.identification import rank1
from toolchain.data.protocols import Floats, Ints
from toolchain.evaluation.bootstrap import Bootstrap, Rates, interval
from toolchain.evaluation.thresholds import unsupported
from toolchain.recipe import FALSE_MATCH_RATES, FaceGate

DIGITS = 4
_CHUNK = 50
_SHARE = 0.01  # p1: the cosine that 99 % of the images reach


class Reference:
    """fp32 on labelled faces: what every other variant is compared with there.

    `supported`: the false accept rates that these faces can speak of; `reasons`: why not of the others.
    """

    def __init__(self, embeddings: Floats, bootstrap: Bootstrap) -> None:
        """`embeddings` `[N, D]` L2-normalised, of the images that `bootstrap` draws from."""
        self.embeddings = embeddings
        self.bootstrap = bootstrap
        self.scores = bootstrap.comparisons.scores(embeddings)
        same = bootstrap.comparisons.same
        self.rates: dict[float, protocols.Rate] = {}
        self.reasons: dict[float, str] = {}
        for far in FALSE_MATCH_RATES:
            rate = protocols.tar_at_far(self.scores, same, far)
            accepted = ~same & (self.scores >= (rate.threshold if rate is not None else -1))
            reason = unsupported(far, None if rate is None else rate.threshold, ~same, accepted, bootstrap)
            if rate is None or reason is not None:
                self.reasons[far] = reason or "no image of the same person to compare with"
            else:
                self.rates[far] = rate
        self.draws = {far: tar_draws(self.scores, far, bootstrap) for far in self.rates}


def compare(embeddings: Floats, reference: Reference, data_sha256: str, protocol: str) -> FaceTerms | None:
    """A variant's `embeddings` `[N, D]` of the reference's images in face terms; None where those support no false accept rate."""
    if not reference.rates:
        return None
    comparisons = reference.bootstrap.comparisons
    scores, same, people = comparisons.scores(embeddings), comparisons.same, comparisons.people
    cosines = np.einsum("nd,nd->n", embeddings.astype(np.float64), reference.embeddings.astype(np.float64))
    drift_far = 1e-3 if 1e-3 in reference.rates else max(reference.rates)
    drifted = protocols.tar_at_far(scores, same, drift_far)
    assert drifted is not None  # the reference has one on the same comparisons
    return FaceTerms(
        protocol=protocol,
        data_sha256=data_sha256,
        images=len(people),
        identities=len(np.unique(people)),
        # A share of what rounds to nothing says nothing.
        kept=tuple(_kept(scores, far, reference) for far in reference.rates if round(reference.rates[far].tar, DIGITS) > 0),
        rank1=_rank1(embeddings, people),
        reference_rank1=_rank1(reference.embeddings, people),
        equal_error_rate=round(protocols.equal_error_rate(scores, same), DIGITS),
        reference_equal_error_rate=round(protocols.equal_error_rate(reference.scores, same), DIGITS),
        drift_far=drift_far,
        threshold_drift=round(drifted.threshold - reference.rates[drift_far].threshold, DIGITS) + 0.0,  # not -0.0
        min_cosine=_cosine(cosines.min()),
        p1_cosine=_cosine(np.quantile(cosines, _SHARE)),
        p50_cosine=_cosine(np.median(cosines)),
    )


def _rank1(embeddings: Floats, people: Ints) -> float:
    found = rank1(embeddings, people)
    return 0.0 if found is None else round(found.value, DIGITS)


def _kept(scores: Floats, far: float, reference: Reference) -> KeptTar:
    found = protocols.tar_at_far(scores, reference.bootstrap.comparisons.same, far)
    assert found is not None  # the reference has one on the same comparisons
    low, high = interval(tar_draws(scores, far, reference.bootstrap), reference.draws[far])
    return KeptTar(far, round(found.tar, DIGITS), round(reference.rates[far].tar, DIGITS), round(low, DIGITS), round(high, DIGITS))


def _cosine(value: np.floating) -> float:
    return round(min(1.0, float(value)), DIGITS)


def tar_draws(scores: Floats, far: float, bootstrap: Bootstrap) -> Rates:
    """The true accept rate at `far` of each draw, `[draws]`: the draw's own threshold, as `protocols.tar_at_far` has it, and
    the share of the draw's comparisons of one person that pass it. 0 where a draw has none."""
    same = bootstrap.comparisons.same
    genuine = np.flatnonzero(same)[np.argsort(-scores[same], kind="stable")]
    others = np.flatnonzero(~same)[np.argsort(-scores[~same], kind="stable")]
    allowed = far * bootstrap.totals(~same)
    result = np.zeros(len(allowed))
    for start in range(0, len(allowed), _CHUNK):
        draws = slice(start, start + _CHUNK)
        refused = scores[others][_first_refused(others, allowed[draws], draws, far, bootstrap)]
        passed = np.searchsorted(-scores[genuine], -refused, "left")
        counted = np.cumsum(bootstrap.pair_weights(genuine, draws), 1, dtype=np.float64)
        accepted = np.where(passed > 0, np.take_along_axis(counted, np.maximum(passed - 1, 0)[:, None], 1)[:, 0], 0)
        result[draws] = accepted / np.maximum(counted[:, -1], 1)
    return result


def _first_refused(others: protocols.Ints, allowed: Rates, draws: slice, far: float, bootstrap: Bootstrap) -> protocols.Ints:
    """For each draw the place in `others`, comparisons of different people from the most alike on, of the first one that is
    refused: up to it the draw holds more than `allowed` of them. The last place where there is none."""
    looked = min(len(others), int(3 * far * len(others)) + 100)
    while True:
        counted = np.cumsum(bootstrap.pair_weights(others[:looked], draws), 1, dtype=np.float64)
        places = (counted <= allowed[:, None] + 1e-6).sum(1)
        if looked == len(others) or places.max() < looked:
            return np.minimum(places, len(others) - 1).astype(np.int64)
        looked = min(len(others), 3 * looked)  # a draw of the people who resemble many


@dataclass(frozen=True)
class Verdict:
    """What a gate found: `missed` with the reason as a sentence; otherwise `reason` says what was kept, or why it could not
    be judged (`judged` False)."""

    missed: bool
    judged: bool
    reason: str


def judge(gate: FaceGate, terms: FaceTerms) -> Verdict:
    """Missed where the share that was kept is below the gate's by more standard errors than it allows. The interval, 95 % of
    the draws, is as wide as 2 * 1.96 standard errors of a normal distribution."""
    if gate.keep_tar is None:
        return Verdict(False, True, "the variant's gate asks for nothing in face terms")
    for kept in terms.kept:
        if kept.far == gate.far:
            share = f"{kept.tar / kept.reference:.1%} of fp32's true accept rate at FAR {gate.far:g}"
            measured = f"keeps {share} (95 % interval {kept.kept_low:.1%} to {kept.kept_high:.1%}), the gate asks for {gate.keep_tar:.1%}"
            error = (kept.kept_high - kept.kept_low) / (2 * 1.96)
            return Verdict(kept.tar / kept.reference + gate.standard_errors * error < gate.keep_tar, True, measured)
    return Verdict(False, False, f"not judged: {terms.identities} people are too few for FAR {gate.far:g}")
