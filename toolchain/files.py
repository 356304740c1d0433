"""Files that are whole or not there."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from toolchain.errors import DataError


@contextmanager
def partial(path: Path) -> Iterator[Path]:
    """A name in the folder of `path` to write to. It gets the name `path` when the block ends well, and is removed when
    it does not, also by Ctrl-C. Error: DataError where the folder cannot be written to."""
    temporary = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); give another place") from None
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); give another place or make room") from None
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path, data: bytes | str) -> None:
    """Writes the whole file, or leaves what was there. Error: DataError where it cannot be written."""
    with partial(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


def try_place(path: Path) -> None:
    """Error: DataError where a file `path` cannot be written, told before the work whose result it is to hold. Leaves nothing behind."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        above = next(folder for folder in path.parents if folder.exists())  # the folders below it are made when the file is
        temporary = _beside(above / path.name)
        temporary.touch(exist_ok=False)
        temporary.unlink()
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); give another place") from None


def remove(path: Path) -> None:
    """Removes a file where there is one. Error: DataError where it cannot be removed."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be removed ({error.strerror}); remove it, or give another place") from None


def write_all(folder: Path, contents: Mapping[str, bytes | str]) -> None:
    """Writes files into a folder that may hold others, which stay: each is written in full before the first gets its name.
    Error: DataError where one cannot be written."""
    with ExitStack() as stack:
        for name, data in contents.items():
            temporary = stack.enter_context(partial(folder / name))
            temporary.write_bytes(data.encode() if isinstance(data, str) else data)


@contextmanager
def partial_folder(path: Path) -> Iterator[Path]:
    """`partial` for a folder that is nobody's but ours, as in a cache: whatever lies at `path` is replaced when the block ends well. The
    old folder is moved aside first and removed last, so that no moment leaves neither.

    Error: DataError where `path` is a file or cannot be written.
    """
    if path.exists() and not path.is_dir():
        raise DataError(f"{path}: expected a folder or a free name, got a file; give another place")
    temporary = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); give another place") from None
    aside = temporary.with_suffix(".old")
    try:
        yield temporary
        if path.exists():
            os.replace(path, aside)
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); give another place or make room") from None
    finally:
        if aside.exists() and not path.exists():
            os.replace(aside, path)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)


def _beside(path: Path) -> Path:
    """A name that nobody has yet in the folder of `path`. Not by tempfile, which lets the owner alone read: what is made under it has
    the mode that the umask leaves, and that cannot be asked for without changing it under other threads."""
    return path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
