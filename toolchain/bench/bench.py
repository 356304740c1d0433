"""`toolchain bench`: how fast a bundle's variants are on this machine, side by side and beside other runtimes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from runtime_py.bundle import Bundle
from runtime_py.image import read_image
from toolchain.bench.resident import resident_bytes
from toolchain.bench.runners import Pixels, Runner, TfliteRunner, other_runner
from toolchain.bench.timing import Floats, Spread, interleaved, pinned, ratios
from toolchain.data import synthetic
from toolchain.machine import machine
from toolchain.model import Model
from toolchain.progress import Progress

REFERENCE = "fp32"
REPEATS = 10
LOADS = 5
SAME_NET = 0.999
"""Float32 on two runtimes differs by less than 1e-5; what is below this is another net, or a wrong one."""


@dataclass(frozen=True)
class Row:
    """One runner. `ratio`: its milliseconds over the reference's of the same round. `cosine`: its embedding to the reference's
    on the picture, which shows that both computed the same net. `load`: milliseconds from stored bytes to a .tflite, rebuilt and
    checked where it is packed; `resident`: bytes of memory. Both None for what is no variant."""

    name: str
    runtime: str
    delegated: str
    milliseconds: Spread
    ratio: Spread
    cosine: float
    load: Spread | None = None
    resident: int | None = None

    @property
    def slower(self) -> bool:
        """In three rounds of four it took longer than the reference."""
        return self.ratio.low > 1


@dataclass(frozen=True)
class Bench:
    """What was measured: `rounds` rounds on `threads` threads, held to `processors` (None: not held). `reference` is what ratios
    are to."""

    bundle: str
    sha256: str
    reference: str
    threads: int
    processors: int | None
    rounds: int
    rows: tuple[Row, ...]
    machine: dict[str, Any]

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "warnings": self.warnings()}

    def warnings(self) -> list[str]:
        """A line for each variant that is slower than the reference, and for each other runtime that did not run the same net."""
        lines = [
            f"{row.name} is slower than {self.reference}: {row.ratio.median:.2f} times its time "
            f"({row.ratio.low:.2f} to {row.ratio.high:.2f} in half of the rounds)"
            for row in self.rows
            if row.load is not None and row.slower
        ]
        return lines + [
            f"{row.name} ran another net than {self.reference}: the cosine of their embeddings is {row.cosine:.4f}"
            for row in self.rows
            if row.load is None and row.cosine < SAME_NET
        ]


def bench(
    bundle: Bundle, names: Sequence[str], others: Sequence[str], model: Model | None, threads: int, rounds: int, progress: Progress
) -> Bench:
    """Times the variants `names` and the comparison `model` on the runtimes `others`. Ratios are to fp32, which is timed too where
    the bundle has it, else to the first of `names`.

    Errors: BundleVariantError; RecipeError and DataError as `toolchain.bench.runners.other_runner`.
    """
    reference = REFERENCE if REFERENCE in bundle.variants else names[0]
    timed = list(dict.fromkeys((reference, *names)))
    picture = _picture(bundle)
    with pinned(threads) as processors:
        runners: list[Runner] = [TfliteRunner(bundle, name, picture, threads) for name in timed]
        if model is not None:
            for name in others:
                progress.say(f"{name}: taking the comparison model there")
                runners.append(other_runner(name, model, picture, threads))
        embeddings = [_normalised(runner.run()) for runner in runners]
        milliseconds = interleaved(runners, rounds, REPEATS, progress)
    over = ratios(milliseconds, 0)
    rows = []
    for column, runner in enumerate(runners):
        variant = runner.name if column < len(timed) else None
        rows.append(
            Row(
                runner.name,
                runner.runtime,
                runner.delegated,
                Spread.of(milliseconds[:, column]),
                Spread.of(over[:, column]),
                _cosine(embeddings[column], embeddings[0]),
                None if variant is None else _load(bundle, variant),
                None if variant is None else resident_bytes(bundle, variant),
            )
        )
    return Bench(bundle.source, bundle.sha256, reference, threads, processors, rounds, tuple(rows), dict(machine()))


def _picture(bundle: Bundle) -> Pixels:
    """The first golden face of the bundle, uint8 `[H, W, 3]` RGB, or a drawn one where it has none."""
    for image in bundle.manifest.golden.images:
        for face in image.faces:
            return read_image(bytes(bundle.blob(face.crop)), face.crop)
    taken = bundle.manifest.preprocessing.input
    return synthetic.faces(1, 1, taken.height, taken.width).images[0]


def _load(bundle: Bundle, name: str) -> Spread:
    """Milliseconds until the .tflite lies in memory."""
    times = []
    for _ in range(LOADS):
        start = time.perf_counter()
        bundle.model(name)
        times.append((time.perf_counter() - start) * 1e3)
    return Spread.of(np.array(times))


def _normalised(row: np.ndarray) -> Floats:
    wide = row.astype(np.float64)
    return wide / max(float(np.linalg.norm(wide)), 1e-12)


def _cosine(first: Floats, second: Floats) -> float:
    """Of two embeddings of length 1; 0 where they are of different sizes, which two nets may have."""
    return float(first @ second) if first.shape == second.shape else 0.0
