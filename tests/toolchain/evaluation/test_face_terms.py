"""What a variant keeps of fp32, against the same figures from draws that are written out, and the gate's decisions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from runtime_py.manifest import FaceTerms, KeptTar
from toolchain.data.identification import rank1
from toolchain.data.protocols import equal_error_rate, tar_at_far
from toolchain.errors import RecipeError
from toolchain.evaluation.bootstrap import Bootstrap, Comparisons
from toolchain.evaluation.face_terms import Reference, compare, judge, tar_draws
from toolchain.recipe import FaceGate

DATA, PEOPLE, EACH = "0" * 64, 40, 6


def embeddings(noise: float) -> np.ndarray:
    """A direction a person, and as much noise in each image again as a fair net has, with `noise` of compression upon it."""
    random = np.random.default_rng(5)
    rows = np.repeat(random.normal(size=(PEOPLE, 48)), EACH, axis=0) + 1.3 * random.normal(size=(PEOPLE * EACH, 48))
    rows = rows + noise * random.normal(size=rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def bootstrap() -> Bootstrap:
    return Bootstrap(Comparisons.of([f"p{number:02d}" for number in range(PEOPLE) for _ in range(EACH)]), draws=400)


@pytest.fixture(scope="module")
def reference(bootstrap: Bootstrap) -> Reference:
    return Reference(embeddings(0), bootstrap)


@pytest.mark.parametrize("digits", [7, 1], ids=["as they are", "many of them equal"])
def test_each_draw_has_the_rate_of_its_comparisons_written_out(bootstrap: Bootstrap, digits: int) -> None:
    comparisons = bootstrap.comparisons
    scores = comparisons.scores(embeddings(0)).round(digits)
    found = tar_draws(scores, 0.01, bootstrap)
    every = np.arange(len(scores))
    for draw in range(5):
        times = bootstrap.pair_weights(every, slice(draw, draw + 1))[0].astype(int)
        rate = tar_at_far(np.repeat(scores, times), np.repeat(comparisons.same, times), 0.01)
        assert rate is not None and found[draw] == pytest.approx(rate.tar, abs=1e-12)


def test_the_same_embeddings_keep_everything_without_doubt(reference: Reference) -> None:
    terms = compare(embeddings(0), reference, DATA, "p")
    assert terms is not None
    assert {(kept.tar / kept.reference, kept.kept_low, kept.kept_high) for kept in terms.kept} == {(1.0, 1.0, 1.0)}
    assert (terms.threshold_drift, terms.min_cosine, terms.p50_cosine, terms.rank1) == (0.0, 1.0, 1.0, terms.reference_rank1)
    assert not judge(FaceGate(keep_tar=1.0, far=0.01), terms).missed


def test_figures_are_those_of_the_protocols(reference: Reference, bootstrap: Bootstrap) -> None:
    worse, same = embeddings(0.8), bootstrap.comparisons.same
    terms = compare(worse, reference, DATA, "p")
    assert terms is not None and (terms.images, terms.identities, terms.protocol) == (PEOPLE * EACH, PEOPLE, "p")
    for kept in terms.kept:
        rates = [tar_at_far(bootstrap.comparisons.scores(rows), same, kept.far) for rows in (worse, embeddings(0))]
        assert [kept.tar, kept.reference] == [pytest.approx(rate.tar, abs=5e-5) for rate in rates if rate is not None]
        assert kept.tar < kept.reference
    before, after = (tar_at_far(bootstrap.comparisons.scores(rows), same, terms.drift_far) for rows in (embeddings(0), worse))
    assert before is not None and after is not None and terms.threshold_drift != 0
    assert terms.threshold_drift == pytest.approx(after.threshold - before.threshold, abs=1e-4)
    found = [
        (equal_error_rate(bootstrap.comparisons.scores(rows), same), rank1(rows, bootstrap.comparisons.people))
        for rows in (worse, embeddings(0))
    ]
    stated = [(terms.equal_error_rate, terms.rank1), (terms.reference_equal_error_rate, terms.reference_rank1)]
    assert [row[0] for row in stated] == pytest.approx([rate for rate, _ in found], abs=1e-4) and stated[0][0] > stated[1][0]
    assert [row[1] for row in stated] == pytest.approx([share.value for _, share in found if share], abs=1e-4) and stated[0][1] < stated[1][
        1
    ]
    cosines = np.sort((worse.astype(float) * embeddings(0)).sum(1))
    assert terms.min_cosine == pytest.approx(cosines[0], abs=1e-4) and terms.p50_cosine == pytest.approx(np.median(cosines), abs=1e-4)
    assert cosines[2] - 1e-4 <= terms.p1_cosine <= cosines[3] + 1e-4, "of 240 images two are a first percentile"


def test_what_was_lost_is_shown_by_the_pairing_and_would_not_be_without(reference: Reference, bootstrap: Bootstrap) -> None:
    terms = compare(embeddings(0.35), reference, DATA, "p")
    assert terms is not None
    kept = terms.kept[0]
    assert kept.far == 0.01 and 0.8 < kept.tar / kept.reference < 1 and kept.kept_high < 1
    apart = tar_draws(bootstrap.comparisons.scores(embeddings(0.35)), 0.01, bootstrap)[::-1] / reference.draws[0.01]
    low, high = np.percentile(apart, [2.5, 97.5])
    assert kept.kept_high - kept.kept_low < 0.7 * (high - low), "the same ratio on draws that differ"
    assert judge(FaceGate(keep_tar=0.995, far=0.01), terms).missed


def test_rates_that_the_people_cannot_support_are_not_compared_and_not_judged(reference: Reference) -> None:
    # 40 people: 28,080 comparisons of different ones, 28 at 1e-3, which cannot be of 30 pairs of people.
    assert set(reference.rates) == {0.01} and "rule of 30" in reference.reasons[0.001]
    terms = compare(embeddings(0.8), reference, DATA, "p")
    assert terms is not None and terms.drift_far == 0.01
    verdict = judge(FaceGate(keep_tar=0.98), terms)
    assert not verdict.missed and not verdict.judged and verdict.reason == "not judged: 40 people are too few for FAR 0.001"


def test_too_few_people_give_no_face_terms() -> None:
    few = Bootstrap(Comparisons.of(["a", "a", "b", "b"]), draws=10)
    assert compare(embeddings(0)[:4], Reference(embeddings(0)[:4], few), DATA, "p") is None


MEASURED = FaceTerms(
    protocol="p",
    data_sha256=DATA,
    images=100,
    identities=50,
    kept=(KeptTar(0.001, 0.768, 0.8, 0.9404, 0.9796),),  # 0.96 kept; the interval is 2 * 1.96 standard errors of 0.01
    rank1=0.9,
    reference_rank1=0.9,
    equal_error_rate=0.1,
    reference_equal_error_rate=0.1,
    drift_far=0.001,
    threshold_drift=0.0,
    min_cosine=0.9,
    p1_cosine=0.9,
    p50_cosine=0.9,
)


@pytest.mark.parametrize(
    ("gate", "missed"),
    [
        (FaceGate(keep_tar=0.98), True),  # two standard errors away
        (FaceGate(keep_tar=0.971), True),
        (FaceGate(keep_tar=0.969), False),  # within one
        (FaceGate(keep_tar=0.969, standard_errors=0), True),
        (FaceGate(keep_tar=0.96, standard_errors=0), False),
        (FaceGate(keep_tar=0.98, standard_errors=2.1), False),
        (FaceGate(), False),
    ],
)
def test_a_gate_forgives_as_many_standard_errors_as_it_says(gate: FaceGate, missed: bool) -> None:
    assert judge(gate, MEASURED).missed == missed


def test_a_verdict_states_what_was_kept_how_surely_and_what_was_asked() -> None:
    reason = "keeps 96.0% of fp32's true accept rate at FAR 0.001 (95 % interval 94.0% to 98.0%), the gate asks for 98.0%"
    assert judge(FaceGate(keep_tar=0.98), MEASURED).reason == reason
    assert not judge(FaceGate(keep_tar=0.98), replace(MEASURED, kept=())).judged


@pytest.mark.parametrize("settings", [{"keep_tar": 0.0}, {"keep_tar": 1.1}, {"far": 0.02}, {"standard_errors": -1.0}])
def test_a_gate_that_makes_no_sense_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match=f"FaceGate.{next(iter(settings))}"):
        FaceGate(**settings)
