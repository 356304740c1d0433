"""What a gallery holds: people, and the model that made each of their templates."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from runtime_py import manifest
from runtime_py.errors import (
    GalleryDimensionError,
    GalleryError,
    GalleryModelError,
    GalleryNameError,
    GalleryNormalisationError,
    GalleryVectorError,
)

Vectors = npt.NDArray[np.float32]

LENGTH_TOLERANCE = 1e-3
"""How far from 1 a template's length may be; it moves a similarity by no more than that. Rounding to float32 gives 1e-7."""
MAX_NAME_BYTES = 255
ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""A person's id, a UUID in lower case."""
LATEST = 2**53 - 1
"""The latest time that something was made at: whole numbers up to it are the same in every language."""
MAX_SIZE = 4096


@dataclass(frozen=True)
class TemplateModel:
    """The model that made a template: sha256 of the .tflite that runs, the variant's name, numbers in an embedding.

    Templates of different models are not to be compared, not even of two variants of one net: their sha256 differ. Two models are
    equal where their sha256 are; what the variant is called does not matter.
    """

    sha256: str
    variant: str = field(compare=False)
    size: int = field(compare=False)

    def __post_init__(self) -> None:
        if not (isinstance(self.sha256, str) and re.fullmatch("[0-9a-f]{64}", self.sha256)):
            raise GalleryModelError(
                f"model: expected a sha256 of 64 hexadecimal digits in lower case, got {self.sha256!r:.80}; take the manifest's"
            )
        if not (isinstance(self.variant, str) and re.fullmatch("[a-z0-9][a-z0-9._-]{0,254}", self.variant)):
            raise GalleryModelError(f"model: expected a variant's name of a-z, 0-9, '.', '_', '-', got {self.variant!r}")
        if not (isinstance(self.size, int) and 1 <= self.size <= MAX_SIZE):
            raise GalleryModelError(f"model: expected an embedding of 1 to {MAX_SIZE} numbers, got {self.size}")

    @classmethod
    def of(cls, variant: manifest.Variant) -> TemplateModel:
        """The model that a bundle's variant is."""
        return cls(variant.sha256, variant.name, variant.output.shape[-1])

    def __str__(self) -> str:
        return f"{self.variant} {self.sha256[:16]}… [{self.size}]"


@dataclass(frozen=True)
class Template:
    """Where a template comes from, without its numbers. `created`: milliseconds since 1970 UTC."""

    model: TemplateModel
    created: int


@dataclass(frozen=True)
class Person:
    """Somebody who is enrolled. `id` is a random UUID that stays the same whatever the name; `created`: milliseconds since
    1970 UTC; `metadata` is the caller's own."""

    id: str
    name: str
    created: int
    templates: tuple[Template, ...] = field(repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)

    def has(self, model: TemplateModel) -> bool:
        """Whether a template of `model` is among theirs."""
        return any(template.model == model for template in self.templates)


Row = tuple[TemplateModel, int, Vectors]
"""A template with its numbers: its model, when it was made (milliseconds since 1970 UTC), float32 `[D]`."""
Entry = tuple[Person, Sequence[Row]]
"""A person and their templates."""


def is_text(value: object) -> bool:
    """Whether it is text that UTF-8 can write: without half of a character (a lone surrogate)."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def check_name(name: str) -> str:
    """`name` without white space around it, in Unicode's normal form C, so that what looks the same is the same.

    Error: GalleryNameError, without the name itself, since messages end up in logs.
    """
    if not isinstance(name, str):
        raise GalleryNameError(f"name: expected text, got {type(name).__name__}")
    normal = unicodedata.normalize("NFC", name.strip())
    odd = next((c for c in normal if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs")), None)
    if odd is not None:
        raise GalleryNameError(f"name: expected 1 to {MAX_NAME_BYTES} bytes of UTF-8 on one line, got U+{ord(odd):04X} in it")
    size = len(normal.encode())
    if not 1 <= size <= MAX_NAME_BYTES:
        raise GalleryNameError(f"name: expected 1 to {MAX_NAME_BYTES} bytes of UTF-8 on one line, got {size} bytes")
    return normal


def check_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """`metadata` as a dictionary of its own. Error: GalleryNameError where it is not text by text that UTF-8 can write."""
    for text in [*metadata.keys(), *metadata.values()]:
        if not is_text(text):
            raise GalleryNameError("metadata: expected text by name, got something else or half of a character (a lone surrogate)")
    return dict(metadata)


def check_templates(templates: npt.NDArray[np.floating], model: TemplateModel) -> Vectors:
    """`templates` `[D]` or `[T, D]` as float32 `[T, D]`.

    Errors: GalleryDimensionError, GalleryVectorError, GalleryNormalisationError.
    """
    rows = np.asarray(templates)
    if rows.dtype.kind != "f" or rows.ndim not in (1, 2):
        raise GalleryVectorError(f"template: expected a float array [D] or [T, D], got {rows.dtype} {list(rows.shape)}")
    rows = np.ascontiguousarray(np.atleast_2d(rows), "<f4")
    if len(rows) == 0:
        raise GalleryVectorError("template: expected at least one, got none")
    if rows.shape[1] != model.size:
        raise GalleryDimensionError(f"template: expected {model.size} numbers, as {model} gives, got {rows.shape[1]}")
    lengths = np.sqrt((rows.astype(np.float64) ** 2).sum(1))
    if not np.isfinite(lengths).all():
        raise GalleryVectorError("template: expected finite numbers, got NaN or infinity; embed the face again")
    worst = float(lengths[np.abs(lengths - 1).argmax()])
    if abs(worst - 1) > LENGTH_TOLERANCE:
        raise GalleryNormalisationError(
            f"template: expected length 1 (within {LENGTH_TOLERANCE}), got {worst:g}; give the embedding as the embedder gives it"
        )
    return rows


def check_entries(entries: Iterable[Entry]) -> list[Entry]:
    """`entries` with names, metadata and templates as they are kept. What is taken in here can be exported again.

    Errors: GalleryError for an id or a time that is none; GalleryNameError; those of `check_templates`.
    """
    return [_checked_entry(person, templates) for person, templates in entries]


def _checked_entry(person: Person, templates: Sequence[Row]) -> Entry:
    if not (isinstance(person.id, str) and re.fullmatch(ID, person.id)):
        raise GalleryError("person: expected an id that is a UUID in lower case, got another; take that of the gallery they come from")
    for created in (person.created, *(created for _, created, _ in templates)):
        if not (isinstance(created, int) and 0 <= created <= LATEST):
            raise GalleryError(f"person: expected times of 0 to {LATEST} milliseconds since 1970 UTC, got {created!r:.40}")
    if not templates:
        raise GalleryVectorError("template: expected at least one, got none")
    checked = dataclasses.replace(person, name=check_name(person.name), metadata=check_metadata(person.metadata))
    return checked, [(model, created, check_templates(vector, model)[0]) for model, created, vector in templates]
