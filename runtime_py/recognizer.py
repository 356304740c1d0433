"""Recognizer: a loaded bundle that finds, aligns, embeds and compares faces."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from runtime_py import manifest, matching
from runtime_py.aligner import align
from runtime_py.budget import widest_within
from runtime_py.bundle import Bundle
from runtime_py.detector import Detection, Detector
from runtime_py.embedder import Embedder, Embeddings
from runtime_py.errors import BundleVariantError, ImageArrayError, NoDetectorError, NoFaceError
from runtime_py.image import Pixels, check_photograph, describe_array, read_image

Photograph = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[np.uint8]
"""A file, an encoded image's bytes, a Pillow image, or pixels `[H, W, 3]` uint8 RGB."""


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a photograph: `detection` says where, `crop` `[H, W, 3]` uint8 RGB is it aligned to the model's template."""

    detection: Detection
    crop: Pixels


class Finder:
    """Finds and aligns faces as a manifest states. May be shared between threads."""

    def __init__(self, settings: manifest.Detector, preprocessing: manifest.Preprocessing, tflite: bytes, threads: int = 1) -> None:
        """`tflite` is the model of `settings`, whose template is one of `preprocessing`. Errors: ModelRunError,
        RuntimeMissingError."""
        self.detector = Detector(settings, tflite, threads)
        template = next(item for item in preprocessing.templates if item.name == settings.template)
        self._rows = [settings.key_points.index(point.name) for point in template.points]
        self._template = np.array([(point.x, point.y) for point in template.points])
        self._size = (preprocessing.input.height, preprocessing.input.width)

    def faces(self, photograph: Pixels) -> tuple[Face, ...]:
        """The faces of `photograph` `[H, W, 3]` uint8 RGB, largest first; none is no error here."""
        return tuple(Face(found, self.crop(photograph, found.key_points)) for found in self.detector.find(photograph))

    def crop(self, photograph: Pixels, key_points: npt.NDArray[np.float64]) -> Pixels:
        """The aligned crop for key points `[K, 2]` in the detector's order. Error: AlignmentError."""
        return align(photograph, key_points[self._rows], self._template, *self._size)


