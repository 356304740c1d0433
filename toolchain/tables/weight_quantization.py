"""Weight quantization (Shih, Huang, Chung, National Taiwan University, stage 2): nets of the layer substitution under log min-max."""

from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np

from toolchain.backbones import VGG11
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.log_min_max import LogMinMax
from toolchain.model import Model
from toolchain.stage import Context
from toolchain.tables.base import SEEDED, Figures, TableOrder
from toolchain.tables.classification import People, Trained, accuracy, settings, spread, substitutes, time_taken, top1, train, what_ran
from toolchain.tables.quantized import authors_bytes, entropy_bits, fp32_bytes, with_classifier

SUMMARY = (
    "VGG11 at 6 bits and its substitutes at 8 to 10, log min-max: bytes and accuracy; trains 4 nets on --images, as layer-substitution."
)
TAKES = SEEDED

STEPS = 2000
_ROWS: tuple[tuple[str, VGG11, int, str, str, str], ...] = (
    # net, and the authors' bits, size in MB, share saved and accuracy in percent
    ("VGG11", VGG11(), 6, "8.05", "81.25", "74.89"),
    ("Depthwise + pointwise", VGG11(module="depthwise"), 9, "2.89", "93.27", "77.12"),
    ("Fire module", VGG11(module="fire"), 8, "1.54", "96.41", "73.67"),
    ("Flame module", VGG11(module="flame"), 10, "1.13", "97.37", "76.11"),
)


def figures(order: TableOrder) -> Figures:
    """Trains as the layer substitution does, or takes what it kept, and quantizes the whole of each net, classifier included."""
    started = time.monotonic()
    people = People.read(order.images, order.cache, order.progress)
    context = Context(order.cache, progress=order.progress)
    steps = order.steps or STEPS
    how = settings(steps, 120 if order.full else 64)
    baseline = train(VGG11(), people, how, 0, None, context)
    whole = fp32_bytes(VGG11())
    found = accuracy(baseline, people)
    rows: list[tuple[str, ...]] = [("VGG11", "32", "–", f"{whole / 1e6:.2f}", "42.94", "–", "–", spread([found]), "–", "–", "77.33")]
    values: list[dict[str, object]] = [{"net": "VGG11", "bits": 32, "bytes": whole, "fp32_bytes": whole, "top1_fp32": [asdict(found)]}]
    for name, net, bits, *stated in _ROWS:
        trained = substitutes(net, baseline, people, how, order.seeds, context)
        row, value = _row(name, net, bits, tuple(stated), trained, whole, people, context)
        rows.append(row)
        values.append(value)
        order.progress.say(f"{name} at {bits} bits: top-1 {row[7]} %")
    sizes = ("net", "bits", "bits as coded", "MB", "authors'", "fewer bytes", "authors'")
    columns = (*sizes, "top-1 %, fp32", "quantized", "centred", "authors'")
    return Figures("Weight quantization", columns, tuple(rows), tuple(values), _notes(order, people, steps, started))


def _row(
    name: str, net: VGG11, bits: int, stated: tuple[str, ...], trained: list[Trained], whole: float, people: People, context: Context
) -> tuple[tuple[str, ...], dict[str, object]]:
    """The bytes are those with the authors' classifier; `stated`: their MB, share saved and accuracy."""
    models, centred = ([quantize(item, LogMinMax(bits=bits, centred=middle), context) for item in trained] for middle in (False, True))
    before = [accuracy(item, people) for item in trained]
    after, better = ([top1(model.net, model.input, people) for model in made] for made in (models, centred))
    size = authors_bytes(models[0])
    coded = float(np.mean([entropy_bits(model) for model in models]))
    saved = 1 - size / whole
    row: tuple[str, ...] = (name, str(bits), f"{coded:.2f}", f"{size / 1e6:.2f}", stated[0], f"{100 * saved:.2f} %", f"{stated[1]} %")
    authors = dict(zip(("megabytes", "saved_percent", "top1_percent"), map(float, stated), strict=True))
    value = {"net": name, "bits": bits, "entropy_bits": round(coded, 4), "bytes": round(size), "fp32_bytes": round(fp32_bytes(net))}
    named = {"top1_fp32": before, "top1": after, "top1_centred": better}
    shares = {key: [asdict(item) for item in found] for key, found in named.items()}
    row = (*row, spread(before), spread(after), spread(better), stated[2])
    return row, {**value, "saved": round(saved, 5), **shares, "authors": authors}


def quantize(trained: Trained, stage: LogMinMax, context: Context) -> Model:
    """A net and its classifier, batch norm folded, through `stage`."""
    return stage.apply(FoldBatchNorm().apply(with_classifier(trained), context), context)


def _notes(order: TableOrder, people: People, steps: int, started: float) -> tuple[str, ...]:
    return (
        f"{what_ran('weight-quantization', order, people, steps)} The authors' figures are on 2360 identities of CelebA, so the columns "
        "compare in shape, not in value.",
        "The nets are those of layer-substitution. Batch norm is folded; then every weight, the classifier's too, goes through log "
        "min-max with no fine-tuning, and biases are rounded to fp16. Centred: a step of the grid stands for its middle. By the authors' "
        "formula it stands for its lower end, so every weight gets smaller, by a fifth at 6 bits, and the net's output by the product over "
        "its layers.",
        "MB and fewer bytes: whole codes, with a 2360-way classifier on 512 features, against VGG11's fp32. Bits as coded: the mean "
        "entropy of the codes, to which the packed form of a bundle comes within 3 %.",
        f"± is the standard deviation over {order.seeds} seeds; VGG11's range is the 95 % confidence interval of one.",
        time_taken(started),
    )
