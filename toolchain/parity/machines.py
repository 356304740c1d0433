"""Where a .tflite can be run: this machine, and arm64 processors emulated by qemu. Every run is a process of its own, so that a
file that crashes a runtime is a result like any other.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolchain.kept import KeptBytes, key_of
from toolchain.machine import machine
from toolchain.parity import arm64_setup, arm64_worker, host
from toolchain.parity.host import RUNTIMES, Floats, Runtime
from toolchain.progress import Progress

CPUS = ("cortex-a53", "cortex-a76")
"""A small core of 2012 without, and a large one of 2018 with, dot products of int8 and arithmetic in fp16: XNNPACK has other
kernels for each."""


@dataclass(frozen=True)
class Machine:
    """A processor that runtimes run on: its `name` in results, the command that runs a Python script there, the folder that numpy
    and the runtimes lie in, and the installed `versions` of these by distribution. `emulated`: what it is made of, where that
    decides all that it computes, so that results may be kept; None: this machine."""

    name: str
    command: tuple[str, ...]
    site: Path
    versions: Mapping[str, str]
    emulated: str | None = None

    def label(self, runtime: Runtime) -> str:
        """How results name the runtime on this machine."""
        return f"{runtime.name} {self.versions[runtime.name]} on {self.name}"


def this_machine() -> Machine:
    """The machine that this process runs on."""
    versions = {runtime.name: version for runtime in RUNTIMES if (version := runtime.version()) is not None}
    architecture = "arm64" if arm64_setup.is_native() else platform.machine()
    return Machine(architecture, (sys.executable, "-B", "-P"), Path(np.__file__).parent.parent, versions)


def arm64_machines() -> tuple[Machine, ...]:
    """An emulated machine for each of CPUS; on an arm64 machine that one itself. Error: SetupError where nothing is set up."""
    if arm64_setup.is_native():
        return (this_machine(),)
    setup = arm64_setup.find()
    made_of = key_of(setup=setup.contents.describe())
    name, versions = f"under qemu {setup.contents.qemu}", setup.contents.runtimes
    return tuple(Machine(f"arm64 {cpu} {name}", tuple(setup.command(cpu)), setup.site, versions, made_of) for cpu in CPUS)


@dataclass(frozen=True, eq=False)
class Job:
    """A .tflite and the tensors `[N, ...]` that it is to run on, one after the other."""

    name: str
    tflite: bytes
    inputs: npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Ran:
    """What came of a job: the outputs `[N, D]` as the file gives them, `rows` the same as reals of length 1 in float64, and whether
    XNNPACK ran the whole graph (None: the runtime does not say)."""

    outputs: npt.NDArray[Any]
    rows: Floats
    whole: bool | None


@dataclass(frozen=True)
class Failed:
    """A job that gave nothing to compare, and why."""

    reason: str


Results = dict[tuple[str, str, str], Ran | Failed]
"""By machine, runtime and job, each by its name."""


def run(machines: Sequence[Machine], jobs: Sequence[Job], kept: KeptBytes, progress: Progress) -> Results:
    """Runs every job on every runtime of every machine, as many processes at once as this machine has cores.

    What an emulated machine computes is kept in `kept`, by the file, its inputs and what the machine is made of: an inference
    there takes a second, and a run that was stopped goes on.
    """
    lanes = [(place, runtime, job) for place in machines for runtime in RUNTIMES if runtime.name in place.versions for job in jobs]
    with ThreadPoolExecutor(int(machine()["cores"])) as pool:
        work = [pool.submit(_run, place, runtime, job, kept) for place, runtime, job in lanes]
        try:
            for _ in progress.track(as_completed(work), "running the variants", len(work)):
                pass
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    names = [(place.name, runtime.name, job.name) for place, runtime, job in lanes]
    return {name: item.result() for name, item in zip(names, work, strict=True)}


class _DiedError(Exception):
    """A process that gave no result, and why."""


def _run(place: Machine, runtime: Runtime, job: Job, kept: KeptBytes) -> Ran | Failed:
    try:
        if place.emulated is None:
            return _read(_process(place, runtime, job))
        key = key_of(
            made="outputs",
            machine=[place.name, place.emulated],
            runtime=runtime.name,
            tflite=hashlib.sha256(job.tflite).hexdigest(),
            inputs=[str(job.inputs.dtype), hashlib.sha256(np.ascontiguousarray(job.inputs).tobytes()).hexdigest()],
            source=hashlib.sha256(Path(arm64_worker.__file__).read_bytes()).hexdigest(),
        )
        return _read(kept.get(key, lambda: _process(place, runtime, job)))
    except _DiedError as error:
        return Failed(str(error))


def _process(place: Machine, runtime: Runtime, job: Job) -> bytes:
    """What the worker writes: a line of JSON, then the outputs as .npy. Error: _DiedError."""
    with tempfile.TemporaryDirectory(prefix="parity-") as name:
        folder = Path(name)
        (folder / "net.tflite").write_bytes(job.tflite)
        np.save(folder / "inputs.npy", job.inputs)
        files = [str(folder / file) for file in ("net.tflite", "inputs.npy", "out")]
        command = [*place.command, arm64_worker.__file__, str(place.site), runtime.module, *files]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise _DiedError(f"killed by {signal.Signals(-done.returncode).name}" if done.returncode < 0 else lines[-1])
        return (folder / "out.json").read_bytes() + b"\n" + (folder / "out.npy").read_bytes()


def _read(written: bytes) -> Ran | Failed:
    text, _, array = written.partition(b"\n")
    facts = json.loads(text)
    outputs: npt.NDArray[Any] = np.load(io.BytesIO(array), allow_pickle=False)
    reals = outputs.astype(np.float64)
    if outputs.dtype.kind in "iu":
        reals = (reals - facts["zero_point"]) * facts["scale"]
    lengths = np.linalg.norm(reals, axis=1, keepdims=True)
    bad = int((~np.isfinite(lengths) | (lengths == 0)).sum())
    if bad:
        return Failed(f"{bad} of {len(reals)} embeddings are not finite or of length zero")
    operators = facts["operators"]
    whole = None if operators is None else host.partitions_of(operators, [facts["input"]], [facts["output"]]) == 1
    return Ran(outputs, reals / lengths, whole)
