"""MobileFaceNet at five widths (Wang et al., Exclusivity-Consistency Regularized Knowledge Distillation, ECCV 2020: table of filters of the
student): size, multiply-adds, time and accuracy."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

from toolchain.backbones import MobileFaceNet
from toolchain.costs import count_backbone, measure
from toolchain.losses import ArcFace, Train
from toolchain.machine import machine
from toolchain.tables.base import VERIFIED, Figures, TableOrder
from toolchain.tables.embedders import columns, contexts, from_scratch, judges_note, schedule

SUMMARY = "MobileFaceNet from 1/8 to twice its width: size, multiply-adds, ms, accuracy; trains 5 nets on --images."
TAKES = VERIFIED

STEPS = 500
# width, and the authors' filters of the first layer, file, multiply-adds in G, ms and LFW in percent
_ROWS = (
    (2.0, "(2×) 128", "16 MB", "1.44", "158", "99.34"),
    (1.0, "64", "4.8 MB", "0.38", "84", "99.11"),
    (0.5, "(1/2) 32", "1.7 MB", "0.11", "49", "98.55"),
    (0.25, "(1/4) 16", "648 KB", "0.03", "34", "97.60"),
    (0.125, "(1/8) 8", "304 KB", "0.01", "28", "94.29"),
)


def figures(order: TableOrder) -> Figures:
    """Trains each width with each seed alike, from scratch. Sizes and times are those of the authors' 512 numbers; accuracy is of 128,
    so that nets are shared with the table `assignment`."""
    started = time.monotonic()
    context, judges = contexts(order)
    how = schedule(order, STEPS)
    rows, values = [], []
    for width, filters, *stated in _ROWS:
        sized = MobileFaceNet(embedding_size=512, width=width)
        costs, measured = count_backbone(sized), measure(sized, order.cache)
        net, by = MobileFaceNet(width=width, activation="relu"), Train(ArcFace(scale=32), how)
        judged = [judges.judge(from_scratch(net, by, replace(context, seed=seed))) for seed in range(order.seeds)]
        megabytes, adds = f"{measured.tflite_bytes / 1e6:.2f}", f"{costs.multiply_adds / 1e9:.3f}"
        row = (filters, megabytes, stated[0], adds, stated[1], f"{measured.milliseconds:.1f}", stated[2], *columns(judged), stated[3])
        rows.append(row)
        counted = {"parameters": costs.parameters, "multiply_adds": costs.multiply_adds, **asdict(measured)}
        values.append({"width": width, **counted, "seeds": [item.describe() for item in judged]})
        order.progress.say(f"width {width:g}: LFW {row[-4]} %, rank-1 {row[-3]} %")
    facts = machine()
    notes = (
        f"`{order.command('widths', STEPS)}`. {judges_note(judges, context)}",
        f"Ours: {how.steps} steps of {how.batch} faces at {how.phases[0].pixels} pixels, ArcFace, from scratch; the authors' nets saw "
        "millions of faces and a teacher, so the columns compare in shape, not in value.",
        "MB, multiply-adds and ms: with PReLU and 512 numbers at 112 × 112, as the authors'; ms of the fp32 .tflite by LiteRT on one "
        "thread of this machine, theirs on a phone. Accuracy: with ReLU and 128 numbers.",
        f"± is the standard deviation over {order.seeds} seeds." if order.seeds > 1 else "One seed.",
        f"{(time.monotonic() - started) / 60:.0f} minutes for what had not been kept, on {facts['cores']} cores of {facts['processor']}.",
    )
    heads = (
        "filters",
        "MB",
        "authors'",
        "G multiply-adds",
        "authors'",
        "ms",
        "authors'",
        "LFW %",
        "rank-1 %",
        "NearestOne %",
        "authors' LFW %",
    )
    return Figures("Widths of MobileFaceNet", heads, tuple(rows), tuple(values), notes)
