"""Identification protocols as pure functions of scores and labels, each share with its confidence interval.

Closed set: the right answer is among the classes, by a classifier's scores or by the nearest class centre (NearestOne: Tang, Su,
Lin, Chang, National Taiwan University, 2018). Open set: some who are looked for were never enrolled; true positive identification
rate at a stated false positive one (ISO/IEC 19795-1).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from toolchain.errors import DataError

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

HELD = 5
"""One image in this many of each identity is held to be classified."""
FALSE_POSITIVE_IDENTIFICATION_RATES = (1e-1, 1e-2, 1e-3)
"""The rates that open-set identification is told at, where the strangers are enough to speak of them."""


@dataclass(frozen=True)
class Share:
    """`value` of `probes` images of `identities` people were right; `low` to `high` is its 95 % confidence interval."""

    value: float
    low: float
    high: float
    probes: int
    identities: int


def share(right: Bools, labels: Ints, confidence: float = 0.95) -> Share:
    """The share of `right` `[N]`, with Wilson's interval (Wilson, JASA 22, 1927) for as many independent trials as the images of
    `labels` `[N]` are worth.

    A person's images succeed and fail together. Their number is divided by the design effect, the variance of the share between
    people over that of independent images (Kish, 1965). Where none or all are right, or all images are of one person, that variance
    is not known, and people are counted in place of images.
    Error: DataError for no image.
    """
    if not len(right):
        raise DataError("share: expected at least one image to identify, got none")
    people, index = np.unique(labels, return_inverse=True)
    images = np.bincount(index)
    hits = np.bincount(index, weights=right)
    value, count, groups = float(right.mean()), len(right), len(people)
    worth = float(groups)
    if 0 < value < 1 and groups > 1:
        between = groups / (groups - 1) * float(((hits - value * images) ** 2).sum()) / count**2
        worth = count / max(1.0, between / (value * (1 - value) / count))
    low, high = wilson(value, worth, confidence)
    return Share(value, low, high, count, groups)


def wilson(value: float, trials: float, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a share `value` of `trials` > 0 trials, which need not be a whole number."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (value + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(value * (1 - value) / trials + z * z / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def held_fifth(names: Sequence[str], labels: Ints) -> Bools:
    """bool `[N]`, True for the images that are held: of each identity's n images the n // 5 whose names' sha256 come first, so that
    the same files are held wherever they are read from in whatever order."""
    held = np.zeros(len(names), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        ranked = sorted(rows, key=lambda row: hashlib.sha256("/".join(names[row].split("/")[-2:]).encode()).digest())
        held[ranked[: len(rows) // HELD]] = True
    return held


def closed_set(scores: Floats, labels: Ints) -> Share:
    """How often the largest of an image's `scores` `[N, C]` is that of its class `labels` `[N]`."""
    return share(np.argmax(scores, axis=1) == labels, labels)


def rank1(embeddings: Floats, labels: Ints) -> Share | None:
    """The first image of each identity is the gallery; how often the nearest gallery image (cosine of L2-normalised `[N, D]`) of
    another image is of its identity. None where no identity has two images."""
    known, enrolled = np.unique(labels, return_index=True)
    probes = np.setdiff1d(np.arange(len(labels)), enrolled)
    if not len(probes):
        return None
    nearest = _best(embeddings, probes, enrolled)[1]
    return share(known[nearest] == labels[probes], labels[probes])


def nearest_one(embeddings: Floats, labels: Ints, held: Bools) -> Share:
    """NearestOne: each identity's centre is the mean of its embeddings that are not `held`; how often a held image's nearest centre,
    by cosine, is that of its identity. `embeddings` `[N, D]` of length 1; `labels`, `held` `[N]`.

    Error: DataError where an identity has held images but no others.
    """
    known = np.unique(labels[~held])
    strangers = np.setdiff1d(labels[held], known)
    if len(strangers):
        raise DataError(
            f"NearestOne: expected images to make a centre from of every identity, got none of {len(strangers)}; give more each"
        )
    centres = np.stack([embeddings[~held & (labels == label)].mean(0) for label in known])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    nearest = known[np.argmax(embeddings[held] @ centres.T, axis=1)]
    return share(nearest == labels[held], labels[held])


