"""XNOR-Net's table (Rastegari et al., ECCV 2016, table 1; as a lecture on compression shows it): binary weights (BWN, BinaryConnect),
binary weights and inputs (XNOR, BNN) and full precision, each trained from scratch alike; trained ternary weights beside them."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace

import numpy as np
from torch import nn

from toolchain.backbones import VGG11
from toolchain.backbones.pooled import PooledBackbone
from toolchain.compress.binary_connect import BinaryConnect
from toolchain.compress.bnn import BNN
from toolchain.compress.latent_weights import LatentTraining
from toolchain.compress.ternary import Ternarize
from toolchain.compress.xnor import BWN, XNOR
from toolchain.data.identification import Share, share
from toolchain.stage import Context
from toolchain.tables.base import SEEDED, Figures, TableOrder
from toolchain.tables.classification import People, Trained, inputs, settings, spread, time_taken, train, what_ran

SUMMARY = (
    "BWN, BinaryConnect, XNOR, BNN, TTQ and full precision on one net: bytes, accuracy; trains 6 nets on --images (half an hour on a core)."
)
TAKES = SEEDED

STEPS = 2000
BACKBONE = VGG11(embedding_size=128, shrink=True, shallow=True)
"""Five convolutions, as AlexNet has."""


@dataclass(frozen=True)
class Row:
    """A method, the bits of its weights and of what its layers read, and the authors' top-1 and top-5 in percent (AlexNet on ImageNet)."""

    name: str
    stage: LatentTraining | None
    weight_bits: int
    input_bits: int
    authors: tuple[str, str]


_ROWS = (
    Row("BWN", BWN(), 1, 32, ("56.8", "79.4")),
    Row("BinaryConnect", BinaryConnect(), 1, 32, ("35.4", "61.0")),
    Row("TTQ", Ternarize(), 2, 32, ("–", "–")),
    Row("XNOR", XNOR(), 1, 1, ("44.2", "69.2")),
    Row("BNN", BNN(), 1, 1, ("27.9", "50.42")),
    Row("Full precision", None, 32, 32, ("56.6", "80.2")),
)


@dataclass(frozen=True)
class Constrained(PooledBackbone):
    """The table's net with the layers and the latent weights of a stage, to be trained from scratch."""

    stage: LatentTraining | None = None

    def build(self) -> nn.Module:
        net = replace(BACKBONE, embedding_size=self.embedding_size, pixels=self.pixels).build()
        return net if self.stage is None else self.stage.constrained(net)


def figures(order: TableOrder) -> Figures:
    """Trains the net once for each method and seed, from the same weights, for the same number of steps."""
    started = time.monotonic()
    people = People.read(order.images, order.cache, order.progress)
    context = Context(order.cache, progress=order.progress)
    pixels, steps = (112 if order.full else 64), order.steps or STEPS
    how = settings(steps, pixels)
    rows, values = [], []
    for row in _ROWS:
        backbone = Constrained(embedding_size=BACKBONE.embedding_size, stage=row.stage)
        found = [_shares(train(backbone, people, how, seed, None, context), people) for seed in range(order.seeds)]
        first, fifth = ([item[place] for item in found] for place in (0, 1))
        size = weight_bytes(row)
        bits = (str(row.weight_bits), str(row.input_bits))
        rows.append((row.name, *bits, f"{size / 1e3:.0f}", spread(first), spread(fifth), *row.authors))
        shares = {"top1": [asdict(item) for item in first], "top5": [asdict(item) for item in fifth]}
        values.append({"method": row.name, "weight_bits": row.weight_bits, "input_bits": row.input_bits, "bytes": size, **shares})
        order.progress.say(f"{row.name}: top-1 {rows[-1][4]} %, top-5 {rows[-1][5]} %")
    columns = ("method", "bits a weight", "bits an input", "KB", "top-1 %", "top-5 %", "authors' top-1 %", "authors' top-5 %")
    return Figures("XNOR-Net's table", columns, tuple(rows), tuple(values), _notes(order, people, pixels, steps, started))


def weight_bytes(row: Row) -> int:
    """Bytes of the embedder's parameters: the method's bits for the weights that it chooses, four bytes for every other."""
    net = BACKBONE.build()
    chosen = () if row.stage is None else row.stage.chosen(net)
    few = sum(net.get_parameter(layer.weight).numel() for layer in chosen)
    return 4 * (sum(parameter.numel() for parameter in net.parameters()) - few) + (few * row.weight_bits + 7) // 8


def _shares(trained: Trained, people: People) -> tuple[Share, Share]:
    """(top-1, top-5) on the held images."""
    scores = np.concatenate([trained.scores(images).numpy() for images in inputs(people.held, trained.backbone.input)])
    return top(scores, people.held_labels, 1), top(scores, people.held_labels, 5)


def top(scores: np.ndarray, labels: np.ndarray, count: int) -> Share:
    """How often the class `labels` `[N]` of an image is among the `count` largest of its `scores` `[N, C]`."""
    of_class = np.take_along_axis(scores, labels[:, None], 1)
    return share((scores > of_class).sum(1) < count, labels)


def _notes(order: TableOrder, people: People, pixels: int, steps: int, started: float) -> tuple[str, ...]:
    layers = len(BNN().chosen(BACKBONE.build()))
    return (
        f"{what_ran('xnor', order, people, steps)} The authors' figures are AlexNet's on ImageNet, so the columns compare in order, not in "
        "value; TTQ is not in their table.",
        f"The net: VGG11, Shrink and Shallow, five convolutions and a linear layer to {BACKBONE.embedding_size}; all layers but the first "
        f"and the last, {layers}, are of few bits. {steps} steps of 32 faces at {pixels} pixels, flip and rotation, softmax on features of "
        "length 16, AdamW at 1e-3, all from the same weights.",
        "KB: the embedder's parameters at the stated bits, floats at four bytes, without entropy coding. Inputs of one bit bring no speed "
        "in TFLite, which has no such convolution.",
        f"± is the standard deviation over {order.seeds} seeds." if order.seeds > 1 else "The ranges are 95 % confidence intervals.",
        time_taken(started),
    )
