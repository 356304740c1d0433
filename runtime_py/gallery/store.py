"""The gallery: people and their templates in one SQLite file (https://sqlite.org/fileformat2.html).

What is acknowledged is on the disk: every change is one transaction in SQLite's rollback journal with synchronous = EXTRA, so
a crash at any moment leaves the state before it or after it. What is deleted is overwritten in the file (secure_delete). The journal
of that change holds a copy, which is deleted with the journal and not overwritten: its old blocks may stay on the disk until something
else is written there. Two processes may write: a change waits for the other's to end.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from runtime_py.errors import (
    GalleryClosedError,
    GalleryError,
    GalleryFormatError,
    GalleryModelError,
    GalleryPersonError,
    GalleryReadError,
    GalleryWriteError,
)
from runtime_py.gallery import records
from runtime_py.gallery.file import check_place, identity, nobody, opened, typed
from runtime_py.gallery.people import (
    LENGTH_TOLERANCE,
    Entry,
    Person,
    TemplateModel,
    check_entries,
    check_metadata,
    check_name,
    check_templates,
)
from runtime_py.gallery.search import Index, check_top

Taken = Literal["refuse", "skip", "replace", "add"]


def check_taken(taken: str) -> None:
    """Error: GalleryError for what is no `Taken`."""
    if taken not in get_args(Taken):
        raise GalleryError(f"taken: expected one of {', '.join(get_args(Taken))}, got {taken!r}")


@dataclass(frozen=True)
class Merged:
    """How many people were newly enrolled, skipped, replaced, and given the templates that they did not have."""

    enrolled: int
    skipped: int
    replaced: int
    added: int


class Gallery:
    """An open gallery; a context manager. May be shared between threads.

    Every method may raise GalleryReadError (the file cannot be read), GalleryFormatError (it is damaged), GalleryClosedError;
    every one that changes something GalleryWriteError (nothing was changed).
    """

    def __init__(self, path: str | os.PathLike[str], create: bool = True) -> None:
        """Opens the gallery at `path`. Where there is none nobody is enrolled, and the first change makes one that only its owner can
        read: what fails before that leaves no empty file behind.

        Errors: GalleryReadError, where there is none and `create` is False too; GalleryFormatError; GalleryVersionError;
        GalleryWriteError where none can be made.
        """
        self.path = Path(path)
        self._lock = threading.RLock()
        self._indices: dict[tuple[TemplateModel, bool], _Loaded] = {}
        self._file = identity(self.path)
        """The file that is open; None: there is none yet."""
        if self._file is None and create:
            check_place(self.path)
            self._connection: sqlite3.Connection | None = nobody()
        else:
            self._connection = opened(self.path, create=False)

    def __enter__(self) -> Gallery:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; the gallery cannot be used afterwards."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self._indices.clear()

    def __len__(self) -> int:
        """How many people are enrolled."""
        with self._reading() as connection:
            return int(connection.execute("SELECT count(*) FROM people").fetchone()[0])

    def people(self) -> tuple[Person, ...]:
        """Everybody, by name."""
        with self._reading() as connection:
            return records.people_where(connection, "")

    def person(self, id: str) -> Person:
        """The person with that id. Error: GalleryPersonError."""
        with self._reading() as connection:
            return records.person_of(connection, records.number_of(connection, id))

    def named(self, name: str) -> Person:
        """The person of that name, which no two have. Errors: GalleryPersonError, GalleryNameError."""
        with self._reading() as connection:
            found = records.people_where(connection, "WHERE name = ?", check_name(name))
        if not found:
            raise GalleryPersonError("expected the name of somebody who is enrolled, got another; list the people to see who is")
        return found[0]

    def person_of(self, number: int) -> Person:
        """The person whose number a search gave. Error: GalleryPersonError where they were deleted since."""
        with self._reading() as connection:
            found = records.people_where(connection, "WHERE people.number = ?", number)
        if not found:
            raise GalleryPersonError(f"{self.path}: expected somebody who is enrolled, got number {number}; search again")
        return found[0]

    def models(self) -> tuple[TemplateModel, ...]:
        """The models that templates in it are of."""
        with self._reading() as connection:
            rows = connection.execute("SELECT sha256, variant, size FROM models WHERE id IN (SELECT model FROM templates) ORDER BY id")
            return tuple(TemplateModel(*row) for row in rows)

    def count(self, model: TemplateModel) -> int:
        """How many templates of `model` there are."""
        with self._reading() as connection:
            of_model = "FROM templates JOIN models ON models.id = templates.model WHERE sha256 = ?"
            return int(connection.execute(f"SELECT count(*) {of_model}", (model.sha256,)).fetchone()[0])

    def enrol(
        self, name: str, templates: npt.NDArray[np.floating], model: TemplateModel, metadata: Mapping[str, str] | None = None
    ) -> Person:
        """A new person of `templates` `[D]` or `[T, D]` that `model` made.

        Errors: GalleryDuplicateError where somebody has the name; GalleryNameError; those of `check_templates`.
        """
        name, rows, metadata = check_name(name), check_templates(templates, model), check_metadata(metadata or {})
        with self._changing() as connection:
            return records.enrol(connection, name, str(uuid.uuid4()), _now(), metadata, [(model, _now(), row) for row in rows])

    def add(self, id: str, templates: npt.NDArray[np.floating], model: TemplateModel) -> Person:
        """More templates of somebody who is enrolled; also how one enrols again with a new model while the old one goes on
        matching. Errors: GalleryPersonError; those of `check_templates`."""
        rows = check_templates(templates, model)
        with self._changing() as connection:
            number = records.number_of(connection, id)
            records.add(connection, number, [(model, _now(), row) for row in rows])
            return records.person_of(connection, number)

    def re_enrol(self, id: str, templates: npt.NDArray[np.floating], model: TemplateModel) -> Person:
        """New templates in place of all that somebody has. Errors: GalleryPersonError; those of `check_templates`."""
        rows = check_templates(templates, model)
        with self._changing() as connection:
            number = records.number_of(connection, id)
            records.note_removal(connection, connection.execute("DELETE FROM templates WHERE person = ?", (number,)).rowcount)
            records.add(connection, number, [(model, _now(), row) for row in rows])
            return records.person_of(connection, number)

    def rename(self, id: str, name: str) -> Person:
        """Gives somebody another name. Errors: GalleryPersonError, GalleryDuplicateError, GalleryNameError."""
        name = check_name(name)
        with self._changing() as connection:
            number = records.number_of(connection, id)
            if name != records.person_of(connection, number).name:
                records.check_free(connection, name)
            connection.execute("UPDATE people SET name = ? WHERE number = ?", (name, number))
            return records.person_of(connection, number)

    def delete(self, *ids: str) -> None:
        """Forgets people, all of them or none: their bytes are overwritten in the file (not in the
        journal: see above). Error: GalleryPersonError."""
        with self._changing() as connection:
            for id in ids:
                number = records.number_of(connection, id)
                records.note_removal(connection, connection.execute("DELETE FROM people WHERE number = ?", (number,)).rowcount)

    def delete_all(self) -> int:
        """Forgets everybody; returns how many there were."""
        with self._changing() as connection:
            count = connection.execute("DELETE FROM people").rowcount
            connection.execute("DELETE FROM models")
            records.note_removal(connection, count)
            return int(count)

    def enrol_again(self, model: TemplateModel) -> tuple[Person, ...]:
        """Who has no template of `model`, by name: after an update they are to be enrolled again, and match by the old model
        until then."""
        return tuple(person for person in self.people() if not person.has(model))

    def search(self, query: npt.NDArray[np.floating], model: TemplateModel, top: int = 1, int8: bool = False) -> list[tuple[Person, float]]:
        """The `top` most similar people to `query` `[D]` that `model` made, with the similarity of their nearest template, the
        most similar first. Exact: every template of `model` is compared. `int8` compares templates of a byte a number.

        Errors: GalleryModelError where people are enrolled, but none with `model`; GalleryError for a `top` below 1; those of
        `check_templates`.
        """
        vector, top = check_templates(query, model)[0], check_top(top)
        with self._lock:
            with self._reading() as connection:
                index = self._index(connection, model, int8)
                if not len(index):
                    self._refuse_other_models(connection, model)
                found = index.search(vector, top)
                return [(records.person_of(connection, item.person), item.similarity) for item in found]

    def index(self, model: TemplateModel, int8: bool = False) -> Index:
        """The templates of `model` in memory, as `search` uses them; candidates' numbers go to `person_of`. Not to be changed."""
        with self._lock, self._reading() as connection:
            return self._index(connection, model, int8)

    def entries(self) -> list[Entry]:
        """Everybody, by name, with the templates themselves, oldest first: what an export holds."""
        with self._reading() as connection:
            numbers = connection.execute("SELECT number FROM people ORDER BY name").fetchall()
            return [(records.person_of(connection, number), tuple(records.vectors_of(connection, number))) for (number,) in numbers]

    def merge(self, entries: Iterable[Entry], taken: Taken = "refuse") -> Merged:
        """Takes in people with the ids and times that they have elsewhere, all of them or none: what an import does.

        Somebody is here already where the id is, or else the name. `taken` says what then: "refuse" all, "skip" them, "replace" their
        templates, or "add" the templates that they don't have yet. Errors: GalleryDuplicateError; GalleryError for another word; those
        of `check_entries`.
        """
        check_taken(taken)
        checked = check_entries(entries)
        counts = {"enrolled": 0, "skipped": 0, "replaced": 0, "added": 0}
        with self._changing() as connection:
            for person, templates in checked:
                here = "SELECT number FROM people WHERE id = ? OR name = ? ORDER BY id = ? DESC"
                row = connection.execute(here, (person.id, person.name, person.id)).fetchone()
                if row is None or taken == "refuse":
                    records.enrol(connection, person.name, person.id, person.created, dict(person.metadata), templates)
                    counts["enrolled"] += 1
                elif taken == "skip":
                    counts["skipped"] += 1
                elif taken == "replace":
                    records.note_removal(connection, connection.execute("DELETE FROM templates WHERE person = ?", row).rowcount)
                    records.add(connection, row[0], templates)
                    counts["replaced"] += 1
                else:
                    held = {(model, vector.tobytes()) for model, _, vector in records.vectors_of(connection, row[0])}
                    records.add(connection, row[0], [row for row in templates if (row[0], row[2].tobytes()) not in held])
                    counts["added"] += 1
        return Merged(**counts)

    def check(self) -> list[str]:
        """What is wrong with the file, a line each: SQLite's own check of its structure, then every person, model and template, with the
        person's id, as far as they can be read. None: nothing is."""
        problems: list[str] = []
        try:
            with self._reading() as connection:
                for problem in _problems(connection):
                    problems.append(problem)
        except GalleryFormatError as error:  # what comes behind cannot be read
            problems.append(str(error))
        return problems

    def _index(self, connection: sqlite3.Connection, model: TemplateModel, int8: bool) -> Index:
        """The index of `model`, brought up to what the file holds now."""
        loaded = self._indices.get((model, int8))
        if loaded is not None and loaded.index.size != model.size:
            raise GalleryModelError(f"{self.path}: expected {model} of {loaded.index.size} numbers, got {model.size}")
        (removals,) = connection.execute("SELECT count FROM removals").fetchone() or (None,)
        if removals is None:
            raise GalleryFormatError(f"{self.path}: expected a count of removals, got none; restore a copy or an export")
        if loaded is None or loaded.removals != removals:
            loaded = self._indices[model, int8] = _Loaded(Index(model.size, int8), removals)
        loaded.catch_up(connection, model)
        return loaded.index

    def _refuse_other_models(self, connection: sqlite3.Connection, model: TemplateModel) -> None:
        others = [str(other) for other in self.models()]
        if others:
            raise GalleryModelError(
                f"{self.path}: expected templates of {model}, got those of {', '.join(others)}; enrol people again with this model, "
                "or search with the one that they were enrolled with"
            )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, typed(self.path, GalleryReadError):
            connection = self._open()
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, typed(self.path, GalleryWriteError):
            connection = self._open(make=True)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise

    def _open(self, make: bool = False) -> sqlite3.Connection:
        """The connection: to the file, once there is one, whoever made it or put another in its place. SQLite would go on with the one
        that was opened, and what it wrote there would be gone."""
        if self._connection is None:
            raise GalleryClosedError(f"{self.path}: expected an open gallery, got a closed one; open it again")
        if self._connection.in_transaction:
            return self._connection
        found = identity(self.path)
        if found is None and self._file is not None:
            raise GalleryReadError(f"{self.path}: expected the gallery that was opened, found nothing; put it back, or open it anew")
        if found != self._file or (found is None and make):
            made = opened(self.path, create=self._file is None)
            self._connection.close()
            self._connection, self._file = made, found or identity(self.path)
            self._indices.clear()
        return self._connection


