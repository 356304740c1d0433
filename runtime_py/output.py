"""Files that are whole or not there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from runtime_py.errors import SourceError


def write(path: Path, data: bytes) -> None:
    """Writes the whole file, or leaves what was there. Error: SourceError where it cannot be written."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise SourceError(f"{path}: expected a file to write, got a folder; give another place")
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        # mkstemp makes files that only their owner can read; this is what open() would have made.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
        temporary = None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{path}: cannot be written ({reason}); give another place or make room") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
