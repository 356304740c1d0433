"""What a manifest states of a model's bytes, agreement and accuracy, as frozen dataclasses; and the kinds of values that it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from runtime_py.typed_json import Bounds, Pattern

PATH = "[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*"
Path = Annotated[str, Pattern(PATH)]
Name = Annotated[str, Pattern("[a-z0-9][a-z0-9._-]*")]
Sha256 = Annotated[str, Pattern("[0-9a-f]{64}")]
Count = Annotated[int, Bounds(0, 2**53 - 1)]
Size = Annotated[int, Bounds(1, 4096)]
Share = Annotated[float, Bounds(0, 1)]
Cosine = Annotated[float, Bounds(-1, 1)]


@dataclass(frozen=True)
class Bytes:
    """Sizes of a variant: the .tflite that runs, the same through gzip level 9, and what the bundle stores."""

    raw: Count
    gzip: Count
    stored: Count


@dataclass(frozen=True)
class Parity:
    """Embeddings of `runtime` against those of `against` on the same `faces` images, each L2-normalised; rounded so that
    machines agree. `p1_cosine` is the first percentile."""

    runtime: str
    against: str
    faces: Count
    max_abs: Annotated[float, Bounds(0, 2)]
    min_cosine: Cosine
    p1_cosine: Cosine


@dataclass(frozen=True)
class Accuracy:
    """`value` (and the standard deviation `std` where the protocol has folds), as a share of 1, of a protocol on data whose
    fingerprint is `data_sha256`."""

    protocol: str
    data_sha256: Sha256
    value: Share
    std: Share | None = None


@dataclass(frozen=True)
class Threshold:
    """Two faces match where their similarity is at least `similarity`; then a false match rate of `fmr` was measured on
    `comparisons` pairs of different people, `independent` of which share no person, with the interval from `fmr_low` to
    `fmr_high` (95 %)."""

    fmr: Share
    similarity: Cosine
    fmr_low: Share
    fmr_high: Share
    comparisons: Count
    independent: Count
    data_sha256: Sha256


@dataclass(frozen=True)
class UnsupportedThreshold:
    """A false match rate that the faces at hand could not support a threshold for, and why."""

    fmr: Share
    reason: str


@dataclass(frozen=True)
class KeptTar:
    """The true accept rate `tar` at the false accept rate `far`, and the `reference` variant's on the same faces.

    What was kept is tar / reference; `kept_low` to `kept_high` is its interval (95 %, both rates on the same draws of people).
    """

    far: Share
    tar: Share
    reference: Share
    kept_low: Annotated[float, Bounds(0)]
    kept_high: Annotated[float, Bounds(0)]

    def __post_init__(self) -> None:
        if self.reference == 0:
            raise ValueError("reference: expected a rate above 0, of which a share can be kept, got 0")


@dataclass(frozen=True)
class FaceTerms:
    """A variant against the fp32 one on the same faces: what compression cost in terms of faces.

    `threshold_drift`: how far the similarity threshold at `drift_far` moved, this variant's less fp32's. The cosines are those
    of each image's two embeddings; `p1` is the first percentile, `p50` the median. Rounded so that machines agree.
    """

    protocol: str
    data_sha256: Sha256
    images: Count
    identities: Count
    kept: tuple[KeptTar, ...]
    rank1: Share
    reference_rank1: Share
    equal_error_rate: Share
    reference_equal_error_rate: Share
    drift_far: Share
    threshold_drift: Annotated[float, Bounds(-2, 2)]
    min_cosine: Cosine
    p1_cosine: Cosine
    p50_cosine: Cosine
