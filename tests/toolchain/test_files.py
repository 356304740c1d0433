"""Files that are whole or not there."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from toolchain import files
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


def test_a_new_file_can_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    files.write(tmp_path / "whole", "text")
    (tmp_path / "plain").write_text("text")
    assert stat.S_IMODE((tmp_path / "whole").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file/out"):
        files.write(tmp_path / "file" / "out", b"")
    with pytest.raises(DataError, match="got a file"), files.partial_folder(tmp_path / "file"):
        pass
