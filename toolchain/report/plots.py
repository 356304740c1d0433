"""The report's plots, each an SVG element to stand in a page.

Matplotlib draws with stand-in colours; what leaves here names the page's own (`currentColor`, `var(--grid)`, `var(--series-1)` …), so
that a plot follows the reader's light or dark scheme. Text stays text: it can be read aloud, searched and scaled. All are drawn
for the width of a phone, in points, so that letters are legible there and only grow on a wider page.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from runtime_py.manifest import Accuracy
from toolchain.report.curves import Curves, Floats, VariantCurves
from toolchain.report.report import Report
from toolchain.sensitivity.sensitivity import Sensitivity

SERIES = 8
"""Colours that the page has; a ninth variant takes the first again, with the next marker."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("solid", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)), (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (2, 2)), (0, (6, 1)))
WIDE = (4.6, 3.3)  # inches: 331 x 238 points, a phone's page is about 340 wide
TALL, SMALL, SMALL_TALL = (4.6, 3.8), (3.5, 1.9), (3.5, 2.3)
LAYERS_SHOWN = 15
LEAST_DISTANCE = 1e-9
"""Of a cosine from 1: what is closer is drawn here."""

INK, _MUTED, _GRID, _PAPER = "#00000a", "#00000b", "#00000c", "#00000d"
_OF_PAGE = {INK: "currentColor", _MUTED: "var(--muted)", _GRID: "var(--grid)", _PAPER: "var(--paper)"} | {
    f"#0000{number + 16:02x}": f"var(--series-{number + 1})" for number in range(SERIES)
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pocketface",
    "path.simplify": False,
    "font.size": 9.5,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.7,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "lines.linewidth": 1.6,
    "figure.constrained_layout.use": True,
}


def colour(number: int) -> str:
    """The stand-in for the page's colour of series `number`, from 0."""
    return f"#0000{number % SERIES + 16:02x}"


def drawn(name: str, label: str, draw: Callable[[Axes], None], size: tuple[float, float] = WIDE) -> str:
    """The SVG of one pair of axes that `draw` fills. `name`: what its ids start with, one of its own on a page; `label`: what is
    read aloud in its place; `size`: width and height in inches. The same data give the same bytes."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size)
        figure.patch.set_visible(False)
        axes = figure.subplots()
        axes.patch.set_visible(False)
        draw(axes)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _of_page(written.getvalue(), name, label)


def _of_page(svg: str, name: str, label: str) -> str:
    """`svg` as an element of a page: the page's colours and letters, ids that no other plot has, no style of its own."""
    svg = svg[svg.index("<svg") :]
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None  # matplotlib always writes one
    svg = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]*>", lambda found: _tag_of_page(found[0], name), svg)
    svg = f'<svg role="img" aria-label="{html.escape(label)}" {box[0]}>' + svg[svg.index(">") + 1 :]
    return re.sub(r"\n\s*", "\n", svg).strip()


def _tag_of_page(tag: str, name: str) -> str:
    """A tag alone, since text between tags may be a name that looks like an id or a colour."""
    tag = re.sub(r'(\bid="|xlink:href="#|url\(#)', lambda found: f"{found[1]}{name}-", tag).replace("xlink:href", "href")
    tag = re.sub(r"font: ([0-9.]+)px [^;\"]*", r"font-size: \1px", tag)
    return re.sub(r"#0000[01][0-9a-f]", lambda found: _OF_PAGE[found[0]], tag)


def _dots(axes: Axes, x: Floats, y: Floats, which: str, size: float = 2.6) -> None:
    """Points as one path of round dots, which is a line of no length with round ends: far fewer bytes than a mark each."""
    across = np.column_stack([x, x, np.full(len(x), np.nan)]).ravel()
    down = np.column_stack([y, y, np.full(len(y), np.nan)]).ravel()
    axes.plot(across, down, color=which, linewidth=size, solid_capstyle="round", alpha=0.55)


def accuracy_of(report: Report) -> dict[str, Accuracy]:
    """The accuracy by folds of each variant that has one: measured for this report, else stated by the bundle."""
    found = {}
    measured = {item.name: item.accuracy for item in report.curves.variants} if report.curves else {}
    for item in report.variants:
        rows = [row for row in (*measured.get(item.name, ()), *item.accuracy) if row.std is not None]
        if rows:
            found[item.name] = rows[0]
    return found


def comparable_with_anchors(accuracies: dict[str, Accuracy]) -> bool:
    """The anchors are of LFW's view 2; so must be what stands beside them."""
    return bool(accuracies) and all(
        row.protocol.lower().startswith("lfw") and "10 folds of 300 + 300" in row.protocol for row in accuracies.values()
    )


