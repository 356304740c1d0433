"""Layer substitution (Shih, Huang, Chung, National Taiwan University, stage 1): VGG11 and six lighter nets, trained alike."""

from __future__ import annotations

import time
from dataclasses import asdict

from toolchain.backbones import VGG11
from toolchain.costs import count_backbone
from toolchain.data.identification import Share
from toolchain.stage import Context
from toolchain.tables.base import SEEDED, Figures, TableOrder
from toolchain.tables.classification import (
    People,
    accuracy,
    authors_settings,
    settings,
    spread,
    substitutes,
    time_taken,
    train,
    what_ran,
)

SUMMARY = "VGG11 and its six substitutes: size, multiply-adds, accuracy; trains 7 nets on --images (hours on two cores)."
TAKES = SEEDED

AUTHORS_CLASSES = 2360
STEPS = 2000
_ROWS: tuple[tuple[str, VGG11, str, str, str], ...] = (
    # net, and the authors' size in MB, multiply-adds in millions, accuracy in percent
    ("VGG11", VGG11(), "42", "2120", "77.33"),
    ("Fire module", VGG11(module="fire"), "6.1", "280", "79.13"),
    ("Depthwise + pointwise", VGG11(module="depthwise"), "10.4", "260", "79.66"),
    ("Flame module", VGG11(module="flame"), "3.7", "110", "76.42"),
    ("Flame + Shrink", VGG11(module="flame", shrink=True), "3.2", "31.7", "78.02"),
    ("Flame + Shallow", VGG11(module="flame", shallow=True), "3.2", "71.7", "74.80"),
    ("Flame + Shrink + Shallow", VGG11(module="flame", shrink=True, shallow=True), "2.7", "27.1", "63.29"),
)


def figures(order: TableOrder) -> Figures:
    """Trains the baseline once and every substitute with each seed, distilled from the baseline, all for the same number of steps."""
    started = time.monotonic()
    people = People.read(order.images, order.cache, order.progress)
    context = Context(order.cache, progress=order.progress)
    pixels, steps = (120 if order.full else 64), order.steps or STEPS
    how = settings(steps, pixels)
    baseline = train(_ROWS[0][1], people, how, 0, None, context)
    rows, values = [], []
    for name, net, *stated in _ROWS:
        shares = [accuracy(item, people) for item in substitutes(net, baseline, people, how, order.seeds, context)]
        row, value = _row(name, net, shares, tuple(stated))
        rows.append(row)
        values.append(value)
        order.progress.say(f"{name}: top-1 {row[-2]} %")
    few = max(1, steps // 5)
    authors, ours = (train(_ROWS[0][1], people, made(few, pixels), 0, None, context) for made in (authors_settings, settings))
    compared = _with_authors_optimiser(few, accuracy(authors, people), accuracy(ours, people))
    notes = (*_what_ran(order, people, steps), compared, time_taken(started))
    columns = ("net", "MB", "authors'", "fewer bytes", "M multiply-adds", "authors'", "top-1 %", "authors'")
    return Figures("Layer substitution", columns, tuple(rows), tuple(values), notes)


def _row(name: str, net: VGG11, shares: list[Share], stated: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, object]]:
    """Costs with the authors' classifier at their resolution, so that they stand beside theirs."""
    costs, whole = (count_backbone(item).with_classifier(item.embedding_size, AUTHORS_CLASSES) for item in (net, VGG11()))
    saved = 1 - costs.fp32_bytes / whole.fp32_bytes
    megabytes, millions = f"{costs.fp32_bytes / 1e6:.2f}", f"{costs.multiply_adds / 1e6:.1f}"
    row = (name, megabytes, stated[0], f"{100 * saved:.1f} %", millions, stated[1], spread(shares), stated[2])
    authors = dict(zip(("megabytes", "million_multiply_adds", "top1_percent"), map(float, stated), strict=True))
    value = {"net": name, "fp32_bytes": costs.fp32_bytes, "multiply_adds": costs.multiply_adds, "saved": round(saved, 5)}
    return row, {**value, "top1": [asdict(share) for share in shares], "authors": authors}


def _what_ran(order: TableOrder, people: People, steps: int) -> tuple[str, ...]:
    resized = "enlarged to 120 pixels from the images' own" if order.full else "at 64 pixels, where a step costs a quarter"
    return (
        f"{what_ran('layer-substitution', order, people, steps)} The authors' figures are on 2360 identities of CelebA, so the columns "
        "compare in shape, not in value.",
        f"Every net: {steps} steps of 32 faces {resized}, flip and rotation; softmax on features of length 16; AdamW at 1e-3. The "
        "substitutes learn the baseline's probabilities too (τ = 4).",
        "Sizes (fp32 parameters) and multiply-adds: with a 2360-way classifier on 512 features, at 120 × 120. The baseline's are the "
        "authors' 42 MB and 2120 M. Their Fire and Flame files are 2.3 MB smaller than ours: as if their classifier read 256 features; "
        "the differences between their Flame rows are ours (Shrink: 0.5 MB less).",
        f"± is the standard deviation over {order.seeds} seeds; the baseline's range is the 95 % confidence interval of one.",
    )


def _with_authors_optimiser(steps: int, authors: Share, ours: Share) -> str:
    return (
        f"Trained for {steps} steps alone, the baseline comes to {spread([authors])} % with the authors' optimiser (Adam at 1e-5) and to "
        f"{spread([ours])} % with ours."
    )
