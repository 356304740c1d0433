"""The programs of others that packaging runs: which Debian package brings a missing one, and their failures as one line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from toolchain.errors import PackagingError

DEBIAN_PACKAGES = {
    "java": "openjdk-17-jdk-headless",
    "javac": "openjdk-17-jdk-headless",
    "keytool": "openjdk-17-jdk-headless",
    "mvn": "maven",
    "apksigner": "apksigner",
    "zipalign": "zipalign",
    "dexdump": "dexdump",
    "adb": "adb",
    "qemu-aarch64": "qemu-user",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    "aarch64-linux-gnu-nm": "binutils-aarch64-linux-gnu",
}
"""The Debian (and Ubuntu) package of each program."""


def missing(programs: Iterable[str]) -> list[str]:
    """Those of `programs` that are not on the path."""
    return [program for program in programs if shutil.which(program) is None]


def require(programs: Sequence[str], what: str) -> None:
    """Error: PackagingError where one of `programs` is missing; it names the packages to install for `what`."""
    absent = missing(programs)
    if absent:
        packages = " ".join(dict.fromkeys(DEBIAN_PACKAGES[program] for program in absent))
        raise PackagingError(f"{what} needs {', '.join(absent)}: expected on the PATH, not found; apt-get install {packages}")


def run(command: Sequence[str | Path], what: str) -> str:
    """The standard output of a command that ended well; it is never asked for anything. Error: PackagingError with `what`
    and the first line of the command's own error."""
    words = [str(word) for word in command]
    require(words[:1] if words[0] in DEBIAN_PACKAGES else [], what)
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "LC_ALL": "C.UTF-8", "JAVA_TOOL_OPTIONS": _short_lived()},  # some of their messages are read
        )
    except OSError as error:
        raise PackagingError(f"{what}: {words[0]} cannot be run ({error.strerror})") from None
    if done.returncode != 0:
        raise PackagingError(f"{what}: {Path(words[0]).name} failed with {done.returncode}: {_reason(done.stderr, done.stdout)}")
    return done.stdout


def _short_lived() -> str:
    """Options for every JVM: these runs take seconds, in which what the optimizing compiler and a parallel collector save is less
    than what they cost (dx: 2.8 s of processor time in place of 6.3)."""
    return " ".join([os.environ.get("JAVA_TOOL_OPTIONS", ""), "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"]).strip()


def _reason(*outputs: str) -> str:
    """The first line that looks like an error, else the last line that is there."""
    lines = [line.strip() for output in outputs for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() or "exception" in line.lower()]
    return (telling or lines[-1:] or ["it said nothing"])[0][:300]
