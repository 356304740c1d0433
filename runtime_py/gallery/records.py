"""People and templates as rows of the gallery's file: how they are written, and what is asked of them when they are read."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from runtime_py.errors import GalleryDuplicateError, GalleryError, GalleryFormatError, GalleryModelError, GalleryPersonError
from runtime_py.gallery.people import Person, Row, Template, TemplateModel, check_metadata, check_name, check_templates, is_text

OTHER_BYTES = "expected the bytes that were written, got others"


def people_where(connection: sqlite3.Connection, where: str, *values: Any) -> tuple[Person, ...]:
    """Those for whom the SQL condition `where` holds, with their templates' models and times, by name."""
    rows = connection.execute(
        "SELECT people.id, name, people.created, metadata, sha256, variant, size, templates.created FROM people "
        "LEFT JOIN templates ON templates.person = people.number LEFT JOIN models ON models.id = templates.model "
        f"{where} ORDER BY name, templates.number",
        values,
    )
    found: dict[str, tuple[Person, list[Template]]] = {}
    for key, name, created, metadata, sha256, variant, size, at in rows:
        if key not in found:
            found[key] = checked_person(key, name, created, metadata), []
        if sha256 is not None:
            found[key][1].append(Template(TemplateModel(sha256, variant, size), at))
    return tuple(dataclasses.replace(person, templates=tuple(templates)) for person, templates in found.values())


def checked_person(key: Any, name: Any, created: Any, metadata: Any) -> Person:
    """A row of people, without their templates. Error: GalleryFormatError where it is not what `enrol` would have written."""
    try:
        if not (isinstance(key, str) and isinstance(name, str) and isinstance(created, int) and check_name(name) == name):
            raise ValueError("expected an id, a name as names are kept, and a time")
        stated = json.loads(metadata)
        if not isinstance(stated, dict):
            raise ValueError("expected metadata as text by name")
        return Person(key, name, created, (), check_metadata(stated))
    except (ValueError, TypeError, RecursionError, GalleryError):
        # What exactly is wrong stays out of the message: it would quote people's data.
        raise GalleryFormatError(
            f"person {key!r:.40}: expected id, name, time and metadata as they were written, got others; restore a copy or an export"
        ) from None


def person_of(connection: sqlite3.Connection, number: int) -> Person:
    """The person of that row number, which another row names. Error: GalleryFormatError where there is none."""
    found = people_where(connection, "WHERE people.number = ?", number)
    if not found:
        raise GalleryFormatError("expected the person that a row refers to, found nobody; restore a copy or an export")
    return found[0]


def number_of(connection: sqlite3.Connection, id: str) -> int:
    """The row number of the person of that id. Error: GalleryPersonError where there is none."""
    row = connection.execute("SELECT number FROM people WHERE id = ?", (id,)).fetchone() if is_text(id) else None
    if row is None:
        raise GalleryPersonError("expected the id of somebody who is enrolled, got another; list the people to see who is")
    return int(row[0])


def check_free(connection: sqlite3.Connection, name: str) -> None:
    """Error: GalleryDuplicateError where somebody has the name."""
    if connection.execute("SELECT 1 FROM people WHERE name = ?", (name,)).fetchone() is not None:
        raise GalleryDuplicateError("expected a name that nobody has, got one that is taken; give another, or add to that person")


def enrol(
    connection: sqlite3.Connection,
    name: str,
    key: str,
    created: int,
    metadata: dict[str, str],
    templates: Sequence[Row],
) -> Person:
    """Writes a person and their templates. Errors: GalleryDuplicateError where somebody has the name or
    the id `key`; those of `add`."""
    check_free(connection, name)
    if connection.execute("SELECT 1 FROM people WHERE id = ?", (key,)).fetchone() is not None:
        raise GalleryDuplicateError("expected somebody who is not enrolled, got one who is, by another name; delete or rename them first")
    row = (key, name, created, json.dumps(metadata, sort_keys=True))
    number = connection.execute("INSERT INTO people (id, name, created, metadata) VALUES (?, ?, ?, ?)", row).lastrowid
    assert number is not None
    add(connection, number, templates)
    return person_of(connection, number)


def add(connection: sqlite3.Connection, person: int, templates: Sequence[Row]) -> None:
    """Writes templates of the person of that row number. Error: GalleryModelError where the same model's have another size."""
    for model, created, vector in templates:
        values = (model.sha256, model.variant, model.size)
        connection.execute("INSERT OR IGNORE INTO models (sha256, variant, size) VALUES (?, ?, ?)", values)
        found, size = connection.execute("SELECT id, size FROM models WHERE sha256 = ?", values[:1]).fetchone()
        if size != model.size:
            raise GalleryModelError(f"expected templates of {size} numbers, as those of {model} here are, got {model.size}")
        blob = vector.astype("<f4").tobytes()
        connection.execute(
            "INSERT INTO templates (person, model, created, vector, crc32) VALUES (?, ?, ?, ?, ?)",
            (person, found, created, blob, zlib.crc32(blob)),
        )


def note_removal(connection: sqlite3.Connection, count: int) -> None:
    """Tells every index, of other processes too, that what it holds may be gone."""
    if count:
        connection.execute("UPDATE removals SET count = count + 1")


def vectors_of(connection: sqlite3.Connection, person: int) -> Iterator[Row]:
    """The templates of the person of that row number, oldest first. Error: GalleryFormatError for a damaged one."""
    rows = connection.execute(
        "SELECT vector, crc32, created, sha256, variant, size FROM templates JOIN models ON models.id = templates.model "
        "WHERE person = ? ORDER BY number",
        (person,),
    ).fetchall()
    for blob, crc32, created, *model in rows:
        reason = wrong(blob, crc32, model)
        if reason is not None:
            raise damaged(connection, person, reason)
        yield TemplateModel(*model), created, np.frombuffer(blob, "<f4")


def wrong(blob: bytes, crc32: int, model: Sequence[Any]) -> str | None:
    """What is wrong with a stored template; None where nothing is."""
    if not isinstance(blob, bytes) or zlib.crc32(blob) != crc32:
        return OTHER_BYTES
    try:
        check_templates(np.frombuffer(blob, "<f4"), TemplateModel(*model))
    except (ValueError, GalleryError) as error:
        return str(error)
    return None


def damaged(connection: sqlite3.Connection, person: int, reason: str) -> GalleryFormatError:
    """Says whose template it is, by the id: names stay out of logs."""
    (key,) = connection.execute("SELECT id FROM people WHERE number = ?", (person,)).fetchone() or ("that is gone",)
    return GalleryFormatError(f"person {key}: a template: {reason}; the gallery's check finds all such; forget and enrol them again")
