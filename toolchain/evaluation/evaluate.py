"""Accuracy in face terms: a pairs file by folds, or labelled folders, for weights and for each variant of a bundle.

What is measured on labelled folders of a bundle's variants beside it is in toolchain/evaluation/measure.py: face terms and thresholds.

Protocol of verification: one embedding an image, no mirror image, L2-normalised, compared by cosine. With a pairs file in
LFW's form: accuracy by folds (each fold by the threshold of the others), mean ± standard deviation over the folds. Without
one: all pairs of the labelled images, and identification among them (toolchain/data/identification.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from runtime_py.bundle import Bundle
from runtime_py.embedder import Embedder
from runtime_py.manifest import Accuracy, InputContract
from toolchain.data import protocols
from toolchain.data.faces import Faces, is_aside
from toolchain.data.identification import Identification, Share, identify
from toolchain.data.protocols import FoldAccuracy, Rate
from toolchain.errors import DataError
from toolchain.evaluation.bootstrap import MOST_GENUINE, MOST_IMPOSTORS, Comparisons
from toolchain.kept import KeptBytes, key_of
from toolchain.load import load_model
from toolchain.machine import machine
from toolchain.progress import Progress

Floats = npt.NDArray[np.float32]

FALSE_ACCEPT_RATES = (1e-2, 1e-3, 1e-4)


@dataclass(frozen=True)
class Evaluation:
    """What was measured, on which data (`data_sha256`: names, pixels and pairs), by which protocol.

    `accuracy` is there with a pairs file, `identification` without one; `rates` are those that the impostors are enough for.
    """

    protocol: str
    data_sha256: str
    images: int
    identities: int
    genuine: int
    impostors: int
    accuracy: FoldAccuracy | None
    rates: tuple[Rate, ...]
    equal_error_rate: float
    identification: Identification | None

    def record(self) -> list[Accuracy]:
        """The figures as a manifest states them, rounded to 5 decimals: less than a pair of LFW's 6,000 is."""
        return self.verification() + [self._row(what, found.value) for what, found in self.identified()]

    def verification(self) -> list[Accuracy]:
        """Those of pairs of images."""
        rows = []
        if self.accuracy is not None:
            rows.append(self._row("accuracy", self.accuracy.mean, self.accuracy.std))
        rows += [self._row(f"TAR at FAR {rate.far:g}", rate.tar) for rate in self.rates]
        rows.append(self._row("equal error rate", self.equal_error_rate))
        return rows

    def identified(self) -> list[tuple[str, Share]]:
        """(protocol, share with its interval) of every figure of identification."""
        if self.identification is None:
            return []
        found = [("rank-1 identification", self.identification.rank1)]
        if self.identification.nearest_one is not None:
            found.append(("nearest class centre (NearestOne)", self.identification.nearest_one))
        return found + [(f"open set, TPIR at FPIR {item.fpir:g}", item.tpir) for item in self.identification.open_set]

    def _row(self, what: str, value: float, std: float | None = None) -> Accuracy:
        return Accuracy(f"{self.protocol}: {what}", self.data_sha256, round(value, 5), None if std is None else round(std, 5))

    def describe(self) -> dict[str, Any]:
        """As JSON values, with thresholds."""
        return {
            "protocol": self.protocol,
            "data_sha256": self.data_sha256,
            "images": self.images,
            "identities": self.identities,
            "pairs": {"genuine": self.genuine, "impostor": self.impostors},
            "accuracy": None if self.accuracy is None else asdict(self.accuracy),
            "tar_at_far": [asdict(rate) for rate in self.rates],
            "equal_error_rate": self.equal_error_rate,
            "rank1": None if self.identification is None else self.identification.rank1.value,
            "identification": None if self.identification is None else asdict(self.identification),
        }


