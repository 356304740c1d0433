"""Faces are read from folders and tars alike, kept, and split by the rule; what cannot be read is said in one line."""

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolchain.data.faces import Faces, is_aside
from toolchain.errors import DataError


def png(value: int, size: int = 8) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), value, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


MEMBERS = {"ann/0.png": png(10), "ann/1.png": png(20), "bob/0.png": png(30)}


def folder(path: Path) -> Path:
    for name, data in MEMBERS.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def archive(path: Path, mode: str) -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("kind", ["folder", "w", "w:xz", "w:gz"])
def test_folders_and_tars_give_the_same_faces(tmp_path: Path, kind: str) -> None:
    path = folder(tmp_path / "faces") if kind == "folder" else archive(tmp_path / "faces.tar", kind)
    faces = Faces.read([path])
    assert faces.names == tuple(MEMBERS)
    assert faces.identities == ("ann", "ann", "bob") and faces.labels.tolist() == [0, 0, 1]
    assert faces.images[:, 0, 0, 0].tolist() == [10, 20, 30]


def test_what_was_read_is_kept_until_the_files_change(tmp_path: Path) -> None:
    path = folder(tmp_path / "faces")
    first = Faces.read([path], cache=tmp_path / "cache")
    again = Faces.read([path], cache=tmp_path / "cache")
    assert isinstance(again.images, np.memmap) and again.fingerprint() == first.fingerprint()
    (path / "bob/1.png").write_bytes(png(40))
    assert len(Faces.read([path], cache=tmp_path / "cache")) == 4


def test_families_are_kept_aside_whole() -> None:
    """The rule worked by hand: the first 8 hex digits of the group's sha256, as a number, divisible by 12."""
    for identity, group in (("fiw_F0022_MID2", "fiw_F0022"), ("fiw_F0022_MID9", "fiw_F0022"), ("celeba_17", "celeba_17")):
        expected = int(hashlib.sha256(group.encode()).hexdigest()[:8], 16) % 12 == 0
        assert is_aside(identity) == expected
    assert not is_aside("unlabelled")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "missing", "no such file"),
        (lambda p: p, "no image found"),
        (lambda p: (p / "x.tar").write_bytes(b"version https://git-lfs.github.com/spec/v1\n") and p / "x.tar", "cannot be read"),
    ],
    ids=["missing", "empty folder", "no tar"],
)
def test_what_holds_no_faces_is_refused(tmp_path: Path, make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(DataError, match=message):
        Faces.read([make(tmp_path)])


def test_damaged_images_and_mixed_sizes_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "faces")
    (path / "bob/1.png").write_bytes(png(1, size=9))
    with pytest.raises(DataError, match="align them to one size"):
        Faces.read([path])
    (path / "bob/1.png").write_bytes(png(1)[:40])
    with pytest.raises(DataError, match="cannot be decoded"):
        Faces.read([path])
