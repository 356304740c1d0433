"""Debian packages for another release or processor, unpacked into a folder: no root, nothing installed, nothing of the machine
changed.

apt is run on a state of its own, with the mirror that the machine's own configuration names. It checks the signature of each
release and the sha256 of each package, and goes on with a download that was cut off.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import SetupError

_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class Packages:
    """Packages of a Debian release (`suite`) for one architecture, with what they depend on where `dependencies` is set."""

    suite: str
    architecture: str
    names: tuple[str, ...]
    dependencies: bool

    def fetch(self, mirror: str, folder: Path) -> dict[str, str]:
        """Downloads to `folder` and returns sha256 by file name. Errors: SetupError, with what apt said."""
        configuration = self._state(mirror, folder)
        _apt(configuration, folder, "update")
        if self.dependencies:
            _apt(configuration, folder, "install", "--yes", "--download-only", "--no-install-recommends", *self.names)
        else:
            _apt(configuration, folder / "archives", "download", *self.names)
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.files(folder)}

    def files(self, folder: Path) -> list[Path]:
        """The packages that were downloaded to `folder`."""
        return sorted((folder / "archives").glob("*.deb"))

    def _state(self, mirror: str, folder: Path) -> Path:
        """apt's own state below `folder`; returns its configuration file."""
        for part in ("lists/partial", "archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        signed = f"signed-by={_KEYS} " if _KEYS.exists() else ""
        (folder / "status").write_text("")
        (folder / "sources.list").write_text(f"deb [{signed}arch={self.architecture}] {mirror} {self.suite} main\n")
        settings = {
            "Dir::State": folder,
            "Dir::State::Lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder,
            "Dir::Cache::archives": folder / "archives",
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "APT::Architecture": self.architecture,
            # Downloads go to a folder that apt's own unprivileged user may not enter.
            "APT::Sandbox::User": "root",
            "Debug::NoLocking": "true",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
            "Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled": "false",
            "Acquire::Retries": "3",
        }
        path = folder / "apt.conf"
        lines = [f'{name} "{value}";' for name, value in settings.items()]
        path.write_text("\n".join([*lines, f'APT::Architectures {{ "{self.architecture}"; }};\n']))
        return path


def unpack(package: Path, folder: Path) -> None:
    """The files of a .deb, below `folder`; none of its scripts is run. Error: SetupError."""
    _run(["dpkg", "-x", str(package), str(folder)], folder, {})


def architecture() -> str:
    """This machine's architecture as Debian calls it. Error: SetupError where there is no dpkg."""
    return _run(["dpkg", "--print-architecture"], Path("/"), {}).strip()


def configured_mirror() -> str:
    """The Debian mirror of this machine's own apt configuration, whose lists need not have been fetched.

    Error: SetupError where it has none.
    """
    releases = re.findall(r"'(\S+)/dists/(\S+)/InRelease'", _run(["apt-get", "update", "--print-uris"], Path("/"), {}))
    found = {mirror.rstrip("/") for mirror, suite in releases if (mirror, f"{suite}-updates") in releases}
    if not found:
        names = ", ".join(sorted({mirror for mirror, _ in releases})) or "no source at all"
        raise SetupError(f"apt: expected a Debian mirror with a release and its -updates, got {names}; give --mirror URL")
    return sorted(found)[0]


def _apt(configuration: Path, folder: Path, *arguments: str) -> None:
    _run(["apt-get", "--quiet", *arguments], folder, {"APT_CONFIG": str(configuration)})


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> str:
    """What a program printed. Error: SetupError where it is missing or failed, with the lines in which it says why."""
    if shutil.which(command[0]) is None:
        raise SetupError(f"{command[0]}: expected on this machine, found none; arm64 packages are fetched on Debian or a relative of it")
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", **environment}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    problems = [line for line in done.stderr.splitlines() if line.startswith("E:")]
    # `apt-get update` exits with 0 where an index could not be fetched, and says so on stderr.
    if done.returncode or problems or "Failed to fetch" in done.stderr:
        said = "; ".join(problems) or " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise SetupError(f"{' '.join(command[:3])}: {said}; check the network and --mirror, then run it again: it goes on")
    return done.stdout
