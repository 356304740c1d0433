"""What a build did: beside the bundle as JSON and as a page, and as a table on the console.

Whatever depends on the machine or the moment stands here and not in the bundle: times, latencies, what was installed.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from runtime_py.manifest import Accuracy, Bytes
from toolchain import files

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class VariantReport:
    """One variant. `parity`: the exact figures on each runtime, LiteRT first (toolchain.variants.figures); its milliseconds
    are the median of single images with one thread on this machine. `seconds`: what this build spent on it."""

    name: str
    bytes: Bytes
    packed: bool
    parity: tuple[Mapping[str, Any], ...]
    accuracy: tuple[Accuracy, ...]
    seconds: float

    def accuracy_text(self) -> str:
        """The accuracy by folds where there is one, else the first figure."""
        rows = sorted(self.accuracy, key=lambda row: row.std is None)
        if not rows:
            return NOT_MEASURED
        spread = "" if rows[0].std is None else f" ± {100 * rows[0].std:.2f}"
        return f"{100 * rows[0].value:.2f}{spread} %"


@dataclass(frozen=True)
class BuildReport:
    """A build: `left_out` says why a variant is not in the bundle; `seconds` is the time by step."""

    bundle: str
    sha256: str
    size: int
    name: str
    target: str
    default_variant: str
    variants: tuple[VariantReport, ...]
    left_out: Mapping[str, str]
    seconds: Mapping[str, float]
    machine: Mapping[str, str | int]
    packages: Mapping[str, str]

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def rows(self) -> list[tuple[str, ...]]:
        """The table of variants, as text."""
        return [
            (
                item.name + (" (default)" if item.name == self.default_variant else ""),
                f"{item.bytes.raw:,}",
                f"{item.bytes.gzip:,}",
                f"{item.bytes.stored:,}",
                f"{item.parity[0]['max_abs']:.2g}",
                f"{item.parity[0]['min_cosine']:.5f}",
                item.accuracy_text(),
                f"{item.parity[0]['ms']:.2f}",
            )
            for item in self.variants
        ]


COLUMNS = ("variant", "bytes raw", "gzip", "stored", "max abs", "min cosine", "accuracy", "ms")


def table(report: BuildReport) -> Table:
    """The variants as a table for the console."""
    result = Table(title=f"{report.bundle}: {report.size:,} bytes for {report.target}", title_justify="left")
    for number, column in enumerate(COLUMNS):
        result.add_column(column, justify="left" if number == 0 else "right")
    for row in report.rows():
        result.add_row(*row)
    return result


def write_report(folder: Path, report: BuildReport) -> None:
    """Writes `report.json` and `index.html` to `folder`, whole or not at all. Error: DataError."""
    with files.partial_folder(folder) as partial:
        (partial / "report.json").write_text(json.dumps(report.describe(), indent=1) + "\n")
        (partial / "index.html").write_text(page(report), encoding="utf-8")


def page(report: BuildReport) -> str:
    """The report as one HTML page without scripts."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in COLUMNS)
    rows = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in report.rows())
    facts = {
        "bundle": f"{report.bundle}, {report.size:,} bytes, sha256 {report.sha256}",
        "target": report.target,
        **{f"left out: {name}": why for name, why in report.left_out.items()},
        **{f"seconds: {step}": f"{value:.1f}" for step, value in report.seconds.items()},
        **{str(name): str(value) for name, value in report.machine.items()},
        **{f"package {name}": version for name, version in report.packages.items()},
    }
    details = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>" for name, value in facts.items())
    protocols = sorted({f"{row.protocol} (data {row.data_sha256[:12]})" for item in report.variants for row in item.accuracy})
    notes = "".join(f"<li>{html.escape(protocol)}</li>" for protocol in protocols)
    return (
        f"<!doctype html>\n<html lang=en><meta charset=utf-8><title>{html.escape(report.name)} for {html.escape(report.target)}</title>"
        "<style>body{font:16px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}table{border-collapse:collapse;margin:1em 0}"
        "td,th{border:1px solid #999;padding:.2em .6em;text-align:left}td+td{font-variant-numeric:tabular-nums}</style>"
        f"<h1>{html.escape(report.name)} for {html.escape(report.target)}</h1><table><tr>{head}</tr>{rows}</table>"
        "<p>max abs and min cosine: embeddings of the .tflite against torch on the same weights. "
        f"ms: one image, LiteRT, one thread, this machine.</p><ul>{notes}</ul><h2>Details</h2><table>{details}</table></html>\n"
    )
