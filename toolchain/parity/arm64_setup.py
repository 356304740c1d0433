"""What arm64 parity needs on another processor: an emulator, a Python for arm64 with its libraries, and the runtimes' wheels.

- qemu-user from Debian 13: version 10, statically linked. That of Debian 12 (7.2) crashes in the runtimes' kernels; 8.2 is the
  first that does not.
- Python 3.11 for arm64 from Debian 12: the newest Python that tflite-runtime 2.14 has wheels for.
- numpy, ai-edge-litert and tflite-runtime for aarch64, of the versions that the extra `toolchain` pins, by pip and by hash.

All of it lies in a folder of the user's cache, named by what it was made from, and is used from there; nothing is installed.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime_py import typed_json
from toolchain import files
from toolchain.errors import SetupError
from toolchain.kept import cache_folder, key_of
from toolchain.parity import debian
from toolchain.progress import Progress

HOW = "run `toolchain setup-arm64`"
_PYTHON_RELEASE, _QEMU_RELEASE = "bookworm", "trixie"
_PYTHON = ("python3.11-minimal", "libpython3.11-stdlib", "libstdc++6")
_WHEELS = {
    "numpy==1.26.4": "7ab55401287bfec946ced39700c053796e7cc0e3acbef09993a9ad2adba6ca6e",
    "ai-edge-litert==2.3.0": "853fc608f96da87bd5f3458465dfb9abbf18d5ae6b94eceacead407146f175ae",
    "tflite-runtime==2.14.0": "ce9fa5d770a9725c746dcbf6f59f3178233b3759f09982e8b2db8d2234c333b0",
}
_TAGS = tuple(f"manylinux_2_{minor}_aarch64" for minor in (17, 27, 34))  # those of the wheels above; Debian 12 has glibc 2.36
_STATED = "setup.json"


@dataclass(frozen=True)
class Contents:
    """What a setup holds: `qemu` and `runtimes` are versions, `packages` and `wheels` the sha256 of each file or requirement
    that it was made from."""

    qemu: str
    runtimes: Mapping[str, str]
    packages: Mapping[str, str]
    wheels: Mapping[str, str]

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return {"qemu": self.qemu, **{name: dict(getattr(self, name)) for name in ("runtimes", "packages", "wheels")}}


@dataclass(frozen=True)
class Setup:
    """A folder that holds `contents`."""

    folder: Path
    contents: Contents

    def command(self, cpu: str) -> list[str]:
        """How a Python script is run on `cpu`, a name that qemu knows, such as cortex-a53: the script and its arguments follow."""
        root = self.folder / "python"
        emulator = [str(self.folder / "qemu" / "qemu-aarch64"), "-cpu", cpu, "-L", str(root)]
        return [*emulator, str(root / "usr/bin/python3.11"), "-B", "-I"]

    @property
    def site(self) -> Path:
        """The folder that numpy and the runtimes lie in, for the script to put on its path."""
        return self.folder / "site"


def folder() -> Path:
    """Where the setup lies: below the user's cache folder, by what it is made from."""
    made_from = key_of(python=[_PYTHON_RELEASE, *_PYTHON], qemu=_QEMU_RELEASE, wheels=_WHEELS)
    return cache_folder() / f"arm64-{made_from[:16]}"


def find() -> Setup:
    """The setup of this machine. Error: SetupError where there is none, or a step of it is unfinished."""
    place = folder()
    try:
        return Setup(place, typed_json.read(Contents, typed_json.parse((place / _STATED).read_bytes()), _STATED))
    except OSError:
        raise SetupError(f"expected an arm64 setup in {place}, found none; {HOW}") from None
    except typed_json.TypedJsonError as error:
        raise SetupError(f"{place / _STATED}: damaged ({error}); remove {place} and {HOW}") from None


def is_native() -> bool:
    """Whether this machine is aarch64 itself, and needs no setup."""
    return platform.machine() in ("aarch64", "arm64")


