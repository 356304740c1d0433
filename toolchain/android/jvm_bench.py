"""Each step of recognition by the Android SDK on the desktop's JVM, beside runtime_py, in one run.

The two take turns on the same machine, so that what else it does falls on both. The JVM is the desktop's, and its TFLite the
desktop's build of the version that the app has: the ratio says what Java costs, not how fast a phone is; the app's self-test
says that.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from runtime_py.bundle import Bundle
from toolchain.android import tools
from toolchain.android.artefacts import ANDROID, DESKTOP, JAVACPP, JSON, NULLABILITY, TFLITE, fetch
from toolchain.android.compile import compile_java
from toolchain.android.sources import Sources
from toolchain.errors import DataError, PackagingError
from toolchain.progress import Progress

TEMPLATES = 10_000
_PROGRAM = Path(__file__).parent / "java" / "StepBenchmark.java"
_MEANINGS = {
    "yuv": "camera frame of 640 x 480 to upright RGB",
    "detect": "faces in the first golden photograph",
    "align": "its first face to a crop",
    "embed": "a crop to its embedding",
    "match": f"one template against {TEMPLATES:,}",
}
_BATCH_SECONDS = 0.1
WARM_SECONDS = 2.0
"""How long a side runs a step before it counts: long enough for the JVM to have compiled what it will."""


@dataclass(frozen=True)
class StepTimes:
    """A step's milliseconds on each side: the median over the rounds of the fastest run of each, since what else the machine does
    only adds to a run. `ratio` is the median over the rounds of the JVM's over Python's. Python has no camera, and no step `yuv`."""

    step: str
    meaning: str
    jvm_ms: float
    python_ms: float | None
    ratio: float | None


@dataclass(frozen=True)
class JvmBenchmark:
    """`rounds` rounds of every step, in turns; one thread where `threads` is 1."""

    bundle: str
    variant: str
    threads: int
    rounds: int
    jvm_runtime: str
    python_runtime: str
    steps: tuple[StepTimes, ...]

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def benchmark(
    path: Path, variant: str | None, threads: int, rounds: int, progress: Progress, warm_seconds: float = WARM_SECONDS
) -> JvmBenchmark:
    """Compiles the SDK, and times both sides on the bundle at `path` (`variant` None: its default one).

    Errors: BundleError; DataError for a bundle without a detector or golden face; PackagingError without Java, or where a side fails.
    """
    bundle = Bundle.open(path)
    name = bundle.variant(variant).name
    if bundle.manifest.detector is None or not any(image.faces for image in bundle.manifest.golden.images[:1]):
        raise DataError(f"{path}: expected a bundle with a detector and a golden face, got one without; build it with both")
    tools.require(["java", "javac"], "the benchmark on the JVM")
    words = [str(path), name, str(threads), str(TEMPLATES)]
    with tempfile.TemporaryDirectory() as folder:
        java = [*_compiled(Path(folder) / "classes", progress), *words]
        python = [sys.executable, "-m", "toolchain.android.step_worker", *words]
        with _Side("the JVM", java, threads) as jvm, _Side("runtime_py", python, threads) as other:
            steps = tuple(
                _step(step, jvm, other, rounds, warm_seconds) for step in progress.track(jvm.steps, "timing each step on both sides")
            )
            return JvmBenchmark(bundle.sha256, name, threads, rounds, jvm.runtime, other.runtime, steps)


def _compiled(out: Path, progress: Progress) -> list[str]:
    """The command that runs the benchmark's program on the SDK's classes, which are compiled to `out`."""
    fetched = fetch((TFLITE, JAVACPP, *DESKTOP, JSON, NULLABILITY, ANDROID), progress)
    progress.say("compiling the SDK")
    compile_java(Sources.find().java("sdk"), [path for artefact, path in fetched.items() if artefact not in DESKTOP], out)
    # Without the framework, whose jar holds copies of classes that the desktop has.
    path = [out, *(path for artefact, path in fetched.items() if artefact != ANDROID)]
    return ["java", "-cp", ":".join(map(str, path)), str(_PROGRAM)]


class _Side:
    """A process that times steps when it is told to."""

    def __init__(self, name: str, command: Sequence[str], threads: int) -> None:
        self._name = name
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))}
        self._process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment
        )

    def __enter__(self) -> _Side:
        try:
            self.runtime = self._line()
            self.steps = self._line().split()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()

    def _close(self) -> None:
        """It keeps nothing that an end by force would lose."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def times(self, step: str, runs: int) -> list[float]:
        """Milliseconds of each of `runs` runs of `step`. Error: PackagingError where the process ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{step} {runs}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        return [float(word) for word in self._line().split()]

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        return line.strip()

    def _ended(self) -> PackagingError:
        self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
        return PackagingError(f"benchmark: {self._name} ended with {self._process.returncode}: {said[-1][:300]}")


def _step(step: str, jvm: _Side, python: _Side, rounds: int, warm_seconds: float) -> StepTimes:
    """Both warm up, then take turns in batches of about a tenth of a second."""
    sides = [jvm, python] if step in python.steps else [jvm]
    runs = [_warm(side, step, warm_seconds) for side in sides]
    fastest = [[min(side.times(step, count)) for side, count in zip(sides, runs, strict=True)] for _ in range(rounds)]
    ours = statistics.median(row[0] for row in fastest)
    if len(sides) == 1:
        return StepTimes(step, _MEANINGS[step], ours, None, None)
    ratio = statistics.median(row[0] / row[1] for row in fastest)
    return StepTimes(step, _MEANINGS[step], ours, statistics.median(row[1] for row in fastest), ratio)


def _warm(side: _Side, step: str, seconds: float) -> int:
    """Runs `step` until it is as fast as it gets; returns how many runs make a batch."""
    spent, last = 0.0, 1.0
    count = 1
    while spent < 1000 * seconds:
        times = side.times(step, count)
        spent += sum(times)
        last = min(times)
        count = min(200, 2 * count)
    return max(5, round(1000 * _BATCH_SECONDS / last))
