"""Compares embeddings: similarity is the cosine, and rises with likeness."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime_py.errors import EmbeddingError, ThresholdError
from runtime_py.image import describe_array
from runtime_py.manifest import Threshold, Variant

DEFAULT_FMR = 0.001
"""The false match rate whose threshold is used where none is asked for: one in a thousand pairs of different people."""


@dataclass(frozen=True)
class Verification:
    """Whether two faces are one person's: `same` where `similarity` is at least `threshold`, which has the false match rate `fmr`
    (None: the threshold was given as it is)."""

    similarity: float
    threshold: float
    fmr: float | None = None

    @property
    def same(self) -> bool:
        return self.similarity >= self.threshold


def similarity(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Cosines, −1 to 1: of `[D]` with `[D]` one number `[]`, of `[N, D]` with `[M, D]` all `[N, M]`, of `[N, D]` with `[D]` `[N]`.

    Error: EmbeddingError for other shapes, NaN, infinity or length zero.
    """
    a, b = _unit(first), _unit(second)
    if a.shape[-1] != b.shape[-1]:
        raise EmbeddingError(
            f"similarity: expected embeddings of one size, got {a.shape[-1]} and {b.shape[-1]}; compare those of one model only"
        )
    return np.clip(np.asarray(a @ b.T), -1.0, 1.0)


def threshold_at(variant: Variant, fmr: float = DEFAULT_FMR) -> float:
    """The similarity at which `variant` has the false match rate `fmr`, as its manifest states. Error: ThresholdError."""
    for threshold in variant.thresholds:
        if threshold.fmr == fmr:
            return threshold.similarity
    known = ", ".join(f"{threshold.fmr:g}" for threshold in variant.thresholds) or "none"
    left_out = [item.reason for item in variant.thresholds_left_out if item.fmr == fmr]
    why = f" (left out: {left_out[0]})" if left_out else ""
    raise ThresholdError(
        f"variant {variant.name}: expected a false match rate that its manifest has a threshold for ({known}), got {fmr:g}{why}; "
        "calibrate the bundle on more faces by `toolchain calibrate`"
    )


def threshold_in_search(variant: Variant, fpir: float, templates: int) -> Threshold:
    """The threshold at which a search among `templates` finds somebody for at most the share `fpir` of those who are not enrolled.

    Who is searched for among N templates has N chances to match falsely, so the false positive identification rate is at most
    N · FMR, whatever the comparisons have to do with one another (Boole's inequality): the stated threshold of the largest rate that
    is at most fpir / N. Error: ThresholdError where the manifest's thresholds don't reach that far.
    """
    if not 0 < fpir <= 1:
        raise ThresholdError(f"expected a false positive identification rate above 0 and at most 1, got {fpir}")
    count = max(1, templates)
    # Compared as products: 0.01 / 10 is not 0.001 in binary, and just below it.
    enough = [threshold for threshold in variant.thresholds if threshold.fmr * count <= fpir * (1 + 1e-9)]
    if not enough:
        has = "none at all; make some by `toolchain calibrate`"
        if variant.thresholds:
            least = min(threshold.fmr for threshold in variant.thresholds)
            has = (
                f"none below {least:g}, which reaches {math.floor(fpir * (1 + 1e-9) / least)} templates; "
                "enrol fewer, accept a larger rate, or calibrate on more people by `toolchain calibrate`"
            )
        raise ThresholdError(
            f"variant {variant.name}: expected a threshold for a false match rate of {fpir / count:g} ({fpir:g} over {count} templates), "
            f"its manifest has {has}"
        )
    return max(enough, key=lambda threshold: threshold.fmr)


def check_threshold(threshold: float) -> float:
    """`threshold` itself, where it can be a similarity. Error: ThresholdError."""
    if not -1 <= threshold <= 1:
        raise ThresholdError(f"threshold: expected a similarity from -1 to 1, got {threshold}")
    return threshold


def _unit(embeddings: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    if not isinstance(embeddings, np.ndarray) or embeddings.dtype.kind != "f" or embeddings.ndim not in (1, 2):
        raise EmbeddingError(f"similarity: expected a float array [D] or [N, D], got {describe_array(embeddings)}")
    values = embeddings.astype(np.float64)
    lengths = np.sqrt((values * values).sum(axis=-1, keepdims=True))
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise EmbeddingError("similarity: expected embeddings of finite length above 0, got NaN, infinity or zeros")
    return np.asarray(values / lengths)
