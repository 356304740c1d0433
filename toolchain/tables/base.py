"""What a table is made from, and what it comes to: rows of figures with what ran."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchain.errors import DataError
from toolchain.progress import Progress


@dataclass(frozen=True)
class TableOrder:
    """`images`: labelled faces to train on, for tables that train. `steps` of every net, in place of the table's own. `seeds`: how many
    times each small net is trained. `full`: at the authors' resolution. `cache`: where trained nets are kept, so that a run that was
    stopped goes on. `lfw` and `pairs`: images and pairs file of a verification protocol to judge by too, for tables that do."""

    cache: Path
    progress: Progress
    images: tuple[Path, ...] = ()
    steps: int | None = None
    seeds: int = 2
    full: bool = False
    lfw: tuple[Path, ...] = ()
    pairs: Path | None = None

    def __post_init__(self) -> None:
        if bool(self.lfw) != (self.pairs is not None):
            raise DataError("--lfw and --pairs belong together: the images of a verification protocol and its pairs file")


@dataclass(frozen=True)
class Figures:
    """`columns` and `rows` of text to show; `values`, a row each, as JSON values; `notes`: what ran, where, and how ours differs."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    values: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]

    def markdown(self) -> str:
        """The table as a Markdown section."""
        return "\n".join(self._lines()) + "\n"

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return {"title": self.title, "rows": list(self.values), "notes": list(self.notes)}

    def _lines(self) -> Iterator[str]:
        yield f"## {self.title}"
        yield ""
        yield f"| {' | '.join(self.columns)} |"
        yield f"|{'---|' * len(self.columns)}"
        for row in self.rows:
            yield f"| {' | '.join(row)} |"
        yield ""
        for note in self.notes:
            yield f"- {note}"
