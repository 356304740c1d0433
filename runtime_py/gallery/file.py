"""The gallery's file: how it is made, whole or not at all, and opened; SQLite's errors as ours."""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime_py.errors import GalleryFormatError, GalleryReadError, GalleryVersionError, GalleryWriteError

APPLICATION_ID = 0x50464741
"""SQLite's application_id of a gallery: "PFGA"."""
VERSION = 1
"""SQLite's user_version. A later one is refused."""
_OBJECTS = {*(("table", name) for name in ("models", "people", "templates", "removals")), ("index", "templates_of_person")}
"""What the file consists of. A view or a trigger, which a reader would run, is none of it."""
_PATIENCE_SECONDS = 30.0
"""How long a change waits for another process's to end."""

# The kinds are checked since SQLite keeps what it cannot convert as it is; files that were made before have no such checks.
_SCHEMA = f"""
CREATE TABLE models (id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE CHECK (typeof(sha256) = 'text'),
                     variant TEXT NOT NULL CHECK (typeof(variant) = 'text'), size INTEGER NOT NULL CHECK (typeof(size) = 'integer'));
CREATE TABLE people (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE CHECK (typeof(id) = 'text'),
                     name TEXT NOT NULL UNIQUE CHECK (typeof(name) = 'text'),
                     created INTEGER NOT NULL CHECK (typeof(created) = 'integer'),
                     metadata TEXT NOT NULL CHECK (typeof(metadata) = 'text'));
CREATE TABLE templates (number INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE,
                        model INTEGER NOT NULL REFERENCES models, created INTEGER NOT NULL CHECK (typeof(created) = 'integer'),
                        vector BLOB NOT NULL CHECK (typeof(vector) = 'blob'), crc32 INTEGER NOT NULL CHECK (typeof(crc32) = 'integer'));
CREATE INDEX templates_of_person ON templates (person);
CREATE TABLE removals (count INTEGER NOT NULL CHECK (typeof(count) = 'integer'));
INSERT INTO removals VALUES (0);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""


def opened(path: Path, create: bool) -> sqlite3.Connection:
    """A connection to the gallery at `path`, which is made where there is none and `create` says so. Errors: GalleryReadError,
    GalleryFormatError, GalleryVersionError, GalleryWriteError."""
    if identity(path) is None:
        if not create:
            raise GalleryReadError(f"{path}: expected a gallery, found nothing; enrol somebody first")
        _make(path)
    with typed(path, GalleryReadError):
        # Absolute, since SQLite has files that are none: ":memory:".
        connection = sqlite3.connect(path.absolute(), timeout=_PATIENCE_SECONDS, isolation_level=None, check_same_thread=False)
        connection.text_factory = _text
        try:
            found = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if found != APPLICATION_ID:
                what = "another SQLite file" if os.path.getsize(path) else "an empty file"
                raise GalleryFormatError(f"{path}: expected a gallery, got {what}")
            if version != VERSION:
                raise GalleryVersionError(f"{path}: expected a gallery of version {VERSION}, got {version}; update pocketface")
            for pragma in (
                "foreign_keys = ON",
                "secure_delete = ON",
                "synchronous = EXTRA",
                "journal_mode = DELETE",
                "trusted_schema = OFF",
            ):
                connection.execute(f"PRAGMA {pragma}")
            if set(connection.execute("SELECT type, name FROM sqlite_master WHERE name NOT GLOB 'sqlite_*'")) != _OBJECTS:
                raise GalleryFormatError(f"{path}: expected a gallery's tables and nothing else, got others; restore a copy or an export")
        except BaseException:
            connection.close()
            raise
    return connection


def _text(data: bytes) -> str:
    """SQLite's own error for what is no UTF-8 quotes it, which may be somebody's name, and is that of a file that cannot be read."""
    return data.decode()


def nobody() -> sqlite3.Connection:
    """A connection to a gallery in memory, in which nobody is enrolled."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.executescript(_SCHEMA)
    return connection


def check_place(path: Path) -> None:
    """Error: GalleryWriteError where it can be told beforehand that no gallery can be made at `path`."""
    folder = next((parent for parent in path.absolute().parents if os.path.lexists(parent)), path)
    if not (os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)):
        raise GalleryWriteError(f"{path}: a gallery cannot be made there, {folder} takes no files; give another place")


def identity(path: Path) -> tuple[int, int] | None:
    """Which file there is at `path`: another one has other numbers. None: there is none. Error: GalleryReadError where that cannot be
    told."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        raise GalleryReadError(f"{path}: expected a gallery, it cannot be reached: {getattr(error, 'strerror', None) or error}") from None
    return status.st_dev, status.st_ino


def _make(path: Path) -> None:
    """An empty gallery, made aside and put in its place whole, unless another process was faster."""
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        finally:
            connection.close()
        os.link(temporary, path)
    except FileExistsError:
        pass
    except (OSError, sqlite3.Error) as error:
        raise GalleryWriteError(f"{path}: a gallery cannot be made ({error}); give another place or make room") from None
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def typed(path: Path, otherwise: type[GalleryReadError] | type[GalleryWriteError]) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.InternalError) as error:
        raise otherwise(f"{path}: {error}; nothing was changed, try again when the cause is gone") from None
    except (sqlite3.DatabaseError, UnicodeDecodeError, json.JSONDecodeError, RecursionError, TypeError) as error:
        # TypeError: a value of another kind than its column's, which SQLite takes where nothing forbids it.
        raise GalleryFormatError(f"{path}: expected a gallery, got a damaged file ({error}); restore a copy or an export") from None
