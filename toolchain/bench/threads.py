"""`toolchain bench-threads`: one recognizer and one gallery shared by many threads, held to what one thread gives."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runtime_py.bundle import Bundle
from runtime_py.gallery import Gallery, TemplateModel
from runtime_py.image import Pixels
from runtime_py.recognizer import Recognizer
from toolchain.bench.search_worker import drawn
from toolchain.bundling.golden import golden_photographs
from toolchain.errors import DataError
from toolchain.machine import machine
from toolchain.progress import Progress

TOP = 5
_SAID_EVERY = 10.0

Answer = tuple[bytes, tuple[tuple[str, float], ...]]
"""The bytes of a face's embedding, and the people that a search gave for it with their similarities."""


@dataclass(frozen=True)
class ThreadBench:
    """`checked` photographs were identified by `threads` threads in `seconds`; `mismatches` differed in any bit from what one thread
    had given, or raised an error, the first of which is `first_error`."""

    bundle: str
    variant: str
    runtime: str
    threads: int
    seconds: float
    people: int
    checked: int
    mismatches: int
    first_error: str | None
    machine: dict[str, Any]

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


class _Shared:
    """What the threads share, and what they found."""

    def __init__(self, recognizer: Recognizer, gallery: Gallery, photographs: Sequence[Pixels]) -> None:
        self.recognizer, self.gallery, self.photographs = recognizer, gallery, photographs
        self.model = TemplateModel.of(recognizer.variant)
        self.expected = [self.identified(photograph) for photograph in photographs]
        self.lock = threading.Lock()
        self.checked = self.mismatches = 0
        self.first_error: str | None = None

    def identified(self, photograph: Pixels) -> list[Answer]:
        """Faces, embeddings, searches: everything from pixels to people."""
        answers = []
        for face in self.recognizer.faces(photograph):
            row = self.recognizer.embed(face)
            people = self.gallery.search(row, self.model, TOP)
            answers.append((row.tobytes(), tuple((person.id, similarity) for person, similarity in people)))
        return answers

    def work(self, start: int, until: float) -> None:
        """Identifies one photograph after the other until that time."""
        number = start
        while time.monotonic() < until:
            number = (number + 1) % len(self.photographs)
            error = None
            try:
                same = self.identified(self.photographs[number]) == self.expected[number]
            except Exception as wrong:  # whatever a thread dies of is a finding
                same, error = False, f"{type(wrong).__name__}: {wrong}"
            with self.lock:
                self.checked += 1
                self.mismatches += not same
                self.first_error = self.first_error or error


def bench_threads(bundle: Bundle, variant: str | None, threads: int, seconds: float, people: int, progress: Progress) -> ThreadBench:
    """Lets `threads` threads identify the drawn photographs of the golden vectors for `seconds`, in a gallery of `people` drawn people.

    Errors: BundleVariantError; DataError for a bundle without a detector.
    """
    if bundle.manifest.detector is None:
        raise DataError(f"{bundle.source}: expected a bundle with a detector, got one without; build it with one")
    recognizer = Recognizer(bundle, variant)
    photographs = [pixels for pixels, _ in golden_photographs()]
    with TemporaryDirectory() as folder, Gallery(Path(folder) / "people") as gallery:
        model = TemplateModel.of(recognizer.variant)
        for number, row in enumerate(drawn(people, model.size, 0)):
            gallery.enrol(f"person {number}", row, model)
        shared = _Shared(recognizer, gallery, photographs)
        start = time.monotonic()
        workers = [threading.Thread(target=shared.work, args=(number, start + seconds)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():
                worker.join(_SAID_EVERY)
                progress.say(f"{shared.checked} photographs, {shared.mismatches} mismatches")
    return ThreadBench(
        bundle.source,
        recognizer.variant.name,
        recognizer.runtime,
        threads,
        seconds,
        people,
        shared.checked,
        shared.mismatches,
        shared.first_error,
        dict(machine()),
    )
