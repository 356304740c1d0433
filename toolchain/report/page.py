"""The report as one self-contained page, and as a model card in Markdown (Mitchell et al., Model Cards for Model Reporting,
arXiv:1810.03993). The templates beside this file say what stands where; this file gives them figures as text."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from toolchain import files
from toolchain.data.png import png
from toolchain.report import plots
from toolchain.report.curves import Pixels
from toolchain.report.report import NOT_MEASURED, Report, as_json

_TYPE = "type"  # where a description names the class


def write_report(folder: Path, report: Report, card: bytes | None = None, pictures: Mapping[str, Pixels] | None = None) -> None:
    """Writes `report.json`, `report.html` and `model-card.md` to `folder`; what else is there stays. `card`: the weights' own model
    card; `pictures`: faces to show beside their names, uint8 `[H, W, 3]`. Error: DataError."""
    made = {"report.json": as_json(report), "report.html": page(report, pictures or {}), "model-card.md": model_card(report, card)}
    files.write_all(folder, made)


def page(report: Report, pictures: Mapping[str, Pixels]) -> str:
    """`report.html`: no scripts, nothing from elsewhere."""
    return (
        templates()
        .get_template("report.html")
        .render(
            report=report,
            accuracies=plots.accuracy_of(report),
            anchored=plots.comparable_with_anchors(plots.accuracy_of(report)),
            figures=_figures(report),
            key=_key(report),
            pictures={name: Markup(_data_uri(pixels)) for name, pixels in pictures.items()},
        )
    )


def model_card(report: Report, card: bytes | None) -> str:
    """`model-card.md`: the weights' own card, where they have one, then what this bundle states and what was measured."""
    stated = None if card is None else card.decode("utf-8", "replace").rstrip()
    return templates().get_template("model-card.md").render(report=report, card=stated, accuracies=plots.accuracy_of(report))


def _figures(report: Report) -> dict[str, Any]:
    """The plots that there are figures for, by what they show."""
    drawn: dict[str, Any] = {}
    if plots.accuracy_of(report):
        drawn["size"] = plots.size_and_accuracy(report)
    if any(item.cosines for item in report.variants):
        drawn["parity"] = plots.parity(report)
    if report.curves is not None:
        curves = report.curves
        names = [item.name for item in curves.variants]
        drawn |= {"roc": plots.roc(report, curves), "det": plots.det(report, curves)}
        drawn["histograms"] = {name: Markup(plots.histogram(report, curves, name)) for name in names}
        drawn["followed"] = {name: Markup(plots.followed(report, curves, name)) for name in names if name != curves.reference}
    if report.sensitivity is not None:
        drawn["sensitivity"] = plots.sensitivity(report.sensitivity)
    return {name: Markup(figure) if isinstance(figure, str) else figure for name, figure in drawn.items()}


def _key(report: Report) -> list[dict[str, Any]]:
    """What stands for each variant in the plots: its colour, mark and dashes."""
    lines = ("", "5 2", "1 1.5", "5 2 1 2", "8 2", "3 1 1 1 1 1", "2 2", "6 1")
    marks = ("●", "■", "▲", "◆", "▼", "✚", "✖", "★")
    return [
        {"name": item.name, "series": number % plots.SERIES + 1, "dashes": lines[number % len(lines)], "mark": marks[number % len(marks)]}
        for number, item in enumerate(report.variants)
    ]


def _data_uri(pixels: Pixels) -> str:
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def templates() -> Environment:
    """The templates beside this file, with the filters that they use."""
    made = Environment(
        loader=PackageLoader("toolchain.report"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "grouped": lambda value: NOT_MEASURED if value is None else f"{value:,}",
        "percent": lambda value, digits=2: NOT_MEASURED if value is None else f"{100 * value:.{digits}f} %",
        "fixed": lambda value, digits: NOT_MEASURED if value is None else f"{value:.{digits}f}",
        "short": lambda value, digits=2: NOT_MEASURED if value is None else f"{value:.{digits}g}",
        "kilobytes": lambda value: f"{value / 1e6:.2f} MB" if value >= 1e6 else f"{value / 1e3:,.0f} kB",
        "cosine": cosine,
        "settings": settings,
    }
    made.globals |= {"not_measured": NOT_MEASURED}
    return made


def cosine(value: float | None, digits: int = 6) -> str:
    """Rounded down to at most `digits` decimals, so that none but an exact 1 reads as 1; without zeros at its end beyond four."""
    if value is None:
        return NOT_MEASURED
    text = f"{math.floor(min(value, 1.0) * 10**digits) / 10**digits:.{digits}f}"
    return text[: len(text) - digits + 4] + text[len(text) - digits + 4 :].rstrip("0")


def settings(value: Any) -> str:
    """A stage, backbone or other part of a recipe's description as it would be written: `Calibrate(faces=200, method=mse)`."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{name}={settings(item)}" for name, item in value.items() if name not in (_TYPE, "stages", "gate"))
        return f"{value.get(_TYPE, '')}({inner})"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(settings(item) for item in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
