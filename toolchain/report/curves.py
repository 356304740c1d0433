"""Curves of a bundle's variants on faces: ROC, DET, histograms of similarity, and how each variant's similarities follow fp32's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime_py.bundle import Bundle
from runtime_py.manifest import Accuracy
from toolchain.data import protocols
from toolchain.data.faces import Faces
from toolchain.evaluation.bootstrap import Comparisons
from toolchain.evaluation.evaluate import evaluate, of_bundle
from toolchain.kept import KeptBytes
from toolchain.progress import Progress

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

REFERENCE = "fp32"
POINTS_A_DECADE = 10
LEAST_FAR = 1e-6
BINS = 60
SAMPLED = 200
"""Pairs of each kind whose similarities are shown one by one: enough to see the cloud, few enough to keep the page small."""
WORST = 5


@dataclass(frozen=True)
class FaceCosine:
    """A face, by its name among those that were measured on, and the cosine of its two embeddings."""

    face: str
    cosine: float


@dataclass(frozen=True)
class VariantCurves:
    """One variant: what `toolchain evaluate` says of it, and its curves.

    At each false accept rate of `far` the true accept rate `tar`. `genuine` and `impostor`: shares of the pairs in each bin of
    `Curves.edges`. `sampled`: similarities of the pairs of `Curves.sampled_same`. `worst`: images by their cosine to the
    reference variant, the least first; empty for the reference itself.
    """

    name: str
    accuracy: tuple[Accuracy, ...]
    evaluation: Mapping[str, Any]
    far: tuple[float, ...]
    tar: tuple[float, ...]
    genuine: tuple[float, ...]
    impostor: tuple[float, ...]
    sampled: tuple[float, ...]
    worst: tuple[FaceCosine, ...]


@dataclass(frozen=True)
class Curves:
    """All variants on the same pairs. `reference` is the variant that the others are compared to."""

    protocol: str
    data_sha256: str
    images: int
    identities: int
    genuine: int
    impostors: int
    edges: tuple[float, ...]
    sampled_same: tuple[bool, ...]
    reference: str
    variants: tuple[VariantCurves, ...]


def measure(bundle: Bundle, faces: Faces, pairs_file: Path | None, progress: Progress, kept: KeptBytes | None = None) -> Curves:
    """Embeds `faces` by every variant and draws its curves from the pairs of `pairs_file`, or, without one, from all pairs of the
    labelled faces. `kept`: where embeddings are kept by content. Errors: DataError, as `toolchain.evaluation.evaluate.evaluate`."""
    embeddings = dict(of_bundle(bundle, "all", faces, progress, kept))
    evaluations = {name: evaluate(rows, faces, pairs_file) for name, rows in embeddings.items()}
    if pairs_file is not None:
        pairs = protocols.read_pairs(pairs_file, faces.names)
        first, second, same = pairs.first, pairs.second, pairs.same
    else:
        comparisons = Comparisons.of(faces.identities)
        first, second, same = comparisons.first, comparisons.second, comparisons.same
    scores = {name: protocols.pair_scores(rows, first, second) for name, rows in embeddings.items()}
    reference = REFERENCE if REFERENCE in embeddings else bundle.default_variant
    edges = _edges(list(scores.values()))
    shown = sample(same)
    variants = tuple(
        VariantCurves(
            name,
            tuple(evaluations[name].record()),
            evaluations[name].describe(),
            *roc(scores[name], same),
            *histograms(scores[name], same, edges),
            tuple(round(float(value), 4) for value in scores[name][shown]),
            () if name == reference else worst(rows, embeddings[reference], faces.names),
        )
        for name, rows in embeddings.items()
    )
    stated = evaluations[reference]
    return Curves(
        stated.protocol,
        stated.data_sha256,
        stated.images,
        stated.identities,
        stated.genuine,
        stated.impostors,
        tuple(float(edge) for edge in edges),
        tuple(bool(value) for value in same[shown]),
        reference,
        variants,
    )


def roc(scores: Floats, same: Bools) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(false accept rates, true accept rate at each): ten a decade from the least that these impostors support up to 1, each by the
    rule of `protocols.tar_at_far`. FNMR, the DET curve's other axis, is 1 less the true accept rate."""
    impostors, genuine = np.sort(scores[~same])[::-1], np.sort(scores[same])
    least = max(LEAST_FAR, 1 / len(impostors))
    decades = -np.log10(least)
    rates = 10 ** np.linspace(-decades, 0, max(2, round(decades * POINTS_A_DECADE) + 1))
    allowed = np.floor(rates * len(impostors) + 1e-9).astype(np.int64)
    refused = np.where(allowed < len(impostors), impostors[np.minimum(allowed, len(impostors) - 1)], -np.inf)
    accepted = 1 - np.searchsorted(genuine, refused, "right") / len(genuine)
    return tuple(float(f"{rate:.4g}") for rate in rates), tuple(round(float(value), 6) for value in accepted)


def histograms(scores: Floats, same: Bools, edges: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(genuine, impostor): the share of the pairs of each kind in each bin."""
    genuine, impostor = (np.histogram(scores[kind], edges)[0] / kind.sum() for kind in (same, ~same))
    return tuple(round(float(share), 6) for share in genuine), tuple(round(float(share), 6) for share in impostor)


def _edges(scores: list[Floats]) -> Floats:
    low, high = min(float(part.min()) for part in scores), max(float(part.max()) for part in scores)
    return np.linspace(np.floor(low * 20) / 20, np.ceil(high * 20) / 20, BINS + 1).round(4)


def sample(same: Bools) -> npt.NDArray[np.int64]:
    """Rows of up to SAMPLED genuine and as many impostor pairs, evenly spaced."""
    parts = []
    for kind in (same, ~same):
        rows = np.flatnonzero(kind)
        parts.append(rows[np.unique(np.linspace(0, len(rows) - 1, min(SAMPLED, len(rows))).astype(np.int64))])
    return np.concatenate(parts)


def worst(embeddings: Floats, reference: Floats, names: tuple[str, ...]) -> tuple[FaceCosine, ...]:
    """The images on which `embeddings` agree least with the `reference`'s (both `[N, D]`, L2-normalised)."""
    cosines = np.einsum("nd,nd->n", embeddings, reference, dtype=np.float64)
    return tuple(FaceCosine(names[row], round(float(cosines[row]), 6)) for row in np.argsort(cosines, kind="stable")[:WORST])
