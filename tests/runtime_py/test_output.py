from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime_py import output
from runtime_py.errors import SourceError


def test_a_file_is_replaced_whole_with_the_rights_that_open_gives(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x"
    before = os.umask(0o027)
    try:
        output.write(path, b"first")
        output.write(path, b"second")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"second" and os.stat(path).st_mode & 0o777 == 0o640
    assert list(path.parent.iterdir()) == [path]


def test_a_name_as_long_as_names_can_be_is_written(tmp_path: Path) -> None:
    output.write(tmp_path / ("x" * 255), b"data")
    assert (tmp_path / ("x" * 255)).read_bytes() == b"data"


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "null", "folder", "x" * 256, "folder/../pipe", "nul\0"):
        with pytest.raises(SourceError):
            output.write(tmp_path / name, b"data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "null", "pipe"]
    assert (tmp_path / "pipe").is_fifo() and (tmp_path / "null").is_symlink()
