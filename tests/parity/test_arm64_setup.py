"""What `toolchain setup-arm64` and what needs it say where it cannot."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from toolchain.cli import main
from toolchain.errors import SetupError
from toolchain.parity import arm64_setup
from toolchain.parity.debian import Packages


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