def set_up(progress: Progress, mirror: str | None = None) -> Setup:
    """Fetches what is not there yet, each part whole or not at all, and tries it.

    `mirror`: a Debian mirror; None: that of this machine's apt configuration. Errors: SetupError where a program is missing, a
    download fails, a hash is wrong, or the runtimes do not load.
    """
    place = folder()
    try:
        return find()
    except SetupError:
        progress.say(f"arm64 setup in {place}")
    mirror = mirror or debian.configured_mirror()
    python = debian.Packages(_PYTHON_RELEASE, "arm64", _PYTHON, dependencies=True)
    qemu = debian.Packages(_QEMU_RELEASE, debian.architecture(), ("qemu-user",), dependencies=False)
    sums: dict[str, str] = {}
    with _part(place, "python", sums, progress, "Python 3.11 for arm64 (13 MB)") as part:
        if part is not None:
            sums.update(_packages(python, mirror, place, part))
    with _part(place, "qemu", sums, progress, "qemu-user 10 (71 MB)") as part:
        if part is not None:
            sums.update(_packages(qemu, mirror, place, part))
            _keep_only(part, "usr/bin/qemu-aarch64")
    with _part(place, "site", {}, progress, "numpy, ai-edge-litert and tflite-runtime for aarch64 (31 MB)") as part:
        if part is not None:
            _install_wheels(part)
    progress.say("trying it")
    made = _tried(place, dict(sorted(sums.items())))
    files.write(place / _STATED, json.dumps(made.contents.describe(), indent=1) + "\n")
    shutil.rmtree(place / "downloads", ignore_errors=True)
    return made


@contextmanager
def _part(place: Path, name: str, sums: dict[str, str], progress: Progress, what: str) -> Iterator[Path | None]:
    """A folder to fill, which becomes `place / name` when the block ends well; None where an earlier run did that.

    The sha256 sums that the block adds to `sums` are kept beside it, so that they are known to a later run too.
    """
    known = place / f"{name}.json"
    if (place / name).is_dir() and known.exists():
        sums.update(json.loads(known.read_text()))
        yield None
        return
    progress.say(f"fetching {what}")
    before = set(sums)
    with files.partial_folder(place / name) as part:
        yield part
    files.write(known, json.dumps({file: digest for file, digest in sums.items() if file not in before}))


def _packages(packages: debian.Packages, mirror: str, place: Path, part: Path) -> dict[str, str]:
    """Fetches and unpacks to `part`; the downloads stay for a run that goes on."""
    downloads = place / "downloads" / packages.suite
    sums = packages.fetch(mirror, downloads)
    for package in packages.files(downloads):
        debian.unpack(package, part)
    return sums


def _keep_only(part: Path, program: str) -> None:
    """Of emulators for thirty processors, the one that is used."""
    shutil.move(part / program, part / Path(program).name)
    shutil.rmtree(part / "usr")


def _install_wheels(part: Path) -> None:
    """Unpacks the wheels; pip refuses one whose sha256 is another. No code of theirs is run."""
    requirements = part / "requirements.txt"
    requirements.write_text("".join(f"{name} --hash=sha256:{digest}\n" for name, digest in _WHEELS.items()))
    options = ["--quiet", "--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes", "--implementation", "cp"]
    platforms = [word for tag in _TAGS for word in ("--platform", tag)]
    command = [sys.executable, "-m", "pip", "install", *options, "--python-version", "3.11", *platforms]
    done = subprocess.run([*command, "--target", str(part), "-r", str(requirements)], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.startswith("ERROR")]
        lines = lines or done.stderr.strip().splitlines()[-1:]
        raise SetupError(f"pip: cannot fetch the arm64 wheels: {'; '.join(lines)}; check the network, then run it again")
    requirements.unlink()


_TRY = """import json, sys
sys.path.insert(0, sys.argv[1])
from importlib import import_module, metadata
for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
    import_module(name).Interpreter
print(json.dumps({name: metadata.version(name) for name in ("numpy", "ai-edge-litert", "tflite-runtime")}))
"""


def _tried(place: Path, packages: Mapping[str, str]) -> Setup:
    """The finished setup, after both runtimes were loaded on an emulated processor. Error: SetupError where they do not load."""
    command = Setup(place, Contents("", {}, packages, _WHEELS)).command("cortex-a53")
    emulator = subprocess.run([command[0], "--version"], capture_output=True, text=True, check=False)
    done = subprocess.run([*command, "-c", _TRY, str(place / "site")], capture_output=True, text=True, check=False)
    if emulator.returncode or done.returncode:
        last = (emulator.stderr + done.stderr).strip().splitlines()[-1:] or [f"exit codes {emulator.returncode} and {done.returncode}"]
        raise SetupError(f"the arm64 Python does not load the runtimes: {last[0]}; remove {place} and {HOW} again")
    version = emulator.stdout.split("version ")[1].split()[0]
    return Setup(place, Contents(version, json.loads(done.stdout), packages, _WHEELS))
