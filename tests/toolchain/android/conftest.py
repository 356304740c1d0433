"""What the tests of packaging share: one app, made once a session, with every proof that can run here."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from toolchain.android import tools
from toolchain.android.apk import PROGRAMS
from toolchain.cli import main

NEEDED = (*PROGRAMS, "mvn")


@dataclass(frozen=True)
class Made:
    """An app that the command line made of `bundle`, what it printed, and its cache."""

    apk: Path
    report: dict[str, Any]
    bundle: Path
    cache: Path


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says in one line what a machine without Java did not test."""
    absent = tools.missing(NEEDED)
    if absent:
        packages = " ".join(dict.fromkeys(tools.DEBIAN_PACKAGES[program] for program in absent))
        terminalreporter.write_line(f"left out: the tests of Android packaging, which need {', '.join(absent)}; apt-get install {packages}")


@pytest.fixture(scope="session")
def programs() -> None:
    """Leaves a test out where a program that packaging needs is missing."""
    absent = tools.missing(NEEDED)
    if absent:
        pytest.skip(f"no {', '.join(absent)}")


@pytest.fixture(scope="session")
def made(programs: None, face_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """`toolchain apk … --prove`."""
    folder = tmp_path_factory.mktemp("apk")
    report = make(face_bundle, folder / "demo.apk", folder / "cache", "--prove")
    return Made(folder / "demo.apk", report, face_bundle, folder / "cache")


def make(bundle: Path, apk: Path, cache: Path, *options: str) -> dict[str, Any]:
    """What `toolchain apk` prints as JSON."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["apk", str(bundle), "--out", str(apk), "--cache", str(cache), "--quiet", "--json", *options]) == 0
    report: dict[str, Any] = json.loads(printed.getvalue())
    return report
