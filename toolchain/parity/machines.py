"""Where a .tflite can be run: this machine, and arm64 processors emulated by qemu. Every run is a process of its own, so that a
file that crashes a runtime is a result like any other.
"""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolchain.parity import arm64_setup, arm64_worker, host
from toolchain.parity.host import RUNTIMES, Floats, Runtime
from toolchain.progress import Progress
from toolchain.report.machine import machine

CPUS = ("cortex-a53", "cortex-a76")
"""A small core of 2012 without, and a large one of 2018 with, dot products of int8 and arithmetic in fp16: XNNPACK has other
kernels for each."""


@dataclass(frozen=True)
class Machine:
    """A processor that runtimes run on: its `name` in results, the command that runs a Python script there, the folder that numpy
    and the runtimes lie in, and the installed `versions` of these by distribution."""

    name: str
    command: tuple[str, ...]
    site: Path
    versions: Mapping[str, str]

    def label(self, runtime: Runtime) -> str:
        """How results name the runtime on this machine."""
        return f"{runtime.name} {self.versions[runtime.name]} on {self.name}"


def this_machine() -> Machine:
    """The machine that this process runs on."""
    versions = {runtime.name: version for runtime in RUNTIMES if (version := runtime.version()) is not None}
    architecture = "arm64" if arm64_setup.is_native() else platform.machine()
    return Machine(architecture, (sys.executable, "-B"), Path(np.__file__).parent.parent, versions)


def arm64_machines() -> tuple[Machine, ...]:
    """An emulated machine for each of CPUS; on an arm64 machine that one itself. Error: SetupError where nothing is set up."""
    if arm64_setup.is_native():
        return (this_machine(),)
    setup = arm64_setup.find()
    name = f"under qemu {setup.contents.qemu}"
    return tuple(Machine(f"arm64 {cpu} {name}", tuple(setup.command(cpu)), setup.site, setup.contents.runtimes) for cpu in CPUS)


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


def run(machines: Sequence[Machine], jobs: Sequence[Job], progress: Progress) -> Results:
    """Runs every job on every runtime of every machine, as many processes at once as this machine has cores."""
    lanes = [(place, runtime) for place in machines for runtime in RUNTIMES if runtime.name in place.versions]
    with tempfile.TemporaryDirectory(prefix="parity-") as name, ThreadPoolExecutor(int(machine()["cores"])) as pool:
        folder = Path(name)
        inputs = _write_inputs(folder, jobs)
        work = [pool.submit(_lane, place, runtime, folder / str(number), inputs, progress) for number, (place, runtime) in enumerate(lanes)]
        done = [item.result() for item in work]
    results: Results = {}
    for (place, runtime), lane in zip(lanes, done, strict=True):
        results.update({(place.name, runtime.name, job): found for job, found in lane.items()})
    return results


def _write_inputs(folder: Path, jobs: Sequence[Job]) -> dict[str, dict[str, str]]:
    """The files of each job; jobs of the same array share its file."""
    arrays: dict[int, Path] = {}
    written = {}
    for number, job in enumerate(jobs):
        tflite = folder / f"{number}.tflite"
        tflite.write_bytes(job.tflite)
        if id(job.inputs) not in arrays:
            arrays[id(job.inputs)] = folder / f"{number}-inputs.npy"
            np.save(arrays[id(job.inputs)], job.inputs)
        written[job.name] = {"tflite": str(tflite), "inputs": str(arrays[id(job.inputs)])}
    return written


def _lane(place: Machine, runtime: Runtime, folder: Path, inputs: dict[str, dict[str, str]], progress: Progress) -> dict[str, Ran | Failed]:
    """Every job on one runtime of one machine. A process that dies takes the job at which it died with it; the others go on."""
    folder.mkdir()
    results: dict[str, Ran | Failed] = {}
    where = place.label(runtime)
    left = {name: {**files, "out": str(folder / str(number))} for number, (name, files) in enumerate(inputs.items())}
    while left:
        (folder / "job.json").write_text(json.dumps({"module": runtime.module, "models": list(left.values())}))
        for line in _process([*place.command, arm64_worker.__file__, str(place.site), str(folder / "job.json")], folder / "errors"):
            name = next(name for name, files in left.items() if files["out"] == line)
            results[name] = _result(Path(left.pop(name)["out"]))
            progress.say(f"{where}: {name} ({len(results)} of {len(inputs)})")
        if left:
            reason = (folder / "errors").read_text().strip().splitlines()[-1]
            name = next(iter(left))
            del left[name]
            results[name] = Failed(reason)
            progress.say(f"{where}: {name}: {reason}")
    return results


def _process(command: list[str], errors: Path) -> Iterator[str]:
    """The lines that a process prints. `errors` gets what it says on stderr, and last how it ended where it failed."""
    with errors.open("w") as said, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True) as process:
        assert process.stdout is not None  # it is a pipe
        for line in process.stdout:
            yield line.rstrip("\n")
    code = process.returncode
    if code:
        lines = errors.read_text().strip().splitlines()
        ended = f"killed by {signal.Signals(-code).name}" if code < 0 else lines[-1] if lines else f"exit code {code}"
        with errors.open("a") as said:
            said.write(f"\n{ended}\n")


def _result(out: Path) -> Ran | Failed:
    facts = json.loads(out.with_suffix(".json").read_text())
    outputs: npt.NDArray[Any] = np.load(out.with_suffix(".npy"), allow_pickle=False)
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
