"""python -m toolchain.android.step_worker BUNDLE VARIANT THREADS TEMPLATES: times the steps of recognition by runtime_py.

It prints the TFLite runtime and the steps that it has; then, for each line "STEP RUNS" that it reads, the milliseconds of each
run. java/StepBenchmark.java is the same for the Android SDK. It runs in a process of its own, so that nothing else that the
toolchain loads takes part.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from runtime_py.bundle import Bundle
from runtime_py.gallery.search import Index
from runtime_py.image import read_image
from runtime_py.recognizer import Recognizer, finder


def main(path: str, variant: str, threads: int, templates: int) -> None:
    """Answers orders until there are no more."""
    bundle = Bundle.open(path)
    recognizer, found = Recognizer(bundle, variant, threads), finder(bundle, threads)
    golden = bundle.manifest.golden.images[0]
    photograph = read_image(bytes(bundle.blob(golden.image)), golden.image)
    crop = read_image(bytes(bundle.blob(golden.faces[0].crop)), golden.faces[0].crop)
    points = found.detector.find(photograph)[0].key_points
    index = _index(bundle.manifest.embedding.size, templates)
    probe = np.ascontiguousarray(np.eye(1, bundle.manifest.embedding.size, dtype=np.float32)[0])
    steps: dict[str, Callable[[], object]] = {
        "detect": lambda: found.detector.find(photograph),
        "align": lambda: found.crop(photograph, points),
        "embed": lambda: recognizer.embedder.embed(crop),
        "match": lambda: index.search(probe, 1),
    }
    print(recognizer.runtime)
    print(*steps, flush=True)
    for line in sys.stdin:
        name, runs = line.split()
        print(*_times(steps[name], int(runs)), flush=True)


def _times(step: Callable[[], object], runs: int) -> list[float]:
    """Milliseconds of each run."""
    times = []
    for _ in range(runs):
        start = time.perf_counter_ns()
        step()
        times.append((time.perf_counter_ns() - start) / 1e6)
    return times


def _index(size: int, count: int) -> Index:
    """One template each of `count` people, of random directions: what they are makes no difference to the time."""
    vectors = np.random.default_rng(2).standard_normal((count, size)).astype(np.float32)
    index = Index(size)
    index.add(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.arange(count))
    return index


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