def size_and_accuracy(report: Report) -> str:
    """Accuracy by folds against stored bytes, with the published anchors where the protocols agree."""
    accuracies = accuracy_of(report)
    anchors = report.anchors if comparable_with_anchors(accuracies) else ()

    def draw(axes: Axes) -> None:
        for anchor in anchors:
            place = (anchor.stored, 1 - anchor.lfw)
            axes.plot(*place, marker="o", markersize=5, color=_MUTED, markerfacecolor="none", linestyle="none")
            short = len(anchor.mark) < 6
            apart, across, up = ((5, 0), "left", "center") if short else ((0, 6), "center", "bottom")
            axes.annotate(anchor.mark, place, apart, textcoords="offset points", color=_MUTED, fontsize=8, ha=across, va=up)
        for number, item in enumerate(report.variants):
            if item.name in accuracies:
                value, std = accuracies[item.name].value, accuracies[item.name].std or 0.0
                spread = [[min(std, 0.9 * (1 - value))], [std]]
                place = (item.bytes.stored, max(1 - value, 1e-4))
                mark = MARKERS[number % len(MARKERS)]
                axes.errorbar(*place, spread, color=colour(number), marker=mark, markersize=7, elinewidth=0.9)
        errors = [1 - row.value for row in accuracies.values()] + [1 - anchor.lfw for anchor in anchors]
        axes.set(xscale="log", yscale="log", xlabel="stored bytes", ylabel="accuracy (axis by error)")
        axes.set_ylim(min(1.0, 1.7 * max(errors)), 0.6 * max(min(errors), 1e-4))
        bytes_axis(axes, [item.bytes.stored for item in report.variants] + [anchor.stored for anchor in anchors])
        ticks = [
            tick for tick in (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001) if axes.get_ylim()[1] <= tick <= axes.get_ylim()[0]
        ]
        axes.yaxis.set_major_locator(FixedLocator(ticks))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda error, _: f"{100 * (1 - error):g} %"))

    listed = "; ".join(f"{name} {100 * row.value:.2f} %" for name, row in accuracies.items())
    return drawn("size", f"Accuracy against stored size: {listed}", draw)


def bytes_axis(axes: Axes, sizes: Sequence[int]) -> None:
    """A logarithmic horizontal axis with ticks in kB and MB, from somewhat less than the smallest of `sizes` to more than the largest."""
    low, high = min(sizes) / 1.6, max(sizes) * 1.6
    steps = (1, 3) if high > 30 * low else (1, 2, 5)
    axes.set_xlim(low, high)
    ticks = [step * 10**power for power in range(2, 9) for step in steps]
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size / 1e6:g} MB" if size >= 1e6 else f"{size / 1e3:g} kB"))


def roc(report: Report, curves: Curves) -> str:
    """True accept rate against false accept rate."""

    def draw(axes: Axes) -> None:
        for number, item in _numbered(report, curves):
            axes.plot(item.far, item.tar, color=colour(number), linestyle=DASHES[number % len(DASHES)])
        axes.set(xscale="log", xlabel="false accept rate", ylabel="true accept rate")
        axes.set_xlim(min(min(item.far) for item in curves.variants), 1)

    return drawn("roc", f"ROC curves of {len(curves.variants)} variants; the table of rates states their values", draw)


def det(report: Report, curves: Curves) -> str:
    """False non-match rate against false match rate, both by powers of ten (Martin et al., The DET curve, Eurospeech 1997, who scale
    by normal deviates; powers of ten are read more easily and show the same order)."""
    lowest = 1 / curves.genuine

    def draw(axes: Axes) -> None:
        for number, item in _numbered(report, curves):
            missed = np.maximum(1 - np.array(item.tar), lowest / 2)
            axes.plot(item.far, missed, color=colour(number), linestyle=DASHES[number % len(DASHES)])
        axes.set(xscale="log", yscale="log", xlabel="false match rate", ylabel="false non-match rate")
        axes.set_xlim(min(min(item.far) for item in curves.variants), 1)
        axes.set_ylim(lowest / 2, 1)
        axes.yaxis.set_minor_formatter(NullFormatter())

    return drawn("det", f"DET curves of {len(curves.variants)} variants", draw)


def _numbered(report: Report, curves: Curves) -> list[tuple[int, VariantCurves]]:
    """Each variant's curves with its number in the report, which its colour goes by."""
    numbers = {item.name: number for number, item in enumerate(report.variants)}
    return [(numbers[item.name], item) for item in curves.variants]


def histogram(report: Report, curves: Curves, name: str) -> str:
    """How alike pairs of one person and of two are to variant `name`."""
    number, item = next((number, item) for number, item in _numbered(report, curves) if item.name == name)
    threshold = next((rate["threshold"] for rate in item.evaluation["tar_at_far"] if rate["far"] == 1e-3), None)

    def draw(axes: Axes) -> None:
        edges = np.array(curves.edges)
        axes.stairs(item.impostor, edges, color=_MUTED, fill=True, alpha=0.35)
        axes.stairs(item.genuine, edges, color=colour(number), fill=True, alpha=0.35)
        axes.stairs(item.impostor, edges, color=_MUTED, linewidth=1.2)
        axes.stairs(item.genuine, edges, color=colour(number), linewidth=1.2)
        if threshold is not None:
            axes.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (3, 2)))
            top = axes.get_xaxis_transform()
            axes.annotate("FAR 1e-3", (threshold, 1), (3, 0), xycoords=top, textcoords="offset points", va="top", fontsize=8)
        axes.set(xlabel="cosine", ylabel="share of pairs")
        axes.margins(x=0)
        axes.set_ylim(bottom=0)

    label = f"Histogram of similarities by {name}: {curves.genuine} genuine pairs, {curves.impostors} impostor pairs"
    return drawn(f"histogram-{number}", label, draw, SMALL)


