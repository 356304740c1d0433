"""What is measured of each variant on labelled faces: its face terms against fp32, and its thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runtime_py.bundle import Bundle
from toolchain.convert.fp32 import Fp32
from toolchain.data.faces import Faces
from toolchain.errors import DataError
from toolchain.evaluation import face_terms
from toolchain.evaluation.accuracies import Measured
from toolchain.evaluation.bootstrap import Bootstrap, Comparisons
from toolchain.evaluation.evaluate import Floats, all_pairs_protocol, of_bundle
from toolchain.evaluation.thresholds import calibrate
from toolchain.kept import KeptBytes
from toolchain.progress import Progress

LEAST_IMPOSTORS = 100
"""Fewer comparisons of different people say nothing at the highest false match rate, 1e-2."""


class Measurement:
    """Labelled faces, ready to measure embeddings of them."""

    def __init__(self, faces: Faces) -> None:
        """Error: DataError where they are too few to measure anything: two people with images of their own, and enough to compare."""
        self.comparisons = Comparisons.of(faces.identities)
        impostors = int((~self.comparisons.same).sum())
        if impostors < LEAST_IMPOSTORS or not self.comparisons.same.any():
            counts = f"{len(faces)} images of {len(set(faces.identities))} people, {impostors} comparisons of different people"
            raise DataError(
                f"faces: expected {LEAST_IMPOSTORS} comparisons of different people and two images of one, got {counts}; give more"
            )
        self.faces = faces
        self.data_sha256 = faces.fingerprint()
        self.bootstrap = Bootstrap(self.comparisons)

    def reference(self, embeddings: Floats) -> face_terms.Reference:
        """fp32, by its `embeddings` `[N, D]`."""
        return face_terms.Reference(embeddings, self.bootstrap)

    def thresholds(self, embeddings: Floats) -> Measured:
        """Calibrates the variant of `embeddings` `[N, D]`."""
        found = calibrate(self.comparisons.scores(embeddings), self.bootstrap, self.data_sha256)
        return Measured(thresholds=found.thresholds, thresholds_left_out=found.left_out)

    def measure(self, embeddings: Floats, reference: face_terms.Reference | None) -> Measured:
        """Thresholds, and face terms where there is a reference."""
        found = self.thresholds(embeddings)
        if reference is None:
            return found
        terms = face_terms.compare(embeddings, reference, self.data_sha256, all_pairs_protocol(self.faces, self.comparisons))
        return found if terms is None else found.updated(Measured(face_terms=(terms,)))


def measure_bundle(
    bundle: Bundle, embedded: Iterable[tuple[str, Floats]], measurement: Measurement, progress: Progress, kept: KeptBytes
) -> Iterator[tuple[str, Measured]]:
    """(name, figures) of each variant that was `embedded`. Without an fp32 variant in the bundle there are no face terms."""
    reference = None
    if Fp32.name in bundle.variants:
        ((_, rows),) = of_bundle(bundle, Fp32.name, measurement.faces, progress, kept)
        reference = measurement.reference(rows)
    for name, rows in embedded:
        progress.say(f"{name}: face terms and thresholds")
        yield name, measurement.measure(rows, reference)
