"""Quantization methods side by side on VGG11 (Shih, Huang, Chung, National Taiwan University: comparison of quantization methods)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, replace

from toolchain.backbones import VGG11
from toolchain.compress.binarize import Binarize
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.log_min_max import LogMinMax, Scope
from toolchain.kept import key_of
from toolchain.model import Model
from toolchain.stage import Context
from toolchain.tables.base import TRAINS, Figures, TableOrder
from toolchain.tables.classification import FLIP_AND_ROTATE, PRECISION, People, Trained, settings, spread, time_taken, top1, train, what_ran
from toolchain.tables.quantized import authors_bytes, entropy_bits, fp32_bytes, with_classifier
from toolchain.training.loop import Phase, TrainSettings

SUMMARY = "VGG11 under log min-max (convolutions, whole net) and binarization training: bytes and accuracy; trains 1 net, fine-tunes it."
TAKES = TRAINS

STEPS = 2000


def figures(order: TableOrder) -> Figures:
    """Trains VGG11 as the layer substitution does, or takes what it kept, and puts it through each method."""
    started = time.monotonic()
    people = People.read(order.images, order.cache, order.progress)
    context = Context(order.cache, faces=people.training, progress=order.progress)
    steps, pixels = order.steps or STEPS, 120 if order.full else 64
    trained = train(VGG11(), people, settings(steps, pixels), 0, None, context)
    whole = fp32_bytes(VGG11())
    rows, values = [], []
    for (name, model), (bits, megabytes, saved, top) in zip(_models(trained, steps, pixels, context), _AUTHORS, strict=True):
        size = authors_bytes(model) if model.encodings else whole
        coded, found = entropy_bits(model), top1(model.net, model.input, people)
        ours = (f"{coded:.2f}" if model.encodings else "32", f"{size / 1e6:.2f}", megabytes, f"{100 * (1 - size / whole):.2f} %", saved)
        rows.append((name, *ours, spread([found]), top))
        authors = {"bits": bits, "megabytes": megabytes, "saved": saved, "top1_percent": top}
        measured = {"entropy_bits": round(coded, 4) if model.encodings else 32, "bytes": round(size), "top1": asdict(found)}
        values.append({"method": name, **measured, "authors": authors})
        order.progress.say(f"{name}: top-1 {rows[-1][-2]} %")
    columns = ("method", "bits as coded", "MB", "authors'", "fewer bytes", "authors'", "top-1 %", "authors'")
    return Figures("Quantization methods", columns, tuple(rows), tuple(values), _notes(order, people, steps, started))


_AUTHORS = (
    # bits, size in MB, share saved, accuracy in percent
    ("32", "42", "–", "77.33"),
    ("6", "9.15", "78.69 %", "76.29"),
    ("–", "–", "–", "–"),
    ("6", "8.05", "81.25 %", "74.89"),
    ("–", "–", "–", "–"),
    ("2", "3.97", "90.75 %", "76.34"),
)


def _models(trained: Trained, steps: int, pixels: int, context: Context) -> Iterator[tuple[str, Model]]:
    """(method, the net with its classifier under it), each as it is asked for: binarization trains."""
    plain = with_classifier(trained)
    folded = FoldBatchNorm().apply(plain, context)
    yield "none", plain
    scopes: tuple[tuple[str, Scope], ...] = (("convolutions", "convolutions"), ("whole net", "all"))
    for name, scope in scopes:
        for suffix, centred in (("", False), (", centred", True)):
            yield f"log min-max, {name}, 6 bits{suffix}", LogMinMax(bits=6, scope=scope, centred=centred).apply(folded, context)
    stage = binarization(steps, pixels)
    key = key_of(stage=stage.describe(), model=trained.key)
    work = replace(context, work=context.work / "tables" / key[:24])
    yield "binarization training", FoldBatchNorm().apply(stage.apply(plain, work), context)


def binarization(steps: int, pixels: int) -> Binarize:
    """Half as many steps again, on the same faces, by distillation of the scores."""
    phase = Phase(max(1, steps // 2), pixels, learning_rate=1e-3)
    how = TrainSettings((phase,), batch=32, optimizer="adamw", weight_decay=0, precision=PRECISION, augment=FLIP_AND_ROTATE)
    return Binarize(settings=how, refit=0)


def _notes(order: TableOrder, people: People, steps: int, started: float) -> tuple[str, ...]:
    return (
        f"{what_ran('quantization-methods', order, people, steps)} The authors' figures are on 2360 identities of CelebA, so the columns "
        "compare in shape, not in value.",
        "The net is layer-substitution's VGG11. Log min-max: batch norm folded, no fine-tuning; centred: a step "
        "of the grid stands for its middle, where the authors' floor makes every weight smaller. Binarization training: the signs of every "
        f"convolution but the first, with a scale a filter, straight through, {max(1, steps // 2)} steps more of 32 faces, AdamW at 1e-3, "
        "learning the float net's scores; the first layer and the classifier stay floats.",
        "MB and fewer bytes: whole codes, with a 2360-way classifier on 512 features, against VGG11's fp32; the authors count 2 bits a "
        "binary weight, we store 1. Bits as coded: the mean entropy of the codes of what is encoded.",
        "The range behind an accuracy is its 95 % confidence interval.",
        time_taken(started),
    )