class Recognizer:
    """One variant of a bundle, with the bundle's detector. May be shared between threads.

    `embed`, `verify` and `faces` take photographs as files, bytes, Pillow images; arrays `[H, W, 3]` are photographs to
    `faces` and aligned crops to the others.
    """

    def __init__(
        self,
        bundle: Bundle,
        variant: str | None = None,
        threads: int = 1,
        level: str | None = None,
        budget_ms: float | None = None,
    ) -> None:
        """`variant` None: the bundle's default one. `threads`: how many one inference may use. `level`: a level of the variant's net by
        its name; `budget_ms`: the widest one that embeds a face within so many milliseconds, which is measured here, once.

        Errors: BundleVariantError, PackedError, ModelRunError, RuntimeMissingError; BudgetError where no level is so fast.
        """
        self.bundle = bundle
        self.threads = threads
        self.milliseconds: float | None = None
        """What an embedding took when the level was chosen by a budget; None: it was not measured."""
        if budget_ms is None:
            chosen = bundle.variant(variant) if level is None else bundle.level(level, variant)
            self.embedder = Embedder(chosen, bundle.manifest.preprocessing.input, bundle.model(chosen.name), threads)
        elif level is None:
            self.embedder, self.milliseconds = widest_within(bundle, variant, budget_ms, threads)
        else:
            raise BundleVariantError(f"{bundle.source}: expected a level or a budget to choose one by, got both")
        self.variant = self.embedder.variant
        self._finder = finder(bundle, threads) if bundle.manifest.detector is not None else None

    @property
    def runtime(self) -> str:
        """Name and version of the TFLite runtime that runs the model."""
        return f"{self.embedder.interpreter.runtime} {self.embedder.interpreter.version}"

    def faces(self, photograph: Photograph) -> tuple[Face, ...]:
        """The faces of a photograph, largest first. Errors: NoFaceError, NoDetectorError, SourceError, ImageError."""
        if self._finder is None:
            raise NoDetectorError(f"{self.bundle.source}: expected a bundle with a detector, got one without; give aligned crops")
        found = self._finder.faces(_pixels(photograph))
        if not found:
            where = f"{photograph}: " if isinstance(photograph, str | os.PathLike) else ""
            raise NoFaceError(f"{where}expected a face, found none; a face must be upright and a tenth of the longer side or more")
        return found

    def embed(self, what: Photograph | Face | Sequence[Face]) -> Embeddings:
        """Embeddings of length 1. `[D]` of a photograph (its largest face), of one face, of an aligned crop `[H, W, 3]`; `[N, D]`
        of a sequence of faces or a batch of crops `[N, H, W, 3]`.

        Errors: those of `faces`; ImageArrayError for an array of another shape or dtype, or what is none of these; EmbeddingError for
        NaN or zeros.
        """
        if isinstance(what, np.ndarray):
            return self.embedder.embed(what)
        if isinstance(what, Face):
            return self.embedder.embed(check_photograph(what.crop))
        if isinstance(what, str | os.PathLike | bytes | Image.Image):
            return self.embedder.embed(self.faces(what)[0].crop)
        # Face by face, as the embedder runs a batch too: so each crop is held to the model's size.
        rows = [self.embedder.embed(check_photograph(face.crop)) for face in _faces(what)]
        return np.stack(rows) if rows else np.zeros((0, self.bundle.manifest.embedding.size), np.float32)

    def similarity(self, first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Cosines of embeddings: see `runtime_py.matching.similarity`."""
        return matching.similarity(first, second)

    def verify(
        self,
        first: Photograph | Face,
        second: Photograph | Face,
        fmr: float = matching.DEFAULT_FMR,
        threshold: float | None = None,
    ) -> matching.Verification:
        """Whether two faces are one person's, at the false match rate `fmr`: of so many comparisons of different people one is
        taken for one person's, by the threshold that the manifest states for this variant. A `threshold` on the similarity
        stands in its place; it holds for one variant of one model only. Errors: those of `embed`; ThresholdError."""
        least = matching.threshold_at(self.variant, fmr) if threshold is None else matching.check_threshold(threshold)
        alike = matching.similarity(self.embed(first), self.embed(second))
        if alike.ndim:
            raise ImageArrayError("verify: expected one face on each side, got several; compare those by similarity()")
        return matching.Verification(float(alike), least, fmr if threshold is None else None)


def load(
    path: str | os.PathLike[str],
    variant: str | None = None,
    threads: int = 1,
    level: str | None = None,
    budget_ms: float | None = None,
) -> Recognizer:
    """A recognizer of the bundle at `path`, which is verified whole before any native code sees a byte of it. The choices are those of
    `Recognizer`.

    Errors: BundleError, PackedError, ModelRunError, RuntimeMissingError, BudgetError.
    """
    return Recognizer(Bundle.open(path), variant, threads, level, budget_ms)


def finder(bundle: Bundle, threads: int = 1) -> Finder:
    """The bundle's detector and template. Errors: NoDetectorError, ModelRunError, RuntimeMissingError."""
    settings = bundle.manifest.detector
    if settings is None:
        raise NoDetectorError(f"{bundle.source}: expected a bundle with a detector, got one without; give aligned crops")
    return Finder(settings, bundle.manifest.preprocessing, bytes(bundle.blob(settings.file)), threads)


def _faces(what: object) -> list[Face]:
    """Error: ImageArrayError for anything but faces."""
    got = type(what).__name__
    if isinstance(what, Iterable):
        items = list(what)
        odd = [item for item in items if not isinstance(item, Face)]
        if not odd:
            return items
        got = f"{got} of {describe_array(odd[0])}"
    raise ImageArrayError(f"embed: expected a photograph, a Face or a sequence of Faces, got {got}")


def _pixels(photograph: Photograph) -> Pixels:
    if isinstance(photograph, str | os.PathLike | bytes | Image.Image):
        return read_image(photograph)
    return check_photograph(photograph)
