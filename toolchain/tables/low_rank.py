"""Low-rank decomposition from responses at 2 and 4 times fewer multiply-adds (Zhang et al., TPAMI 2016, section 4, whose table for VGG-16
has the same form), with and without fine-tuning."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from toolchain.backbones import VGG11
from toolchain.compress.low_rank import LowRank
from toolchain.costs import count
from toolchain.data.faces import Faces
from toolchain.data.identification import Share, identify
from toolchain.distill.self_distillation import SelfDistillation
from toolchain.errors import DataError
from toolchain.kept import key_of
from toolchain.load import load_model
from toolchain.model import Model, trainable_copy
from toolchain.recipes.default import LIGHT
from toolchain.recipes.default import RECIPE as DEFAULT
from toolchain.stage import Context, describe
from toolchain.tables.base import TRAINS, Figures, TableOrder
from toolchain.tables.classification import People, inputs, settings, spread, time_taken, top1, train, what_ran
from toolchain.tables.quantized import with_classifier
from toolchain.training.loop import Phase, TrainSettings, fit

SUMMARY = "MobileFaceNet and VGG11 by low rank at 2× and 4× fewer multiply-adds, fine-tuned or not; trains 1 net on --images, fine-tunes 4."
TAKES = TRAINS

STEPS = 2000
FEWER = (2, 4)


@dataclass(frozen=True, eq=False)
class _Subject:
    """A net to decompose: the faces that its responses and its fine-tuning come from, how it is fine-tuned, how it is judged, and the
    faces that its outputs are compared on."""

    name: str
    model: Model
    faces: Faces
    how: TrainSettings
    judge: Callable[[Model], Share]
    unseen: Faces


def figures(order: TableOrder) -> Figures:
    """The embedder is the default model with the weights that come with it; VGG11 is trained as for the layer substitution."""
    started = time.monotonic()
    steps = order.steps or STEPS
    people = People.read(order.images[:1], order.cache, order.progress)
    rows: list[tuple[str, ...]] = []
    values: list[dict[str, Any]] = []
    for subject in (_mobile_face_net(order, steps), _vgg11(order, people, steps)):
        context = Context(order.cache / "work", order.cache / "shared", subject.faces, progress=order.progress)
        plain = _figures(subject, subject.model)
        whole = _multiply_adds(subject.model)
        rows.append((subject.name, f"{whole / 1e6:.1f}", "1.00", "0", "1", spread([plain[1]]), "", ""))
        values.append({"net": subject.name, "multiply_adds": whole, "accuracy": plain[1].value})
        for fewer in FEWER:
            row, value = _decomposed(subject, fewer, whole, context)
            rows.append(row)
            values.append(value)
            order.progress.say(f"{subject.name}, {fewer} times fewer: {row[5]} %, fine-tuned {row[7]} %")
    columns = ("net", "M multiply-adds", "fewer", "layers replaced", "cosine", "accuracy %", "cosine, fine-tuned", "accuracy, fine-tuned %")
    return Figures("Low rank from responses", columns, tuple(rows), tuple(values), _notes(order, people, steps, started))


def _mobile_face_net(order: TableOrder, steps: int) -> _Subject:
    faces, aside = Faces.read(order.images, order.cache / "faces", order.progress).split_aside()
    if len(set(aside.identities)) < 2:
        raise DataError("this table judges on the identities kept aside (one group in twelve): give faces of more people by --images")
    assert DEFAULT.weights is not None
    how = TrainSettings((Phase(_fine_tuning(steps), learning_rate=1e-3),), batch=32, optimizer="adamw", weight_decay=0, augment=LIGHT)
    return _Subject(
        "MobileFaceNet (the default model)", load_model(DEFAULT.weights), faces, how, lambda model: _nearest(model, aside), aside
    )


def _vgg11(order: TableOrder, people: People, steps: int) -> _Subject:
    pixels = 120 if order.full else 64
    trained = train(VGG11(), people, settings(steps, pixels), 0, None, Context(order.cache, progress=order.progress))
    model = with_classifier(trained)
    how = replace(settings(_fine_tuning(steps), pixels), weight_decay=0)
    return _Subject("VGG11-BN", model, people.training, how, lambda made: top1(made.net.eval(), made.input, people), people.held)


def _fine_tuning(steps: int) -> int:
    return max(1, steps // 4)


def _decomposed(subject: _Subject, fewer: int, whole: int, context: Context) -> tuple[tuple[str, ...], dict[str, Any]]:
    made = LowRank(multiply_adds=1 / fewer).apply(subject.model, context)
    tuned = _tuned(made, subject, context)
    cosines, shares = zip(*(_figures(subject, item) for item in (made, tuned)), strict=True)
    adds, replaced = _multiply_adds(made), sum(name.endswith("_mixing.weight") for name in made.net.state_dict())
    shown = [item for pair in zip((f"{c:.4f}" for c in cosines), (spread([s]) for s in shares), strict=True) for item in pair]
    row = (subject.name, f"{adds / 1e6:.1f}", f"{whole / adds:.2f}", str(replaced), *shown)
    value = {"net": subject.name, "multiply_adds": adds, "layers_replaced": replaced, "cosine": cosines[0], "accuracy": shares[0].value}
    return row, {**value, "cosine_fine_tuned": cosines[1], "accuracy_fine_tuned": shares[1].value}


def _tuned(made: Model, subject: _Subject, context: Context) -> Model:
    """`made` trained to give what the whole net gives; goes on from its checkpoint, or gives what it holds."""
    key = key_of(
        model=made.fingerprint(), teacher=subject.model.fingerprint(), how=describe(subject.how), faces=subject.faces.fingerprint()
    )
    net = trainable_copy(made)
    work = replace(context, work=context.work / key[:24])
    fit(net, SelfDistillation(copy.deepcopy(subject.model.net)), subject.faces, made.input, subject.how, work, "low-rank")
    return made.with_net(net.eval())


def _multiply_adds(model: Model) -> int:
    return count(model.net, model.input.height, model.input.width).multiply_adds


@torch.no_grad()
def _figures(subject: _Subject, model: Model) -> tuple[float, Share]:
    """(mean cosine to what the whole net gives for faces that it was not trained on, accuracy)."""
    found = []
    for images in inputs(subject.unseen, model.input):
        pair = (torch.nn.functional.normalize(item.net.eval()(images)) for item in (model, subject.model))
        found.append((next(pair) * next(pair)).sum(1))
    return float(torch.cat(found).mean()), subject.judge(model)


@torch.no_grad()
def _nearest(model: Model, aside: Faces) -> Share:
    """NearestOne on the identities kept aside; rank-1 where none has the five images that it holds one of."""
    rows = [torch.nn.functional.normalize(model.net.eval()(images)) for images in inputs(aside, model.input)]
    found = identify(np.concatenate([item.numpy() for item in rows]), aside.labels, aside.names)
    if found is None:
        raise DataError("this table judges on the identities kept aside: none has two images; give more of each by --images")
    return found.nearest_one or found.rank1


def _notes(order: TableOrder, people: People, steps: int, started: float) -> tuple[str, ...]:
    return (
        what_ran("low-rank", order, people, steps),
        "MobileFaceNet: the committed weights at 112 pixels; responses and fine-tuning on the training faces of --images, accuracy by "
        "NearestOne on the identities kept aside. VGG11-BN: top-1 on the held images of the first of --images, with its classifier, at "
        f"{120 if order.full else 64} pixels; {steps} training steps as in the layer substitution.",
        "The cosine is to the whole net's outputs, its embeddings or class scores, on faces that neither was trained on.",
        "Ranks by multiply-adds over responses at 16 positions of 256 faces; fine-tuned by self-distillation for "
        f"{_fine_tuning(steps)} steps of 32 faces (AdamW at 1e-3). The first layer, "
        "depthwise layers and those that no rank makes cheaper stay whole.",
        time_taken(started),
    )
