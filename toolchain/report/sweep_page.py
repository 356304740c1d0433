"""What a sweep came to: as JSON, as Markdown, and as a page with accuracy against stored size and the Pareto front marked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from toolchain import files
from toolchain.report import plots
from toolchain.report.page import cosine, templates

if TYPE_CHECKING:
    from toolchain.sweep.points import Row
    from toolchain.sweep.sweep import Swept

COLUMNS = ("settings", "variant", "stored bytes", "accuracy %", "min cosine", "ms", "Pareto front", "gates missed")


def write_sweep(folder: Path, name: str, swept: Swept) -> None:
    """Writes `sweep.json`, `sweep.md`, `sweep.svg` and `sweep.html` to `folder`; what else is there stays. Without a row there is no
    plot. Error: DataError."""
    made = {
        "sweep.json": json.dumps({"recipe": name, **swept.describe()}, indent=1) + "\n",
        "sweep.md": markdown(name, swept),
        "sweep.html": page(name, swept),
    }
    if swept.rows:
        made["sweep.svg"] = plots.standing_alone(plot(swept))
    files.write_all(folder, made)
    if not swept.rows:
        (folder / "sweep.svg").unlink(missing_ok=True)  # of an earlier sweep


def cells(swept: Swept) -> list[tuple[str, ...]]:
    """A row of text for each variant of each point, the smallest first."""
    marked = sorted(zip(swept.rows, swept.front(), strict=True), key=lambda pair: pair[0].stored)
    return [_cells(row, on_front) for row, on_front in marked]


def _cells(row: Row, on_front: bool) -> tuple[str, ...]:
    ran = ("–", "–") if row.min_cosine is None else (cosine(row.min_cosine), f"{row.milliseconds:.2f}")
    named = " ".join(f"{name}={value}" for name, value in row.settings.items())
    return (named, row.variant, f"{row.stored:,}", f"{100 * row.accuracy:.2f}", *ran, "yes" if on_front else "", "; ".join(row.missed))


def markdown(name: str, swept: Swept) -> str:
    """The table as a Markdown section."""
    lines = [f"## Sweep of {name}", "", f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(row)} |" for row in cells(swept)]
    lines += ["", *(f"- Failed: {settings}: {why}" for settings, why in swept.failed.items())]
    return "\n".join(lines).rstrip() + "\n"


def page(name: str, swept: Swept) -> str:
    """`sweep.html`: no scripts, nothing from elsewhere."""
    drawn = Markup(plot(swept)) if swept.rows else None
    return templates().get_template("sweep.html").render(name=name, plot=drawn, columns=COLUMNS, rows=cells(swept), failed=swept.failed)


def plot(swept: Swept) -> str:
    """Accuracy against stored bytes as SVG: a mark for each row, in its variant's colour; the front is ringed and joined by steps."""
    names = sorted({row.variant for row in swept.rows})
    front = sorted((row.stored, 100 * row.accuracy) for row, on_front in zip(swept.rows, swept.front(), strict=True) if on_front)

    def draw(axes: Axes) -> None:
        for number, name in enumerate(names):
            points = np.array([(row.stored, 100 * row.accuracy) for row in swept.rows if row.variant == name])
            mark = plots.MARKERS[number % len(plots.MARKERS)]
            axes.plot(*points.T, color=plots.colour(number), marker=mark, markersize=6, linestyle="none", label=name)
        x, y = np.array(front).T
        axes.plot(x, y, color=plots.INK, linewidth=1, drawstyle="steps-post")
        axes.plot(x, y, color=plots.INK, marker="o", markersize=11, markerfacecolor="none", linestyle="none", label="Pareto front")
        axes.set(xscale="log", xlabel="stored bytes", ylabel="accuracy (1 − equal error rate), %")
        plots.bytes_axis(axes, [row.stored for row in swept.rows])
        axes.legend(frameon=False, fontsize=8)

    listed = "; ".join(f"{size:,} bytes {accuracy:.2f} %" for size, accuracy in front)
    return plots.drawn("sweep", f"Accuracy against stored size of {len(swept.rows)} variants; the Pareto front: {listed}", draw)
