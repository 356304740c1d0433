from __future__ import annotations

import io
import lzma
import tarfile
from pathlib import Path

import pytest

from runtime_py.errors import SourceError
from runtime_py.photographs import images


def make_tar(path: Path, mode: str, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


MEMBERS = {"b/2.jpg": b"two", "a/1.PNG": b"one", "notes.txt": b"text", "a/.hidden.jpg": b"no", ".cache/3.jpg": b"no"}


@pytest.mark.parametrize(("suffix", "mode"), [(".tar", "w"), (".tar.gz", "w:gz"), (".tar.xz", "w:xz"), (".tbz2", "w:bz2")])
def test_a_tar_gives_its_images_in_its_own_order(tmp_path: Path, suffix: str, mode: str) -> None:
    path = make_tar(tmp_path / f"x{suffix}", mode, MEMBERS)
    assert [(named.name, named.data) for named in images([path])] == [("b/2.jpg", b"two"), ("a/1.PNG", b"one")]


def test_a_folder_gives_its_images_in_the_order_of_names(tmp_path: Path) -> None:
    for name, data in MEMBERS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert [(named.name, named.data) for named in images([tmp_path])] == [("a/1.PNG", b"one"), ("b/2.jpg", b"two")]


def test_names_from_several_paths_are_never_the_same(tmp_path: Path) -> None:
    first = make_tar(tmp_path / "1.tar", "w", {"x.jpg": b"1"})
    second = make_tar(tmp_path / "2.tar", "w", {"x.jpg": b"2"})
    file = tmp_path / "x.jpg"
    file.write_bytes(b"3")
    found = {named.name: named.data for named in images([first, second, file])}
    assert found == {f"{first}/x.jpg": b"1", f"{second}/x.jpg": b"2", str(file): b"3"}


def test_a_path_given_twice_or_missing_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x.jpg"
    file.write_bytes(b"1")
    with pytest.raises(SourceError, match="got it twice"):
        next(images([file, file]))
    with pytest.raises(SourceError, match="none.jpg: expected an image, folder or tar"):
        next(images([file, tmp_path / "none.jpg"]))
    with pytest.raises(SourceError, match="no such file"):
        next(images([Path("a\0b")]))


def test_a_folder_or_tar_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="found none"):
        list(images([tmp_path]))
    with pytest.raises(SourceError, match="found none"):
        list(images([make_tar(tmp_path / "x.tar", "w", {"notes.txt": b""})]))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_damaged_archive_is_a_typed_error(tmp_path: Path, mode: str) -> None:
    suffix = ".tar" if mode == "w" else f".tar.{mode[2:]}"
    path = make_tar(tmp_path / f"x{suffix}", mode, {"x.jpg": bytes(range(256)) * 100})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="whole tar archive|cut off"):
        list(images([path]))
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(SourceError, match="whole tar archive"):
        list(images([path]))


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_an_archive_of_headers_about_headers_is_a_typed_error(tmp_path: Path, kind: bytes) -> None:
    about = tarfile.TarInfo("././@LongLink")
    body = b"a.png\0" if kind == tarfile.GNUTYPE_LONGNAME else b"11 path=ab\n"
    about.type, about.size = kind, len(body)
    path = tmp_path / "x.tar"
    path.write_bytes((about.tobuf(tarfile.GNU_FORMAT) + body.ljust(512, b"\0")) * 1500 + tarfile.TarInfo("b.png").tobuf() + bytes(1024))
    with pytest.raises(SourceError, match="whole tar archive"):
        list(images([path]))


def test_what_may_not_be_looked_at_is_named_and_the_others_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may be listed and not entered, as a user meets it."""
    (tmp_path / "a.png").write_bytes(b"1")
    (tmp_path / "b.png").write_bytes(b"2")
    is_file = Path.is_file

    def refused(path: Path) -> bool:
        if path.name == "a.png":
            raise PermissionError(13, "Permission denied")
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refused)
    first, second = images([tmp_path])
    assert second.data == b"2"
    with pytest.raises(SourceError, match="a.png: cannot be read: Permission denied"):
        _ = first.data


def test_garbage_behind_an_xz_header_is_a_typed_error(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.xz"
    path.write_bytes(lzma.compress(bytes(20000))[:12] + bytes(500))
    with pytest.raises(SourceError):
        list(images([path]))
