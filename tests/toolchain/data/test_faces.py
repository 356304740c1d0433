"""Faces are read from folders and tars alike, kept, and split by the rule; what cannot be read is said in one line."""

import hashlib
import io
import os
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


def damaged(path: Path, mode: str) -> Path:
    """A compressed tar of noise with a byte changed that only reading to it shows."""
    noise = np.random.default_rng(0).integers(0, 40, 2**17, dtype=np.uint8).tobytes()
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        member = tarfile.TarInfo("ann/0.png")
        member.size = len(noise)
        tar.addfile(member, io.BytesIO(noise))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
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


def test_names_and_files_of_every_kind_are_found_again_as_they_were_read(tmp_path: Path) -> None:
    path, cache = folder(tmp_path / "faces"), tmp_path / "cache"
    for name in ("bob/line\u2028separator.png", "bob/carriage\rreturn.png"):
        (path / name).write_bytes(png(40))
    (path / "notes").symlink_to("nowhere")
    (path / "loop").symlink_to("loop")
    (path / "bob" / "folder.png").mkdir()
    first = Faces.read([path], cache)
    again = Faces.read([path], cache)
    assert len(first) == 5 and again.names == first.names and isinstance(again.images, np.memmap)


@pytest.mark.parametrize("suffix", [".npy", ".txt"])
@pytest.mark.parametrize("size", [0, 20, 300])
def test_a_kept_file_that_was_cut_off_is_made_again(tmp_path: Path, suffix: str, size: int) -> None:
    path = folder(tmp_path / "faces")
    first = Faces.read([path], cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").glob(f"*{suffix}")
    whole = kept.read_bytes()
    kept.write_bytes(whole[: min(size, len(whole) - 10)])
    assert Faces.read([path], cache=tmp_path / "cache").fingerprint() == first.fingerprint()
    assert kept.read_bytes() == whole


def test_a_fingerprint_and_a_kept_set_are_those_of_every_release(tmp_path: Path) -> None:
    """sha256 of the names, one a line, and the pixels: what results of long work are found again by."""
    path, cache = archive(tmp_path / "faces.tar", "w"), tmp_path / "cache"
    pixels = b"".join(bytes([value]) * 8 * 8 * 3 for value in (10, 20, 30))
    assert Faces.read([path], cache).fingerprint() == hashlib.sha256(b"ann/0.png\nann/1.png\nbob/0.png" + pixels).hexdigest()
    status = path.stat()
    stamp = hashlib.sha256(f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\n".encode()).hexdigest()[:24]
    assert sorted(item.name for item in cache.iterdir()) == [f"faces-{stamp}.npy", f"faces-{stamp}.txt"]
    assert (cache / f"faces-{stamp}.txt").read_text() == "ann/0.png\nann/1.png\nbob/0.png"


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
        (lambda p: (p / "a.png").symlink_to("nowhere") or p, r"a.png: cannot be read \(No such file"),
        (lambda p: (p / "a.png").symlink_to("a.png") or p, r"a.png: cannot be read \(Too many levels"),
        (
            lambda p: Path(os.fsdecode(os.fsencode(p / "a") + b"\xe9.png")).write_bytes(png(1)) and p,
            r"image 'a\\udce9.png' is not one line",
        ),
        (lambda p: (p / "a\nb.png").write_bytes(png(1)) and p, r"image 'a\\nb.png' is not one line"),
        (lambda p: damaged(p / "x.tar.xz", "w:xz"), "cannot be read"),
        (lambda p: (p / "x.tar").write_bytes(b"version https://git-lfs.github.com/spec/v1\n") and p / "x.tar", "cannot be read"),
    ],
    ids=["missing", "empty folder", "link to nowhere", "link to itself", "no UTF-8", "two lines", "damaged xz", "no tar"],
)
@pytest.mark.parametrize("cached", [False, True])
def test_what_holds_no_faces_is_refused(tmp_path: Path, make: object, message: str, cached: bool) -> None:
    assert callable(make)
    (tmp_path / "given").mkdir()
    with pytest.raises(DataError, match=message):
        Faces.read([make(tmp_path / "given")], tmp_path / "cache" if cached else None)
    assert not (tmp_path / "cache").exists()


def test_a_place_to_keep_them_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file/cache/faces-\w+\.txt: cannot be written"):
        Faces.read([folder(tmp_path / "faces")], tmp_path / "file" / "cache")


def test_damaged_images_and_mixed_sizes_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "faces")
    (path / "bob/1.png").write_bytes(png(1, size=9))
    with pytest.raises(DataError, match="align them to one size"):
        Faces.read([path])
    for damage in (png(1)[:40], png(1).replace(b"IDAT", b"\x9eDAT"), b"\0\0\0\x18ftypavif", b"GIF89a"):
        (path / "bob/1.png").write_bytes(damage)
        with pytest.raises(DataError, match=r"faces:bob/1.png: expected an? (whole )?image"):
            Faces.read([path])


def test_an_image_never_runs_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow gives PostScript to Ghostscript, whatever the file is called."""
    path = folder(tmp_path / "faces")
    (path / "bob/1.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: pytest.fail("Ghostscript ran"))
    with pytest.raises(DataError, match="expected an image"):
        Faces.read([path])


def test_what_archivers_add_is_no_image_and_no_other_person(tmp_path: Path) -> None:
    """`tar -C faces .` puts ./ before each name, and macOS a hidden file beside each."""
    with tarfile.open(tmp_path / "faces.tar", "w") as tar:
        for name, data in {"./ann/._0.png": b"\0\5\x16\7", **{f"./{name}": data for name, data in MEMBERS.items()}}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    path = folder(tmp_path / "faces")
    (path / "bob/._0.png").write_bytes(b"\0\5\x16\7")
    assert Faces.read([tmp_path / "faces.tar"]).names == Faces.read([path]).names == tuple(MEMBERS)


def test_a_tar_of_headers_without_end_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 8
    (tmp_path / "x.tar").write_bytes((header.tobuf(tarfile.GNU_FORMAT) + b"a\0".ljust(512, b"\0")) * 2000)
    with pytest.raises(DataError, match="cannot be read as one"):
        Faces.read([tmp_path / "x.tar"])
