"""Progress on long work: a rich bar on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """Writes to stderr, so that stdout stays for results."""

    quiet: bool = False

    def say(self, line: str) -> None:
        """One line about what is being done."""
        if not self.quiet:
            Console(stderr=True, highlight=False, soft_wrap=True).print(line, markup=False)

    def track(self, items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
        """Yields `items` while showing how far it got; on something that is no terminal, a line every 30 seconds."""
        if total is None and isinstance(items, Sized):
            total = len(items)
        if self.quiet:
            yield from items
        elif sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
            with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
                yield from bar.track(items, total=total, description=what)
        else:
            last = time.monotonic()
            for done, item in enumerate(items):
                if time.monotonic() - last > 30:
                    last = time.monotonic()
                    self.say(f"{what}: {done} of {total if total is not None else '?'}")
                yield item