class _Loaded:
    """An index and how much of the file it has: templates are only ever appended or, with `removals` counted, removed."""

    def __init__(self, index: Index, removals: int) -> None:
        self.index, self.removals, self.last = index, removals, 0

    def catch_up(self, connection: sqlite3.Connection, model: TemplateModel) -> None:
        of_model = "FROM templates JOIN models ON models.id = templates.model WHERE sha256 = ? AND size = ? AND number > ?"
        wanted = (model.sha256, model.size, self.last)
        count = connection.execute(f"SELECT count(*) {of_model}", wanted).fetchone()[0]
        if not count:
            return
        if not len(self.index):
            self.index.reserve(count)
        rows = connection.execute(f"SELECT number, person, vector, crc32 {of_model} ORDER BY number", wanted)
        while chunk := rows.fetchmany(4096):
            for _, person, blob, crc32 in chunk:
                if not isinstance(blob, bytes) or zlib.crc32(blob) != crc32 or len(blob) != 4 * model.size:
                    raise records.damaged(connection, person, records.OTHER_BYTES)
            vectors = np.frombuffer(b"".join(row[2] for row in chunk), "<f4").reshape(-1, model.size)
            # A right checksum says nothing where somebody else wrote the row; a vector of another length would win every search.
            squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
            wrong = np.flatnonzero(~(np.abs(np.sqrt(squares) - 1) <= LENGTH_TOLERANCE))  # NaN is wrong too
            if len(wrong):
                raise records.damaged(connection, chunk[wrong[0]][1], "expected a vector of length 1, got another")
            self.index.add(vectors, np.array([row[1] for row in chunk], np.int64))
            self.last = chunk[-1][0]