def followed(report: Report, curves: Curves, name: str) -> str:
    """The similarity of the same pairs by the reference and by variant `name`."""
    number, item = next((number, item) for number, item in _numbered(report, curves) if item.name == name)
    reference = next(other for other in curves.variants if other.name == curves.reference)
    same = np.array(curves.sampled_same)

    def draw(axes: Axes) -> None:
        x, y = np.array(reference.sampled), np.array(item.sampled)
        ends = (min(x.min(), y.min()) - 0.03, max(x.max(), y.max()) + 0.03)
        axes.plot(ends, ends, color=_MUTED, linewidth=0.8)
        _dots(axes, x[~same], y[~same], _MUTED)
        _dots(axes, x[same], y[same], colour(number))
        axes.set(xlim=ends, ylim=ends, xlabel=f"cosine by {curves.reference}", ylabel=f"by {name}")

    label = f"Similarities of {len(same)} pairs by {name} against {curves.reference}"
    return drawn(f"followed-{number}", label, draw, SMALL_TALL)


def parity(report: Report) -> str:
    """1 - cosine of LiteRT's embedding to torch's, a dot a face, for each variant."""
    shown = [(number, item) for number, item in enumerate(report.variants) if item.cosines]

    def draw(axes: Axes) -> None:
        for place, (number, item) in enumerate(shown):
            away = np.maximum(1 - np.array(item.cosines), LEAST_DISTANCE)
            # Spread by a fixed sequence (the golden ratio's), so that faces of one value are seen and every run draws the same.
            across = place + 0.5 * ((np.arange(len(away)) * 0.6180339887) % 1 - 0.5)
            _dots(axes, across, away, colour(number))
            axes.plot([place - 0.32, place + 0.32], [np.median(away)] * 2, color=INK, linewidth=1)
        axes.set(yscale="log", ylabel="1 − cosine to torch")
        axes.set_xlim(-0.5, len(shown) - 0.5)
        axes.set_ylim(top=min(1.0, axes.get_ylim()[1]))
        axes.set_xticks(range(len(shown)), [item.name.replace("-", "-\n") for _, item in shown])
        axes.grid(axis="x", visible=False)

    least = "; ".join(f"{item.name} {min(item.cosines):.5f}" for _, item in shown)
    return drawn("parity", f"Agreement with torch on {len(report.parity_faces)} faces, least cosine: {least}", draw)


def sensitivity(found: Sensitivity) -> str:
    """The layers that suffer most from the first form, and what the other forms do to them: 1 - mean cosine, a mark a form."""
    names = [item.layer for item in found.forms[0].layers[:LAYERS_SHOWN]]
    of_form = [{item.layer: item.error for item in form.layers} for form in found.forms]

    def draw(axes: Axes) -> None:
        for number, (form, errors) in enumerate(zip(found.forms, of_form, strict=True)):
            shown = [(max(errors[name], LEAST_DISTANCE), place) for place, name in enumerate(names[::-1]) if name in errors]
            across, places = zip(*shown, strict=True) if shown else ((), ())
            axes.plot(across, places, linestyle="none", marker=MARKERS[number % len(MARKERS)], color=colour(number), label=form.form)
        axes.set(xscale="log", xlabel="1 − mean cosine, the layer alone changed")
        # Two dollar signs would make a formula of what is between them.
        axes.set_yticks(range(len(names)), [_short(name).replace("$", r"\$") for name in names[::-1]])
        axes.tick_params(axis="y", labelsize=8)
        axes.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1.02, 1), ncols=4, frameon=False, columnspacing=1, handletextpad=0.1)

    worst = "; ".join(f"{item.form}: {_short(item.layers[0].layer)} {item.layers[0].error:.2g}" for item in found.forms)
    return drawn("sensitivity", f"Layers that suffer most, 1 - mean cosine, {worst}", draw, TALL)


def standing_alone(svg: str) -> str:
    """A plot as a file of its own: with its namespace, and colours in place of the page's."""
    named = {"--muted": "#59616b", "--grid": "#dfe3e8", "--paper": "#ffffff"}
    series = ("#0a5bb5", "#b4510a", "#15734a", "#8035b5", "#8a6d00", "#a31f4d", "#0b7285", "#5c5f66")
    named |= {f"--series-{number}": value for number, value in enumerate(series, 1)}
    svg = re.sub(r"var\((--[a-z0-9-]+)\)", lambda found: named[found[1]], svg)
    style = "color:#1b1f24;background:#ffffff;font-family:sans-serif"
    return svg.replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" style="{style}" ', 1) + "\n"


def _short(tensor: str) -> str:
    """The end of a tensor's name, which tells layers apart: their beginnings are alike."""
    name = tensor.split(";")[0].rstrip("/")
    return name if len(name) <= 28 else f"…{name[-27:]}"