def evaluate(embeddings: Floats, faces: Faces, pairs_file: Path | None = None) -> Evaluation:
    """Evaluates L2-normalised `embeddings` `[N, D]` of `faces`, by `pairs_file` or, without one, by their identities.

    Errors: DataError where a pair's image is missing, or where no identity has two images.
    """
    identities = len(set(faces.identities))
    if pairs_file is not None:
        pairs = protocols.read_pairs(pairs_file, faces.names)
        scores, same = protocols.pair_scores(embeddings, pairs.first, pairs.second), pairs.same
        accuracy: FoldAccuracy | None = protocols.fold_accuracy(scores, same, pairs.fold)
        folds = int(pairs.fold.max()) + 1
        each = len(same) // folds // 2
        protocol = f"{pairs_file.stem}, {folds} folds of {each} + {each} pairs, cosine, no flip"
        identification = None
        data = hashlib.sha256((faces.fingerprint() + hashlib.sha256(pairs_file.read_bytes()).hexdigest()).encode()).hexdigest()
    else:
        if not 1 < identities < len(faces):
            counts = f"{len(faces)} images of {identities} identities"
            raise DataError(f"expected two identities, one of them with two images, got {counts}; give labelled folders or a pairs file")
        comparisons = Comparisons.of(faces.identities)
        same = comparisons.same
        scores, accuracy = comparisons.scores(embeddings), None
        protocol = all_pairs_protocol(faces, comparisons)
        identification = identify(embeddings, faces.labels, faces.names)
        data = faces.fingerprint()
    rates = [protocols.tar_at_far(scores, same, far) for far in FALSE_ACCEPT_RATES]
    return Evaluation(
        protocol,
        data,
        len(faces),
        identities,
        int(same.sum()),
        int((~same).sum()),
        accuracy,
        tuple(rate for rate in rates if rate is not None),
        protocols.equal_error_rate(scores, same),
        identification,
    )


def all_pairs_protocol(faces: Faces, comparisons: Comparisons) -> str:
    """The name of the protocol that compares labelled images with each other; it says where all were kept aside from training."""
    aside = " kept aside" if all(is_aside(identity) for identity in faces.identities) else ""
    impostors, genuine = int((~comparisons.same).sum()), int(comparisons.same.sum())
    drawn = f" ({MOST_IMPOSTORS} impostors drawn)" if impostors == MOST_IMPOSTORS else ""
    drawn += f" ({MOST_GENUINE} genuine drawn)" if genuine == MOST_GENUINE else ""
    return f"all pairs of {int(comparisons.people.max()) + 1} identities{aside}{drawn}, cosine, no flip"


def of_weights(path: Path, contract: InputContract | None, faces: Faces) -> Iterator[tuple[str, Floats]]:
    """(name, embeddings `[N, D]`) of a weights file. Errors: DataError."""
    model = load_model(path, contract)
    _check_size(path, faces, model.input)
    pixels = torch.from_numpy(np.ascontiguousarray(faces.images)).permute(0, 3, 1, 2)
    yield path.stem, model.embed(pixels).numpy()


def of_bundle(
    bundle: Bundle, variant: str, faces: Faces, progress: Progress, kept: KeptBytes | None = None
) -> Iterator[tuple[str, Floats]]:
    """(name, embeddings `[N, D]`) of a bundle's variant, or of each for `all`, by the runtime that a device has. `kept`: where
    they are kept by content.

    Errors: BundleVariantError where there is no such variant; DataError where the images are of another size.
    """
    _check_size(Path(bundle.source), faces, bundle.manifest.preprocessing.input)
    data = faces.fingerprint() if kept is not None else ""
    for name in bundle.variants if variant == "all" else (bundle.variant(variant).name,):
        embedder = Embedder(bundle.variant(name), bundle.manifest.preprocessing.input, bundle.model(name))
        yield name, of_embedder(embedder, faces, data, progress, kept)


def of_embedder(embedder: Embedder, faces: Faces, data: str, progress: Progress, kept: KeptBytes | None = None) -> Floats:
    """Embeddings `[N, D]` of `faces`, whose fingerprint is `data`."""

    def embed() -> bytes:
        images = progress.track(faces.images, f"embedding by {embedder.variant.name}", len(faces))
        return np.stack([embedder.embed(image) for image in images]).tobytes()

    if kept is None:
        return _floats(embed(), len(faces))
    runtime = f"{embedder.interpreter.runtime} {embedder.interpreter.version}"
    contract = asdict(embedder.contract)
    key = key_of(made="embeddings", tflite=embedder.variant.sha256, contract=contract, faces=data, runtime=runtime, machine=machine())
    return _floats(kept.get(key, embed), len(faces))


def _floats(data: bytes, rows: int) -> Floats:
    return np.frombuffer(data, np.float32).reshape(rows, -1)


def _check_size(path: Path, faces: Faces, contract: InputContract) -> None:
    size = faces.images.shape[1:3]
    if size != (contract.height, contract.width):
        raise DataError(f"{path}: takes aligned faces of {contract.height} x {contract.width}, got {size[0]} x {size[1]}; align them first")
