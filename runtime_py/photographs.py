"""The images of paths: files, folders and tars, one after the other, each with a name."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runtime_py.errors import ImageError, ImageSizeError, SourceError
from runtime_py.image import MAX_BYTES, read_bytes

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")


@dataclass(frozen=True, eq=False)
class Named:
    """An encoded image: its bytes, the file that has them, or why they could not be had."""

    name: str
    content: bytes | Path | ImageError | SourceError

    @property
    def data(self) -> bytes:
        """The bytes; of a file they are read now, so that many photographs take the memory of one. Error: the one that keeps them from
        being read."""
        if isinstance(self.content, bytes):
            return self.content
        if isinstance(self.content, Path):
            return read_bytes(self.content)
        raise self.content


def images(paths: Sequence[Path]) -> Iterator[Named]:
    """The images of `paths`: a file is taken whatever its suffix; of folders (searched whole, in the order of names) and of
    tars (gz, xz, bz2 too, in their own order) what has an image's suffix and is not hidden.

    Of one path, names are relative to it; of several, they begin with the path as it was given, so that no two are the same.
    Errors: SourceError where a path is missing, given twice, or an archive is damaged, or no image was found at all.
    """
    check_paths(paths)
    for path in paths:
        count = 0
        for named in _images_of(path):
            count += 1
            yield named if len(paths) == 1 or named.name == str(path) else Named(f"{path}/{named.name}", named.content)
        if count == 0:
            raise SourceError(f"{path}: expected images ({', '.join(IMAGE_SUFFIXES)}), found none")


def check_paths(paths: Sequence[Path]) -> None:
    """Error: SourceError where a path is missing or given twice."""
    if len(set(paths)) != len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise SourceError(f"{twice}: expected each path once, got it twice")
    for path in paths:
        try:
            there = path.exists()
        except (OSError, ValueError):
            there = False
        if not there:
            raise SourceError(f"{path}: expected an image, folder or tar, got no such file or folder")


def is_tar(path: Path) -> bool:
    return path.name.lower().endswith(TAR_SUFFIXES)


def _images_of(path: Path) -> Iterator[Named]:
    if path.is_dir():
        files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*"))
        for name, file in files:
            if _wanted(name) and _is_file(file):
                yield Named(name, file)
    elif is_tar(path):
        yield from _members(path)
    else:
        yield Named(str(path), path)


def _is_file(path: Path) -> bool:
    """Whether there is a file, or something in a folder that may not be entered: reading it says so."""
    try:
        return path.is_file()
    except OSError:
        return True


def _members(path: Path) -> Iterator[Named]:
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                if not (member.isfile() and _wanted(member.name)):
                    continue
                if member.size > MAX_BYTES:
                    error = ImageSizeError(f"{member.name}: expected an image file of at most {MAX_BYTES} bytes, got {member.size}")
                    yield Named(member.name, error)
                    continue
                file = archive.extractfile(member)
                data = b"" if file is None else file.read()
                if len(data) != member.size:
                    raise SourceError(f"{path}: expected {member.size} bytes of {member.name}, got {len(data)}; the archive is cut off")
                yield Named(member.name, data)
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, RecursionError, MemoryError) as error:
        # RecursionError: tarfile reads headers about the next header one within the other, however many there are in a row.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SourceError(f"{path}: expected a whole tar archive: {reason}; get the file again") from None


def _wanted(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return name.lower().endswith(IMAGE_SUFFIXES) and not any(part.startswith(".") and part not in (".", "..") for part in parts)
