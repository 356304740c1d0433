"""Enrols and identifies people from photographs: a recognizer and a gallery together."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from runtime_py import matching
from runtime_py.errors import (
    FaceError,
    FaceQualityError,
    GalleryDuplicateError,
    ImageError,
    NoFaceError,
    PocketFaceError,
    SeveralFacesError,
    SourceError,
)
from runtime_py.gallery.interface import PeopleGallery
from runtime_py.gallery.people import Person, TemplateModel, check_name
from runtime_py.image import Pixels, check_photograph, read_image
from runtime_py.landmarks import Marked, faces_of
from runtime_py.manifest import Threshold
from runtime_py.photographs import Named
from runtime_py.quality import Quality, quality
from runtime_py.recognizer import Face, Recognizer

Source = Named | str | os.PathLike[str] | npt.NDArray[np.uint8] | Marked
"""A photograph: a file, what `photographs.images` gives, pixels `[H, W, 3]` uint8 RGB, or one in which another detector found faces."""

DEFAULT_FPIR = 0.01
"""The share of people who are not enrolled and are taken for somebody who is, that a search accepts unless told otherwise."""


class FaceFinder(Protocol):
    """Another detector, such as `runtime_py.yunet.YuNet`."""

    def faces(self, photograph: Pixels) -> tuple[Face, ...]:
        """The faces of `photograph` `[H, W, 3]` uint8 RGB, largest first."""


@dataclass(frozen=True)
class Refused:
    """A photograph that nobody was enrolled from: its name, the error's code and the reason."""

    name: str
    code: str
    reason: str


@dataclass(frozen=True)
class Enrolment:
    """Who was enrolled, from which photographs, and which were refused."""

    person: Person
    used: tuple[str, ...]
    refused: tuple[Refused, ...]


@dataclass(frozen=True, eq=False)
class Identified:
    """A face of a photograph: `candidates` are the most similar people with their similarity, best first, and `person` is the
    best where it reaches the threshold."""

    face: Face
    quality: Quality
    candidates: tuple[tuple[Person, float], ...]
    threshold: Threshold

    @property
    def person(self) -> Person | None:
        """Who it is; None: nobody who is enrolled."""
        best = self.candidates[:1]
        return best[0][0] if best and best[0][1] >= self.threshold.similarity else None


