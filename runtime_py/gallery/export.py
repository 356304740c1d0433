"""People in one sealed file, to take them from one gallery to another: docs/people-file.md.

The key comes from a passphrase by scrypt (RFC 7914), the file is sealed by AES-256-GCM (NIST SP 800-38D), both of the
`cryptography` package (`pip install 'pocketface[gallery]'`).
"""

from __future__ import annotations

import base64
import json
import os
import struct
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from runtime_py import output, typed_json
from runtime_py.errors import (
    GalleryAuthenticationError,
    GalleryError,
    GalleryFormatError,
    GalleryKeyError,
    GalleryLimitError,
    GalleryReadError,
    GalleryVersionError,
    GalleryWriteError,
    SourceError,
)
from runtime_py.gallery.interface import PeopleGallery
from runtime_py.gallery.people import ID, LATEST, Entry, Person, TemplateModel
from runtime_py.gallery.store import Merged, Taken
from runtime_py.regular import read_regular
from runtime_py.typed_json import Bounds, Items, Pattern

MAGIC, VERSION = b"PFPE", 1
_HEADER = struct.Struct("<4sHHBBBx16s12sI")
"""Magic, version, zero, log2 N, r, p, padding, salt, nonce, bytes of the body. All of it is authenticated."""
_TAG = 16
_LOG2_N, _R, _P = 15, 8, 1
"""32 MiB and about 0.1 s: RFC 7914, section 2, and twice OWASP's least."""
_MOST_LOG2_N, _MOST_R, _MOST_P = 18, 8, 4
"""256 MiB: a file may ask for no more before it is known to be one of ours."""
MAX_BODY = 1 << 30

Count = Annotated[int, Bounds(0, LATEST)]


@dataclass(frozen=True)
class _Template:
    model: Count
    created: Count
    vector: str
    """float32, little-endian, in base64."""


@dataclass(frozen=True)
class _Person:
    id: Annotated[str, Pattern(ID)]
    name: str
    created: Count
    metadata: Mapping[str, str]
    templates: Annotated[tuple[_Template, ...], Items(1)]


@dataclass(frozen=True)
class _Model:
    sha256: str
    variant: str
    size: Count


@dataclass(frozen=True)
class _People:
    models: tuple[_Model, ...]
    people: tuple[_Person, ...]


def export_people(gallery: PeopleGallery, path: str | os.PathLike[str], passphrase: str) -> int:
    """Writes everybody to `path`, whole or not at all, sealed with `passphrase`; returns how many.

    Errors: GalleryLimitError for more people than a file may hold, `MAX_BODY` bytes; GalleryKeyError for an empty passphrase or without
    `cryptography`; GalleryWriteError.
    """
    entries = gallery.entries()
    sealed = seal(_encoded(entries), passphrase)
    try:
        output.write(Path(path), sealed)
    except SourceError as error:
        raise GalleryWriteError(str(error)) from None
    return len(entries)


def import_people(gallery: PeopleGallery, path: str | os.PathLike[str], passphrase: str, taken: Taken = "refuse") -> Merged:
    """Takes in everybody from `path`, all or nobody; `taken` as in `Gallery.merge`.

    Errors: GalleryReadError; GalleryFormatError, GalleryVersionError for what is no such file; GalleryAuthenticationError where
    it was changed or the passphrase is another; GalleryLimitError where scrypt finds too little memory; those of `Gallery.merge`.
    """
    path = Path(path)
    data = read_regular(path, "a file of people (.pfpeople)", _HEADER.size + MAX_BODY + _TAG, GalleryReadError)
    return gallery.merge(_decoded(path, unseal(path, data, passphrase)), taken)


def seal(body: bytes, passphrase: str, log2_n: int = _LOG2_N) -> bytes:
    """The whole file that holds `body`, by a key that costs 2^`log2_n` KiB. Errors: GalleryLimitError, GalleryKeyError."""
    if len(body) > MAX_BODY:  # no reader would take the file
        raise GalleryLimitError(
            f"expected at most {MAX_BODY} bytes of people to export, got {len(body)}; nothing was written, copy the gallery's own file"
        )
    header = _HEADER.pack(MAGIC, VERSION, 0, log2_n, _R, _P, os.urandom(16), os.urandom(12), len(body))
    cipher, _ = _cipher(header, passphrase)
    return header + bytes(cipher.encrypt(header[28:40], body, header))


