from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime_py.bundle import Bundle
from runtime_py.errors import EmbeddingError, ThresholdError
from runtime_py.manifest import UnsupportedThreshold
from runtime_py.matching import Verification, check_threshold, similarity, threshold_at, threshold_in_search


def test_similarity_is_the_cosine_in_every_shape() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(3, 8)).astype(np.float32), random.normal(size=(5, 8)).astype(np.float32)
    cosines = np.array([[x @ y / (np.linalg.norm(x) * np.linalg.norm(y)) for y in b.astype(float)] for x in a.astype(float)])
    assert np.allclose(similarity(a, b), cosines, atol=1e-12)
    assert np.allclose(similarity(a, b[0]), cosines[:, 0], atol=1e-12)
    assert similarity(a[0], b[0]) == pytest.approx(cosines[0, 0], abs=1e-12)


def test_similarity_stays_within_its_range() -> None:
    row = np.full(3, 0.1, np.float32)
    assert similarity(row, row) <= 1.0 and similarity(row, -row) >= -1.0


@pytest.mark.parametrize(
    "bad", [np.zeros(4, np.float32), np.full(4, np.nan), np.full(4, np.inf), np.ones(5), np.ones(4, int), np.ones((1, 1, 4))]
)
def test_what_is_no_embedding_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(EmbeddingError):
        similarity(bad, np.ones(4))


def test_a_pair_is_the_same_from_the_threshold_on() -> None:
    assert Verification(0.5, 0.5).same and not Verification(0.4999, 0.5).same


def test_thresholds_come_from_the_manifest(face_bundle: Path) -> None:
    bundle = Bundle.open(face_bundle)
    assert threshold_at(bundle.variant("float"), 0.001) == 0.5
    with pytest.raises(ThresholdError, match=r"threshold for \(0.001\), got 0.01"):
        threshold_at(bundle.variant("float"), 0.01)
    with pytest.raises(ThresholdError, match=r"\(none\)"):
        threshold_at(bundle.variant("int8"))


def test_a_threshold_that_the_data_could_not_support_is_refused_with_the_reason(face_bundle: Path) -> None:
    variant = replace(Bundle.open(face_bundle).variant("float"), thresholds_left_out=(UnsupportedThreshold(1e-4, "12 people are too few"),))
    with pytest.raises(ThresholdError, match=r"got 0.0001 \(left out: 12 people are too few\)"):
        threshold_at(variant, 1e-4)


@pytest.mark.parametrize("threshold", [1.01, -2.0, float("nan")])
def test_a_threshold_is_a_similarity(threshold: float) -> None:
    with pytest.raises(ThresholdError):
        check_threshold(threshold)


@pytest.mark.parametrize(
    ("fpir", "templates", "fmr"),
    [
        (0.01, 0, 0.01),
        (0.01, 1, 0.01),
        (0.01, 2, 0.001),
        (0.01, 10, 0.001),  # 0.01 / 10 is a hair below 0.001
        (0.01, 11, 0.0001),
        (0.01, 100, 0.0001),
        (0.3, 300, 0.001),
        (1.0, 1, 0.01),
    ],
)
def test_a_search_goes_by_the_largest_rate_that_its_templates_together_keep_to(
    face_bundle: Path, fpir: float, templates: int, fmr: float
) -> None:
    variant = Bundle.open(face_bundle).variant("float")
    (stated,) = variant.thresholds
    # In no order: a manifest need not have any.
    variant = replace(variant, thresholds=tuple(replace(stated, fmr=rate) for rate in (0.001, 0.01, 0.0001)))
    assert threshold_in_search(variant, fpir, templates).fmr == fmr
    with pytest.raises(ThresholdError, match="none below 0.0001, which reaches 100 templates"):
        threshold_in_search(variant, 0.01, 101)
    with pytest.raises(ThresholdError, match="its manifest has none at all; make some by `toolchain calibrate`$"):
        threshold_in_search(replace(variant, thresholds=()), 0.01, 1)