class Identifier:
    """One variant of a bundle and one gallery. May be shared between threads.

    Levels of one net share a gallery: their templates all count as the whole net's, and are compared by thresholds that hold
    whichever level made them.
    """

    def __init__(self, recognizer: Recognizer, gallery: PeopleGallery, finder: FaceFinder | None = None) -> None:
        """`finder` finds faces in place of the bundle's detector."""
        self.recognizer, self.gallery, self.finder = recognizer, gallery, finder
        bundle, variant = recognizer.bundle, recognizer.variant
        self.model = TemplateModel.of(bundle.template_variant(variant))
        self._judged = dataclasses.replace(variant, thresholds=bundle.shared_thresholds(variant))

    def enrol(
        self,
        name: str,
        photographs: Sequence[Source],
        metadata: Mapping[str, str] | None = None,
        again: bool = False,
    ) -> Enrolment:
        """Enrols somebody from photographs of one face each, a template a photograph; what is not good enough is refused with
        the reason, and at least one must do. `again`: somebody who is enrolled, whose templates are all replaced and whose metadata
        stay.

        Errors: SourceError where `photographs` is no list; FaceQualityError where no photograph will do; GalleryDuplicateError where the
        name, or at a false match rate of `matching.DEFAULT_FMR` the face, is somebody else's; those of the gallery.
        """
        if not isinstance(photographs, Sequence) or isinstance(photographs, str | bytes):
            raise SourceError(f"photographs: expected a list of them, got {type(photographs).__name__}; put it into a list")
        used, rows, refused = [], [], []
        for number, photograph in enumerate(photographs):
            called = _name(photograph, number)
            try:
                rows.append(self.recognizer.embed(self.only_face(photograph)))
                used.append(called)
            except (FaceError, ImageError, SourceError) as error:
                refused.append(Refused(called, error.code, str(error)))
        if not rows:
            reasons = "; ".join(f"{item.name}: {item.reason}" for item in refused) or "none was given"
            raise FaceQualityError(f"expected a photograph of one face that is good enough to enrol from, got {reasons}")
        templates = np.stack(rows)
        self._refuse_somebody_else(name, templates, again)
        change: Callable[[], Person] = (
            (lambda: self.gallery.re_enrol(self.gallery.named(name).id, templates, self.model))
            if again
            else (lambda: self.gallery.enrol(name, templates, self.model, metadata))
        )
        return Enrolment(change(), tuple(used), tuple(refused))

    def identify(self, photograph: Source, fpir: float = DEFAULT_FPIR, top: int = 5) -> tuple[Identified, ...]:
        """Whose faces are in a photograph, largest first: the `top` most similar people to each, at the false positive
        identification rate `fpir` for a gallery of this size.

        Errors: those of `Recognizer.faces`; ThresholdError where the manifest's thresholds don't reach that far; GalleryError.
        """
        pixels, faces = self._seen(photograph)
        threshold = matching.threshold_in_search(self._judged, fpir, self.gallery.count(self.model))
        return tuple(
            Identified(
                face,
                quality(pixels, face, self.recognizer.bundle.manifest),
                tuple(self.gallery.search(self.recognizer.embed(face), self.model, top)),
                threshold,
            )
            for face in faces
        )

    def only_face(self, photograph: Source) -> Face:
        """The one face of a photograph that is good enough to enrol from. Errors: SeveralFacesError, FaceQualityError; those of
        `Recognizer.faces`."""
        pixels, faces = self._seen(photograph)
        if len(faces) > 1:
            raise SeveralFacesError(f"expected one face, found {len(faces)}; crop the photograph to whom it is to enrol")
        found = quality(pixels, faces[0], self.recognizer.bundle.manifest)
        if not found.good_enough:
            raise FaceQualityError(found.reason)
        return faces[0]

    def _seen(self, photograph: Source) -> tuple[Pixels, tuple[Face, ...]]:
        """A photograph and its faces, one at least."""
        if isinstance(photograph, Marked):
            pixels, faces = photograph.pixels, faces_of(photograph, self.recognizer.bundle.manifest.preprocessing)
        else:
            pixels = _pixels(photograph)
            faces = self.recognizer.faces(pixels) if self.finder is None else self.finder.faces(pixels)
        if not faces:
            raise NoFaceError("expected a face, found none")
        return pixels, faces

    def _refuse_somebody_else(self, name: str, templates: np.ndarray, again: bool) -> None:
        """A face that is enrolled under another name is most likely a mistake, and would match as either."""
        try:
            threshold = matching.threshold_at(self._judged)
        except PocketFaceError:
            return  # a variant without thresholds cannot say who is alike
        if not self.gallery.count(self.model):
            return
        for row in templates:
            for person, similarity in self.gallery.search(row, self.model, top=2):
                if similarity < threshold:
                    continue
                if person.name != check_name(name):
                    raise GalleryDuplicateError(
                        "expected a face that nobody is enrolled with, got one that matches somebody under another name; "
                        "delete or rename them first"
                    )
                if not again:
                    raise GalleryDuplicateError("expected somebody who is not enrolled, got one who is, by that name; enrol them again")


def _name(photograph: Source, number: int) -> str:
    if isinstance(photograph, Named | Marked):
        return photograph.name
    return f"photograph {number}" if isinstance(photograph, np.ndarray) else str(photograph)


def _pixels(photograph: Named | str | os.PathLike[str] | npt.NDArray[np.uint8]) -> Pixels:
    if isinstance(photograph, np.ndarray):
        return check_photograph(photograph)
    named = photograph if isinstance(photograph, Named) else Named(str(photograph), Path(photograph))
    return read_image(named.data, named.name)
