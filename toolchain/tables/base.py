"""What a table is made from, and what it comes to: rows of figures with what ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchain.errors import DataError
from toolchain.progress import Progress

# What a table's run can be told, beside where to keep nets: each table states as TAKES which of them it heeds.
TRAINS = frozenset({"images", "steps", "full"})
SEEDED = TRAINS | {"seeds"}
VERIFIED = SEEDED | {"lfw", "pairs"}


@dataclass(frozen=True)
class TableOrder:
    """`images`: labelled faces to train on, for tables that train. `steps` of every net, in place of the table's own. `seeds`: how many
    times each small net is trained. `full`: at the authors' resolution. `cache`: where trained nets are kept, so that a run that was
    stopped goes on. `lfw` and `pairs`: images and pairs file of a verification protocol to judge by too. `takes`: which of these the
    table heeds; the others stand at their defaults."""

    cache: Path
    progress: Progress
    images: tuple[Path, ...] = ()
    steps: int | None = None
    seeds: int = 2
    full: bool = False
    lfw: tuple[Path, ...] = ()
    pairs: Path | None = None
    takes: frozenset[str] = VERIFIED

    def __post_init__(self) -> None:
        if bool(self.lfw) != (self.pairs is not None):
            raise DataError("--lfw and --pairs belong together: the images of a verification protocol and its pairs file")

    def command(self, name: str, steps: int) -> str:
        """The command that makes table `name` again, by `steps` where none were asked for."""
        parts = [f"toolchain table {name} --images {_names(self.images)}"]
        if self.pairs is not None:
            parts.append(f"--lfw {_names(self.lfw)} --pairs {self.pairs.name}")
        parts.append(f"--steps {self.steps or steps}")
        if "seeds" in self.takes:
            parts.append(f"--seeds {self.seeds}")
        return " ".join(parts) + (" --full" if self.full else "")


def _names(paths: Sequence[Path]) -> str:
    return " ".join(Path(path).name for path in paths)


@dataclass(frozen=True)
class Figures:
    """`columns` and `rows` of text to show; `values`, a row each, as JSON values; `notes`: what ran, where, and how ours differs."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    values: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]

    def markdown(self) -> str:
        """The table as a Markdown page."""
        return "\n".join(self._lines()) + "\n"

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return {"title": self.title, "rows": list(self.values), "notes": list(self.notes)}

    def _lines(self) -> Iterator[str]:
        yield f"# {self.title}"
        yield ""
        yield f"| {' | '.join(self.columns)} |"
        yield f"|{'---|' * len(self.columns)}"
        for row in self.rows:
            yield f"| {' | '.join(row)} |"
        yield ""
        for note in self.notes:
            yield f"- {note}"
