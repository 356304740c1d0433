"""Files that are whole or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from toolchain.errors import DataError


@contextmanager
def partial(path: Path) -> Iterator[Path]:
    """A name in the folder of `path` to write to. It gets the name `path` when the block ends well, and is removed when
    it does not, also by Ctrl-C. Error: DataError where the folder cannot be written to."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); give another place") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); give another place or make room") from None
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path, data: bytes | str) -> None:
    """Writes the whole file, or leaves what was there. Error: DataError where it cannot be written."""
    with partial(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); give another place") from None
    aside = temporary.with_suffix(".old")
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
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


def _umask() -> int:
    """The mask for new files; mkstemp makes files that only their owner can read."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
