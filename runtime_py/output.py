"""Files that are whole or not there."""

from __future__ import annotations

import os
import stat
import uuid
from contextlib import suppress
from pathlib import Path

from runtime_py.errors import SourceError


def write(path: Path, data: bytes) -> None:
    """Writes the whole file, to the disk, or leaves what was there. Error: SourceError where it cannot be written."""
    temporary = path.parent / f".{uuid.uuid4().hex}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_replaceable(path)
        # With the rights that open() would have given it.
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{path}: cannot be written ({reason}); give another place or make room") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _check_replaceable(path: Path) -> None:
    """Error: SourceError for what is there and is no file: a folder, a pipe, a device."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "something that is no file"
        raise SourceError(f"{path}: expected a file to write, got {what}; give another place")


def _sync_folder(folder: Path) -> None:
    """So that the file is there after a loss of power too; left out where the file system does not open or sync folders."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
