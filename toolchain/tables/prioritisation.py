"""Channel prioritisation (Tang, Su, Lin, Chang, National Taiwan University, 2018): one net at three levels beside nets of one size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from toolchain.backbones import VGG11, VGGGAP, MobileNetV1, SqueezeNet
from toolchain.backbones.pooled import PooledBackbone
from toolchain.compress.fine_tune_levels import SummedLevels
from toolchain.compress.narrow import narrowed
from toolchain.compress.prioritise import Penalised
from toolchain.compress.prune_by_gain import PruneByGain
from toolchain.costs import Costs, count
from toolchain.data.faces import Faces
from toolchain.data.identification import Share, nearest_one
from toolchain.kept import key_of
from toolchain.losses import CentreLoss, Softmax
from toolchain.model import Model
from toolchain.stage import Context, describe
from toolchain.tables.base import SEEDED, Figures, TableOrder
from toolchain.tables.classification import FEATURE_LENGTH, People, Trained, accuracy, inputs, settings, spread, time_taken, train, what_ran
from toolchain.training.loop import TrainSettings, fit

SUMMARY = "Channel prioritisation: a net at 100, 75 and 50 % beside VGG, MobileNet, SqueezeNet; trains 5 nets on --images (an hour)."
TAKES = SEEDED

STEPS = 2000
LEVELS = (1.0, 0.75, 0.5)
BASE = VGGGAP(embedding_size=512, width=0.5)
LOSS = CentreLoss(Softmax(FEATURE_LENGTH))
SPARSITY, ORDER, MATCH = 1e-3, 4e-5, 1.0
_OTHERS: tuple[tuple[str, PooledBackbone, str, str, str], ...] = (
    # net, and the authors' accuracy in percent, multiply-adds and parameters in millions
    ("VGG11 (theirs: VGG-16)", VGG11(), "86.28", "24710", "15.91"),
    ("VGG-GAP, half width, not prioritised", BASE, "–", "–", "–"),
    ("MobileNet", MobileNetV1(embedding_size=1024), "65.31", "5730", "5.62"),
    ("SqueezeNet", SqueezeNet(embedding_size=512), "59.56", "861", "1.75"),
)
_AUTHORS = {1.0: ("86.38", "6870", "4.05"), 0.75: ("81.40", "3840", "2.28"), 0.5: ("78.47", "1680", "1.01")}
_NEAREST_ONE = "84.05"


@dataclass(frozen=True)
class _Row:
    """A row in the making: `authors` are their accuracy, multiply-adds and parameters."""

    name: str
    shares: tuple[Share, ...]
    costs: Costs
    authors: tuple[str, str, str]

    def shown(self) -> tuple[str, ...]:
        top1, multiply_adds, parameters = self.authors
        ours = f"{self.costs.multiply_adds / 1e6:.0f}", f"{self.costs.parameters / 1e6:.2f}"
        return self.name, spread(self.shares), top1, ours[0], multiply_adds, ours[1], parameters

    def values(self) -> dict[str, object]:
        counts = {"multiply_adds": self.costs.multiply_adds, "parameters": self.costs.parameters}
        return {"net": self.name, "top1": [asdict(share) for share in self.shares], **counts, "authors": list(self.authors)}


def figures(order: TableOrder) -> Figures:
    """Trains every net with each seed for the same number of steps."""
    started = time.monotonic()
    people = People.read(order.images, order.cache, order.progress)
    context = Context(order.cache, progress=order.progress)
    pixels, steps = (112 if order.full else 64), order.steps or STEPS
    rows = []
    for row in _rows(people, settings(steps, pixels), order, context):
        order.progress.say(f"{row.name}: top-1 {spread(row.shares)} %")
        rows.append(row)
    columns = ("net", "top-1 %", "authors'", "M multiply-adds", "authors'", "M parameters", "authors'")
    notes = _notes(order, people, steps, pixels, started)
    return Figures("Channel prioritisation", columns, tuple(row.shown() for row in rows), tuple(row.values() for row in rows), notes)


def _rows(people: People, how: TrainSettings, order: TableOrder, context: Context) -> Iterator[_Row]:
    for name, net, *stated in _OTHERS:
        trained = [train(net, people, how, seed, None, context) for seed in range(order.seeds)]
        costs = _costs(trained[0], people)
        yield _Row(name, tuple(accuracy(item, people) for item in trained), costs, (stated[0], stated[1], stated[2]))
    ours = [prioritised(people, how, seed, context) for seed in range(order.seeds)]
    whole = ours[0][1.0]
    shares = tuple(_nearest_one(item[1.0], people) for item in ours)
    yield _Row("features of ours at 100 % + NearestOne", shares, _costs(whole, people), (_NEAREST_ONE, "7300", "4.05"))
    for level, authors in _AUTHORS.items():
        shares = tuple(accuracy(item[level], people) for item in ours)
        yield _Row(f"ours, {100 * level:g} %", shares, _costs(ours[0][level], people), authors)


def prioritised(people: People, how: TrainSettings, seed: int, context: Context) -> dict[float, Trained]:
    """The levels of one net: two thirds of the steps of `how` in order, then pruned, and a third for the levels together."""
    (phase,) = how.phases
    last = _last(phase.steps)
    backbone = replace(BASE, pixels=phase.pixels)
    first, then = (replace(how, phases=(replace(phase, steps=steps),)) for steps in (max(1, phase.steps - last), last))
    weights = {"sparsity": SPARSITY, "order": ORDER, "match": MATCH}
    key = key_of(backbone=describe(backbone), how=describe(how), faces=people.fingerprint, seed=seed, levels=list(LEVELS), **weights)
    work = replace(context, work=context.work / "tables" / key[:24], seed=seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = backbone.build()
        classifier = LOSS.build(backbone.embedding_size, people.classes)
    objective = Penalised(net, classifier, SPARSITY, ORDER)
    fit(net, objective, people.training, backbone.input, first, work, "prioritise")
    net = PruneByGain().apply(Model(net, backbone.input), work).net
    fit(net, SummedLevels(net, classifier, LEVELS, MATCH), people.training, backbone.input, then, work, "levels")
    classifier.eval()
    return {level: Trained(narrowed(net, level).eval(), classifier, key, backbone) for level in LEVELS}


def _last(steps: int) -> int:
    """How many of a net's steps are the levels'."""
    return max(1, steps // 3)


def _costs(trained: Trained, people: People) -> Costs:
    pixels = trained.backbone.pixels
    return count(trained.net, pixels, pixels).with_classifier(trained.backbone.embedding_size, people.classes)


def _nearest_one(trained: Trained, people: People) -> Share:
    """The nearest class centre of the training images, by cosine."""
    rows = np.concatenate([_embeddings(trained, faces) for faces in (people.training, people.held)])
    labels = np.concatenate([people.training.labels, people.held_labels])
    held = np.arange(len(labels)) >= len(people.training)
    return nearest_one(rows, labels.astype(np.int64), held)


@torch.no_grad()
def _embeddings(trained: Trained, faces: Faces) -> np.ndarray:
    """`[N, D]`, of length 1."""
    return torch.cat([functional.normalize(trained.net(images)) for images in inputs(faces, trained.backbone.input)]).numpy()


def _notes(order: TableOrder, people: People, steps: int, pixels: int, started: float) -> tuple[str, ...]:
    return (
        what_ran("prioritisation", order, people, steps),
        "The authors' figures are on faces of their own, at 224 pixels: the columns compare in shape, not in value.",
        f"Every net: {steps} steps of 32 faces at {pixels} pixels, flip and rotation, softmax on features of length 16, AdamW at 1e-3.",
        f"Ours: {max(1, steps - _last(steps))} steps in order (λs {SPARSITY:g}, λm {ORDER:g}, centre loss), then channels below a gain of "
        f"0.1 are pruned, and {_last(steps)} steps with batch norm frozen and the losses of the three levels summed (and 1 − cos of the "
        "lower levels' embeddings to the widest's). The baseline is VGG11, theirs VGG-16, and our net is half as wide: for two cores.",
        f"Multiply-adds and parameters: as trained, at {pixels} pixels, with the {people.classes}-way classifier.",
        "One seed has its 95 % confidence interval in brackets; more have their standard deviation.",
        time_taken(started),
    )
