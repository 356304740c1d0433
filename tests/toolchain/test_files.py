"""Files that are whole or not there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.conftest import RECIPE
from toolchain import files
from toolchain.cli import main
from toolchain.errors import DataError


def test_a_write_that_is_stopped_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    files.write(target, b"before")
    with pytest.raises(KeyboardInterrupt), files.partial(target) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"before"
    assert [item.name for item in tmp_path.iterdir()] == ["out.bin"]


def test_a_folder_that_is_stopped_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "report"
    with files.partial_folder(target) as folder:
        (folder / "a").write_text("first")
    with pytest.raises(KeyboardInterrupt), files.partial_folder(target) as folder:
        (folder / "b").write_text("half")
        raise KeyboardInterrupt
    assert [item.name for item in target.iterdir()] == ["a"]
    with files.partial_folder(target) as folder:
        (folder / "c").write_text("second")
    assert [item.name for item in target.iterdir()] == ["c"]
    assert [item.name for item in tmp_path.iterdir()] == ["report"]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_one_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, real = tmp_path / "kept", os.replace
    with files.partial_folder(target) as folder:
        (folder / "a").write_text("first")

    def stopped(source: Path, place: Path) -> None:
        if Path(source).suffix == ".part":
            raise PermissionError(13, "no")
        real(source, place)

    monkeypatch.setattr(files.os, "replace", stopped)
    with pytest.raises(DataError, match="cannot be written"), files.partial_folder(target) as folder:
        (folder / "b").write_text("second")
    assert [item.relative_to(tmp_path).as_posix() for item in sorted(tmp_path.rglob("*"))] == ["kept", "kept/a"]


def test_files_are_written_among_others_and_none_where_one_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    files.write_all(tmp_path, {"a": "text", "b": b"data"})
    with pytest.raises(UnicodeEncodeError):
        files.write_all(tmp_path, {"a": "newer", "b": "\udce9"})
    assert {item.name: item.read_text() for item in tmp_path.iterdir()} == {"a": "text", "b": "data", "thesis.txt": "mine"}
    with pytest.raises(DataError, match=r"thesis.txt/a: cannot be written"):
        files.write_all(tmp_path / "thesis.txt", {"a": "text"})


def test_a_new_file_can_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    files.write(tmp_path / "whole", "text")
    (tmp_path / "plain").write_text("text")
    assert stat.S_IMODE((tmp_path / "whole").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_write_does_not_touch_the_umask_which_other_threads_write_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(mask: int) -> int:
        raise AssertionError(f"the umask was set to {mask:o}, if only for a moment")

    monkeypatch.setattr(os, "umask", refused)
    files.write(tmp_path / "file", "text")
    with files.partial_folder(tmp_path / "folder"):
        pass


def test_a_place_is_tried_before_there_is_anything_to_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for place in ("file/x", "file/deep/x", "folder", "n" * 250, "new/" + "n" * 250, "n" * 300 + "/x"):
        with pytest.raises(DataError, match=r"cannot be written \([A-Z][^)]*\); give another place$"):
            files.try_place(tmp_path / place)
    for place in ("file", "new", "new/deep/x"):
        files.try_place(tmp_path / place)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


@pytest.mark.parametrize(
    "command",
    [
        "build {recipe} --target linux-arm64 --out {file}/x.pface",
        "build {recipe} --target linux-arm64 --out {long}.pface",
        "convert {recipe} --out {file}",
        "train {recipe} --images {images} --out {file}/x.safetensors",
    ],
)
def test_commands_try_the_place_before_they_work(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The images, which are missing, are not yet asked for."""
    (tmp_path / "file").touch()
    places = {"recipe": RECIPE, "file": tmp_path / "file", "long": tmp_path / ("n" * 300), "images": tmp_path / "none"}
    assert main(command.format(**places).split()) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file/out"):
        files.write(tmp_path / "file" / "out", b"")
    with pytest.raises(DataError, match="got a file"), files.partial_folder(tmp_path / "file"):
        pass
