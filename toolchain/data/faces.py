"""Faces: aligned face images with identities, read from folders and tars."""

from __future__ import annotations

import hashlib
import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from runtime_py.errors import ImageError
from runtime_py.image import read_image
from toolchain import files
from toolchain.errors import DataError
from toolchain.progress import Progress

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
ASIDE_PARTS = 12


@dataclass(frozen=True, eq=False)
class Faces:
    """`images` uint8 `[N, H, W, 3]` RGB, aligned (a memory map where they were read before); `names` "identity/image"."""

    images: npt.NDArray[np.uint8]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4 or self.images.shape[3] != 3:
            raise DataError(f"faces: expected uint8 [N, H, W, 3], got {self.images.dtype} {list(self.images.shape)}")
        if len(self.names) != len(self.images):
            raise DataError(f"faces: {len(self.images)} images but {len(self.names)} names")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def identities(self) -> tuple[str, ...]:
        """The identity of each image: the folder that it lies in."""
        return tuple(name.rsplit("/", 1)[0] for name in self.names)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The identity of each image as a number from 0, in alphabetical order of the identities."""
        return np.unique(np.array(self.identities), return_inverse=True)[1].astype(np.int64)

    def fingerprint(self) -> str:
        """sha256 over names and pixels."""
        digest = hashlib.sha256("\n".join(self.names).encode())
        for start in range(0, len(self), 1024):
            digest.update(np.ascontiguousarray(self.images[start : start + 1024]).tobytes())
        return digest.hexdigest()

    def subset(self, rows: npt.NDArray[np.int64] | Sequence[int]) -> Faces:
        """The faces of `rows`, in that order."""
        index = np.asarray(rows, dtype=np.int64)
        return Faces(self.images[index], tuple(self.names[row] for row in index))

    def split_aside(self) -> tuple[Faces, Faces]:
        """(training faces, faces of the identities kept aside): see `is_aside`."""
        aside = np.array([is_aside(identity) for identity in self.identities], dtype=bool)
        return self.subset(np.flatnonzero(~aside)), self.subset(np.flatnonzero(aside))

    @staticmethod
    def read(paths: Sequence[Path], cache: Path | None = None, progress: Progress | None = None) -> Faces:
        """Reads folders and tars (gz, bz2, xz too) of `<identity>/<image>`, images of one size. What is hidden is passed over.

        `cache`: a folder that keeps the decoded pixels, found again by the paths' names, sizes and times.
        Errors: DataError where a path is missing, no image is found, one cannot be decoded, or sizes differ.
        """
        if not paths:
            raise DataError("no image folder or tar was given")
        kept = None if cache is None else cache / f"faces-{_stamp(paths)}.npy"
        found = None if kept is None else _read_kept(kept)
        if found is not None:
            return found
        names, images = [], []
        for path in paths:
            for name, data in (progress or Progress(quiet=True)).track(_members(Path(path)), f"reading {Path(path).name}"):
                images.append(_decode(f"{path}:{name}", data))
                if images[-1].shape != images[0].shape:
                    sizes = f"{name} is {images[-1].shape[:2]}, others are {images[0].shape[:2]}"
                    raise DataError(f"{path}: {sizes}; align them to one size first")
                names.append(name)
        if not names:
            raise DataError(f"{', '.join(map(str, paths))}: no image found; expected <identity>/<image> with {', '.join(IMAGE_SUFFIXES)}")
        faces = Faces(np.stack(images), tuple(names))
        if kept is not None:
            files.write(kept.with_suffix(".txt"), "\n".join(names))
            with files.partial(kept) as partial, partial.open("wb") as stream:
                np.save(stream, faces.images)
        return faces


def _read_kept(path: Path) -> Faces | None:
    """What an earlier run kept at `path`, its names beside it, one a line; None where there is nothing whole."""
    try:
        names = path.with_suffix(".txt").read_bytes().decode().split("\n")
        return Faces(np.load(path, mmap_mode="r", allow_pickle=False), tuple(names))
    except (OSError, EOFError, ValueError, DataError):
        return None


def is_aside(identity: str) -> bool:
    """True for an identity that is never trained on and that every choice is made by: one group in twelve, by hash.

    The group is the family for identities named `fiw_<family>_<member>`, so that no relative of an identity kept aside is
    trained on, and the identity itself elsewhere. Unlabelled faces are never kept aside. Only tables that judge on held images
    of the very people that they train on (toolchain/tables/classification.py) train on these identities too: their nets are never
    shipped, nor judged on identities kept aside.
    """
    if identity.rsplit("/", 1)[-1] == "unlabelled":
        return False
    return int(hashlib.sha256(family(identity).encode()).hexdigest()[:8], 16) % ASIDE_PARTS == 0


def family(identity: str) -> str:
    """Whom an identity is kept together with: the family of one named `fiw_<family>_<member>` as in Families in the Wild, the
    identity itself elsewhere."""
    identity = identity.rsplit("/", 1)[-1]
    return identity.rsplit("_", 1)[0] if identity.startswith("fiw_") else identity


def _stamp(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in map(Path, paths):
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
        for item in [path] if path.is_file() else _images(path):
            try:
                status = item.stat()
                # Bytes, since a folder's name need not be text.
                digest.update(os.fsencode(f"{item.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\n"))
            except OSError as error:
                raise DataError(f"{item}: cannot be read ({error.strerror}); mend it or take it away") from None
    return digest.hexdigest()[:24]


def _images(folder: Path) -> list[Path]:
    """All files with an image's name below a folder, in name order; links that lead nowhere too, which reading them then says."""
    try:
        named = (item for item in folder.rglob("*") if _is_image(item.relative_to(folder).as_posix()))
        return sorted(item for item in named if item.is_file() or (item.is_symlink() and not item.exists()))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}); give a folder or a tar of images") from None


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of each image below a folder or in a tar, in name order for folders and file order for tars."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.is_dir():
        for item in _images(path):
            name = _checked(item.relative_to(path).as_posix(), path)
            try:
                data = item.read_bytes()
            except OSError as error:
                raise DataError(f"{item}: cannot be read ({error.strerror}); mend it or take it away") from None
            yield name, data
        return
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = PurePosixPath(member.name).as_posix()  # `tar -C faces .` calls them ./ann/1.jpg, another identity than ann
                if member.isfile() and _is_image(name):
                    stream = archive.extractfile(member)
                    assert stream is not None  # a regular file always has one
                    yield _checked(name, path), stream.read()
    except (tarfile.TarError, EOFError, OSError, ValueError, RecursionError, zlib.error, lzma.LZMAError) as error:
        # RecursionError: tarfile reads headers about the next header one within the other, however many there are in a row.
        raise DataError(f"{path}: expected a folder or a tar of images, got something that cannot be read as one ({error})") from None


def _is_image(name: str) -> bool:
    """Whether an image is called so. What is hidden is none, such as the ._1.jpg that macOS puts beside each file of a tar."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not any(part.startswith(".") and part != ".." for part in name.split("/"))


def _checked(name: str, path: Path) -> str:
    """The name of an image, one line of text: names are kept and hashed as lines of UTF-8. Error: DataError where it is not."""
    if "\n" in name or not _is_text(name):
        raise DataError(f"{path}: the name of image {name!r} is not one line of text in UTF-8; rename it")
    return name


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False  # bytes that are no UTF-8, as the file system's names and tar's may be
    return True


def _decode(name: str, data: bytes) -> npt.NDArray[np.uint8]:
    try:
        return read_image(data, name)
    except ImageError as error:
        raise DataError(str(error)) from None