def _problems(connection: sqlite3.Connection) -> Iterator[str]:
    """What `Gallery.check` finds."""
    for (found,) in connection.execute("PRAGMA integrity_check"):
        if found != "ok":
            yield " ".join(found.split())
    for table, *_ in connection.execute("PRAGMA foreign_key_check"):
        yield f"{table}: a row refers to nothing"
    if connection.execute("SELECT count(*) FROM removals WHERE typeof(count) = 'integer'").fetchone()[0] != 1:
        yield "removals: expected one count, got another number of them"
    for person in connection.execute("SELECT id, name, created, metadata FROM people"):
        yield from _problem(partial(records.checked_person, *person))
    for model in connection.execute("SELECT sha256, variant, size FROM models"):
        yield from _problem(partial(TemplateModel, *model))
    rows = connection.execute(
        "SELECT people.id, templates.number, vector, crc32, sha256, variant, size FROM templates "
        "JOIN models ON models.id = templates.model JOIN people ON people.number = templates.person"
    )
    for key, number, blob, crc32, *model in rows:
        reason = records.wrong(blob, crc32, model)
        if reason is not None:
            yield f"person {key}: template {number}: {reason}"


def _problem(read: Callable[[], object]) -> list[str]:
    """What keeps a row from being read."""
    try:
        read()
    except GalleryError as error:
        return [str(error)]
    return []


def _now() -> int:
    return time.time_ns() // 1_000_000