def unseal(path: Path, data: bytes, passphrase: str) -> bytes:
    """What `seal` sealed. Errors: GalleryFormatError, GalleryVersionError, GalleryAuthenticationError, GalleryLimitError,
    GalleryKeyError."""
    if len(data) < _HEADER.size or data[:4] != MAGIC:
        raise GalleryFormatError(f"{path}: expected a file of exported people, got another file")
    _, version, zero, log2_n, r, p, _, _, size = _HEADER.unpack_from(data)
    if version != VERSION:
        raise GalleryVersionError(f"{path}: expected version {VERSION}, got {version}; update pocketface")
    bounded = 10 <= log2_n <= _MOST_LOG2_N and 1 <= r <= _MOST_R and 1 <= p <= _MOST_P
    if zero or data[11] or not bounded or size > MAX_BODY or len(data) != _HEADER.size + size + _TAG:
        raise GalleryFormatError(f"{path}: expected a whole file of exported people, got one that is damaged or cut off")
    header = data[: _HEADER.size]
    cipher, invalid_tag = _cipher(header, passphrase)
    try:
        return bytes(cipher.decrypt(header[28:40], data[_HEADER.size :], header))
    except invalid_tag:
        raise GalleryAuthenticationError(
            f"{path}: expected the passphrase that it was exported with and an unchanged file, got another passphrase or a changed file"
        ) from None


def _cipher(header: bytes, passphrase: str) -> tuple[Any, type[Exception]]:
    """The cipher with the key of `header` and `passphrase`, and what it raises where a tag is wrong. Errors: GalleryKeyError,
    GalleryLimitError."""
    try:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    except ImportError:
        raise GalleryKeyError(
            "expected the package cryptography, which seals exports, found none; pip install 'pocketface[gallery]'"
        ) from None
    secret = _secret(passphrase)
    log2_n, r, p, salt = header[8], header[9], header[10], header[12:28]
    try:
        key = Scrypt(salt=salt, length=32, n=1 << log2_n, r=r, p=p).derive(secret)
    except MemoryError:
        raise GalleryLimitError(
            f"passphrase: expected {128 * r << log2_n >> 20} MiB of memory to make the key, got less; end other programs and try again"
        ) from None
    return AESGCM(key), InvalidTag


def _secret(passphrase: str) -> bytes:
    """In Unicode's normal form C, since keyboards differ in how they write an accent."""
    try:
        secret = unicodedata.normalize("NFC", passphrase).encode()
    except UnicodeEncodeError:
        raise GalleryKeyError("passphrase: expected text, got half of a character (a lone surrogate); type it again") from None
    if not secret:
        raise GalleryKeyError("passphrase: expected at least one character, got none")
    return secret


def _encoded(entries: Sequence[Entry]) -> bytes:
    models = {model: number for number, model in enumerate(dict.fromkeys(model for _, rows in entries for model, _, _ in rows))}
    people = [
        {
            "id": person.id,
            "name": person.name,
            "created": person.created,
            "metadata": dict(person.metadata),
            "templates": [
                {"model": models[model], "created": created, "vector": base64.b64encode(vector.astype("<f4").tobytes()).decode()}
                for model, created, vector in rows
            ],
        }
        for person, rows in entries
    ]
    stated = [{"sha256": model.sha256, "variant": model.variant, "size": model.size} for model in models]
    return json.dumps({"models": stated, "people": people}, ensure_ascii=False, separators=(",", ":")).encode()


def _decoded(path: Path, body: bytes) -> list[Entry]:
    try:
        stated = typed_json.read(_People, typed_json.parse(body), "people")
        models = [TemplateModel(item.sha256, item.variant, item.size) for item in stated.models]
        return [(_person(item), [_template(row, models) for row in item.templates]) for item in stated.people]
    except (ValueError, IndexError, GalleryError):
        # What exactly is wrong stays out of the message: it would quote people's data.
        raise GalleryFormatError(f"{path}: expected people as docs/people-file.md states them, got something else") from None


def _person(stated: _Person) -> Person:
    return Person(stated.id, stated.name, stated.created, (), stated.metadata)


def _template(stated: _Template, models: Sequence[TemplateModel]) -> tuple[TemplateModel, int, Any]:
    data = base64.b64decode(stated.vector, validate=True)
    if base64.b64encode(data).decode() != stated.vector:
        raise ValueError("more than one way to write these bytes")
    return models[stated.model], stated.created, np.frombuffer(data, "<f4")
