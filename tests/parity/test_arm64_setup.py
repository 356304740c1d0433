"""What `toolchain setup-arm64` says where it cannot, and what it writes down."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runtime_py.manifest import Parity
from toolchain.cli import main
from toolchain.errors import DataError, SetupError
from toolchain.parity import arm64_record, arm64_setup
from toolchain.parity.debian import Packages

ROW = Parity("ai-edge-litert 2.3.0 on arm64 cortex-a53", "ai-edge-litert 2.3.0 on x86_64", 32, 4e-6, 0.9999, 0.9999)


def test_without_a_setup_the_error_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(SetupError, match="found none; run `toolchain setup-arm64`$"):
        arm64_setup.find()


def test_a_damaged_setup_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    arm64_setup.folder().mkdir(parents=True)
    (arm64_setup.folder() / "setup.json").write_text('{"qemu": 10}')
    with pytest.raises(SetupError, match="damaged"):
        arm64_setup.find()


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="this machine has no apt")
def test_a_mirror_that_does_not_answer_is_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # Port 9 of this machine: nothing listens there, so the answer is at once.
    assert main(["setup-arm64", "--mirror", "http://127.0.0.1:9/debian", "--quiet"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "127.0.0.1:9" in said and "--mirror" in said
    with pytest.raises(SetupError):
        arm64_setup.find()


def test_without_apt_the_program_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="^apt-get: expected on this machine, found none"):
        Packages("trixie", "amd64", ("qemu-user",), dependencies=False).fetch("http://127.0.0.1:9/debian", tmp_path / "state")


def test_figures_are_recorded_by_the_bytes_that_were_measured(tmp_path: Path) -> None:
    path = tmp_path / "arm64.json"
    arm64_record.record(path, {"a" * 64: [ROW, ROW], "b" * 64: [ROW]})
    arm64_record.record(path, {"a" * 64: [ROW]})
    assert arm64_record.read(path) == {"a" * 64: (ROW,), "b" * 64: (ROW,)}


@pytest.mark.parametrize("text", ["", "{}", '{"models": {"a": [{"runtime": 1}]}}'])
def test_a_damaged_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "arm64.json").write_text(text)
    with pytest.raises(DataError, match="--record"):
        arm64_record.read(tmp_path / "arm64.json")


def test_the_package_record_is_of_that_form() -> None:
    assert all(row.faces >= 32 and " on arm64" in row.runtime for rows in arm64_record.shipped().values() for row in rows)
