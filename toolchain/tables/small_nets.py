"""Small nets side by side (Li et al., arXiv:1706.03912, table of nets of about 1.3 million weights; Howard et al., arXiv:1704.04861,
tables 6 and 7, MobileNet's α and ρ)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, replace

from toolchain.backbones import MobileNetV1, SEPNet, SqueezeNet
from toolchain.backbones.pooled import PooledBackbone
from toolchain.costs import count_backbone
from toolchain.stage import Context
from toolchain.tables.base import SEEDED, Figures, TableOrder
from toolchain.tables.classification import People, accuracy, settings, spread, time_taken, train, what_ran

SUMMARY = "SEP-Net, MobileNet (α and ρ) and SqueezeNet: weights, multiply-adds, accuracy; trains 9 nets on --images (hours on two cores)."
TAKES = SEEDED

STEPS = 2000
CLASSES = 1000
RESOLUTIONS = (1.0, 6 / 7, 5 / 7, 4 / 7)
"""MobileNet's 224, 192, 160 and 128 pixels, as shares of the first."""


def nets() -> Iterator[tuple[str, PooledBackbone, float, str]]:
    """(name, net with all its features as the embedding, ρ, the authors' top-1 on ImageNet in percent)."""
    yield "SEP-Net", SEPNet(embedding_size=512), 1.0, "65.8"
    yield "SqueezeNet", SqueezeNet(embedding_size=512), 1.0, "60.4"
    for width, stated in ((1.0, "70.6"), (0.75, "68.4"), (0.5, "63.7"), (0.25, "50.6")):
        yield f"MobileNet α {width:g}", MobileNetV1(embedding_size=round(1024 * width), width=width), 1.0, stated
    for share in RESOLUTIONS[1:]:
        yield f"MobileNet α 0.5, ρ {share:.2f}", MobileNetV1(embedding_size=512, width=0.5), share, "–"


def figures(order: TableOrder) -> Figures:
    """Trains every net with each seed for the same number of steps."""
    started = time.monotonic()
    people = People.read(order.images, order.cache, order.progress)
    context = Context(order.cache, progress=order.progress)
    side, steps = (112 if order.full else 64), order.steps or STEPS
    rows, values = [], []
    for name, net, share, stated in nets():
        pixels = 8 * round(side * share / 8)
        how = settings(steps, pixels)
        shares = [accuracy(train(net, people, how, seed, None, context), people) for seed in range(order.seeds)]
        paper = count_backbone(replace(net, pixels=8 * round(224 * share / 8))).with_classifier(net.embedding_size, CLASSES)
        counts = (f"{paper.parameters / 1e6:.2f}", f"{paper.multiply_adds / 1e6:.0f}")
        rows.append((name, *counts, str(pixels), spread(shares), stated))
        counted = {"parameters": paper.parameters, "multiply_adds": paper.multiply_adds, "pixels": pixels}
        values.append({"net": name, **counted, "top1": [asdict(item) for item in shares], "authors_top1_imagenet": stated})
        order.progress.say(f"{name}: top-1 {rows[-1][4]} %")
    columns = ("net", "M parameters", "M multiply-adds", "trained at", "top-1 %", "ImageNet top-1 % (authors')")
    return Figures("Small nets", columns, tuple(rows), tuple(values), _notes(order, people, steps, started))


def _notes(order: TableOrder, people: People, steps: int, started: float) -> tuple[str, ...]:
    return (
        what_ran("small-nets", order, people, steps),
        f"Every net: {steps} steps of 32 faces, flip and rotation, softmax on features of length 16, AdamW at 1e-3.",
        "Parameters and multiply-adds: with a 1000-way classifier at 224 · ρ pixels, as the papers count. SEP-Net's widths are ours: its "
        "authors state the block and the total.",
        f"± is the standard deviation over {order.seeds} seeds.",
        time_taken(started),
    )
