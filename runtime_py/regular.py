"""Reads a whole file, if it is one and is no larger than it may be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from runtime_py.errors import PocketFaceError


def read_regular(path: Path, what: str, most: int, error: type[PocketFaceError]) -> bytes:
    """The bytes of `path`, which is to be `what`. A pipe or a device is never waited for. Raises `error`."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise error(f"{path}: expected {what}, got something that is no file")
            if status.st_size > most:
                raise error(f"{path}: expected {what} of at most {most} bytes, got {status.st_size}")
            return file.read(most + 1)
    except (OSError, ValueError) as failure:  # ValueError: a path with a NUL in it
        reason = getattr(failure, "strerror", None) or failure
        raise error(f"{path}: expected {what}, it cannot be read: {reason}") from None