@dataclass(frozen=True)
class OpenSet:
    """At `threshold` at most `fpir` of the `strangers` images of people not enrolled are taken for someone; `tpir` of the images of
    enrolled people are found: their nearest gallery image is theirs and reaches the threshold."""

    fpir: float
    tpir: Share
    threshold: float
    strangers: int
    enrolled: int


def open_set(embeddings: Floats, labels: Ints, enrolled: Bools, fpir: float) -> OpenSet | None:
    """Open-set identification of L2-normalised `embeddings` `[N, D]`. Of each identity that is `enrolled` (bool `[N]`, alike for all
    images of one) the first image is the gallery and the others are searched for; so is every image of the other identities.

    None where the strangers' images are fewer than 1 / fpir, or nobody enrolled has a second image.
    """
    known, first = np.unique(labels[enrolled], return_index=True)
    gallery = np.flatnonzero(enrolled)[first]
    searched, strangers = np.setdiff1d(np.flatnonzero(enrolled), gallery), np.flatnonzero(~enrolled)
    allowed = math.floor(fpir * len(strangers) + 1e-9)
    if allowed < 1 or not len(searched):
        return None
    best_of_strangers = np.sort(_best(embeddings, strangers, gallery)[0])
    refused = best_of_strangers[-allowed - 1] if allowed < len(strangers) else -np.inf
    above = best_of_strangers[best_of_strangers > refused]
    threshold = float(above[0]) if len(above) else float(np.nextafter(refused, np.inf))
    scores, nearest = _best(embeddings, searched, gallery)
    found = (known[nearest] == labels[searched]) & (scores >= threshold)
    return OpenSet(fpir, share(found, labels[searched]), threshold, len(strangers), len(known))


def half_enrolled(names: Sequence[str]) -> Bools:
    """bool `[N]`: whether an image's identity is enrolled, half of them by the sha256 of the identity's name."""
    return np.array([hashlib.sha256(name.rsplit("/", 1)[0].rsplit("/", 1)[-1].encode()).digest()[0] % 2 == 0 for name in names], bool)


@dataclass(frozen=True)
class Identification:
    """One-to-many figures of labelled faces: `rank1`; `nearest_one` where an identity has the five images that one is held of;
    `open_set` at the rates that the strangers are enough for."""

    rank1: Share
    nearest_one: Share | None
    open_set: tuple[OpenSet, ...]


def identify(embeddings: Floats, labels: Ints, names: Sequence[str]) -> Identification | None:
    """All protocols of this file that need embeddings alone, on L2-normalised `[N, D]` of images `names` of identities `labels` `[N]`.
    None where no identity has two images."""
    first = rank1(embeddings, labels)
    if first is None:
        return None
    held, enrolled = held_fifth(names, labels), half_enrolled(names)
    centres = nearest_one(embeddings, labels, held) if held.any() else None
    found = (open_set(embeddings, labels, enrolled, fpir) for fpir in FALSE_POSITIVE_IDENTIFICATION_RATES)
    return Identification(first, centres, tuple(item for item in found if item is not None))


def _best(embeddings: Floats, probes: Ints, gallery: Ints) -> tuple[Floats, Ints]:
    """(largest cosine `[P]`, its index in the gallery `[P]`) of each probe."""
    scores, nearest = [], []
    for start in range(0, len(probes), 4096):
        cosines = embeddings[probes[start : start + 4096]] @ embeddings[gallery].T
        scores.append(cosines.max(1))
        nearest.append(cosines.argmax(1))
    return np.concatenate(scores), np.concatenate(nearest)
