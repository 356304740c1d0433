"""What helps distillation from strong embedders, one lever at a time: more distinct pairs of an image and its teacher's embedding, the
teacher's maps, and what of its embeddings counts. The papers stand in the files of what each row uses (toolchain/distill/,
toolchain/data/augment.py).

Each starts where the recipe `default` starts its distillation, from what its net inherits: from random weights so short a schedule would
tell how fast a net learns anything at all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from toolchain.backbones import MobileFaceNet
from toolchain.compress.whiten import Whiten
from toolchain.data.faces import Faces
from toolchain.data.protocols import tar_at_far
from toolchain.distill import Distill, Inherit, SimilarityConsistency, Teacher
from toolchain.distill.teachers import kept_embeddings
from toolchain.errors import DataError
from toolchain.evaluation.bootstrap import Comparisons
from toolchain.kept import Kept
from toolchain.machine import machine
from toolchain.model import Model
from toolchain.recipes.default import RECIPE, Y1
from toolchain.stage import Context
from toolchain.tables.base import SEEDED, Figures, TableOrder
from toolchain.tables.embedders import LIGHT
from toolchain.training.loop import Phase, TrainSettings

SUMMARY = "Levers of distillation (views, mixup, cut-mix, unlabelled faces, maps, whitening …), ablated; trains 10 nets on --images."
TAKES = SEEDED - {"full"}

STEPS = 400
FAR = 1e-3
FACES, ASIDE = 1000, 400
"""So many labelled faces, as many unlabelled ones for the row that adds them, and faces kept aside: few, so that the steps go over each
as often as a long run goes over many, and because teachers are slow on a CPU."""


@dataclass(frozen=True)
class Lever:
    """A row: how it trains, whether unlabelled faces are added, and what is done afterwards."""

    name: str
    stage: Distill
    unlabelled: bool = False
    after: Whiten | None = None


def levers(teacher: Teacher, how: TrainSettings) -> Iterator[Lever]:
    """Each differs from the first in one thing, those of mixed faces and maps from live teachers in one more."""
    base = Distill((teacher,), how)
    degraded = replace(how, augment=replace(LIGHT, low_resolution=0.5, erase=0.5))
    live = replace(base, live=True)
    yield Lever("cached embeddings, light augmentation", base)
    yield Lever("+ one more fixed view of each face", replace(base, views=1))
    yield Lever("+ low resolution (blur) and occlusion", replace(base, settings=degraded))
    yield Lever("+ unlabelled faces", base, unlabelled=True)
    yield Lever("+ live teacher", live)
    yield Lever("+ live teacher, mixup of faces", replace(live, mixup=0.5))
    yield Lever("+ live teacher, cut-mix of faces", replace(live, cut=0.5))
    yield Lever("+ live teacher, its maps stage by stage", replace(live, maps=0.1))
    yield Lever("+ likeness to other faces", replace(base, by=SimilarityConsistency()))
    yield Lever("+ teacher's embeddings whitened", replace(base, even=0.5))
    yield Lever("+ the student's whitened afterwards", base, after=Whiten())


def figures(order: TableOrder) -> Figures:
    """Trains the net of the recipe `default` from what it inherits of the first teacher, each lever with each seed for the same number of
    steps, and states the mean cosine to that teacher's embeddings of faces kept aside, and how well those are told apart."""
    started = time.monotonic()
    labelled, unlabelled, aside = _faces(order)
    how = TrainSettings((Phase(order.steps or STEPS),), batch=32, augment=LIGHT)
    context = Context(order.cache / "work", order.cache / "shared", labelled, progress=order.progress)
    wanted = torch.from_numpy(kept_embeddings(Y1, aside, context))
    images = torch.from_numpy(np.array(aside.images)).permute(0, 3, 1, 2)
    kept = Kept(order.cache / "stages")
    start = kept.apply(Inherit(Y1, (Y1,)), _untrained(wanted.shape[1]), context)

    pairs = Comparisons.of(aside.identities)

    def judged(embeddings: Tensor) -> tuple[float, float | None]:
        """The mean cosine to the teacher, and the true accept rate."""
        rate = tar_at_far(pairs.scores(embeddings.numpy()), pairs.same, FAR)
        return float(functional.cosine_similarity(embeddings, wanted).mean()), rate.tar if rate else None

    inherited = judged(start.embed(images))
    rows, values, first = [], [], 0.0
    for lever in levers(Y1, how):
        if lever.unlabelled and unlabelled is None:
            order.progress.say(f"{lever.name}: left out: no unlabelled faces among --images")
            continue
        faces = _joined(labelled, unlabelled) if lever.unlabelled and unlabelled is not None else labelled
        took, found = time.monotonic(), []
        for seed in range(order.seeds):
            seeded = replace(context, faces=faces, seed=seed)
            model = kept.apply(lever.stage, start, seeded)
            found.append(judged((lever.after.apply(model, seeded) if lever.after else model).embed(images)))
        cosines, rates = zip(*found, strict=True)
        first = first or float(np.mean(cosines))
        seconds = time.monotonic() - took
        told_apart = "too few" if None in rates else _figure([100 * rate for rate in rates], 1)
        rows.append((lever.name, _figure(cosines, 4), f"{np.mean(cosines) - first:+.4f}", told_apart, f"{seconds:.0f}"))
        values.append(
            {
                "lever": lever.name,
                "stage": lever.stage.describe(),
                "after": lever.after and lever.after.describe(),
                "aside_cosine": cosines,
                "aside_tar": rates,
                "seconds": seconds,
            }
        )
        order.progress.say(f"{lever.name}: cosine {rows[-1][1]}, TAR {told_apart}")
    facts = machine()
    notes = (
        f"`{order.command('levers', STEPS)}`, with POCKETFACE_DATA the folder of the teachers: {len(labelled)} labelled faces, "
        f"{0 if unlabelled is None else len(unlabelled)} unlabelled ones for the row that adds them, judged on {len(aside)} kept aside.",
        f"Cosine: to the teacher's embeddings, in the mean. TAR: at FAR {FAR:g}, of {pairs.same.sum():,} pairs of one person, against "
        f"{(~pairs.same).sum():,} of two.",
        f"The net of the recipe default, from what it inherits of {Y1.path.name} (cosine {inherited[0]:.4f}), {how.steps} steps of "
        f"{how.batch} faces at {start.input.width} pixels for every row: each labelled face {how.steps * how.batch / len(labelled):.1f} "
        "times. Seconds: of what had not been kept, the teacher's share in them.",
        f"{(time.monotonic() - started) / 60:.0f} minutes in all, on {facts['cores']} cores of {facts['processor']}.",
    )
    columns = ("lever", "aside cosine", "against the first", "TAR, %", "s")
    return Figures("Levers of distillation", columns, tuple(rows), tuple(values), notes)


def _figure(found: Sequence[float], digits: int) -> str:
    """The mean, and the standard deviation where there are several."""
    spread = f" ± {np.std(found, ddof=1):.{digits}f}" if len(found) > 1 else ""
    return f"{np.mean(found):.{digits}f}{spread}"


def _untrained(size: int) -> Model:
    """The backbone of the recipe `default` with embeddings as long as the teacher's, so that none of it is lost to a projection."""
    assert isinstance(RECIPE.backbone, MobileFaceNet)
    backbone = replace(RECIPE.backbone, embedding_size=size)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Model(backbone.build().eval(), backbone.input)


def _faces(order: TableOrder) -> tuple[Faces, Faces | None, Faces]:
    """(labelled faces to train on, unlabelled ones if there are any, faces kept aside), each an even sample."""
    if not order.images:
        raise DataError("this table trains: give faces by --images FOLDER or TAR")
    faces, aside = Faces.read(order.images, order.cache / "faces", order.progress).split_aside()
    none = np.array([identity.rsplit("/", 1)[-1] == "unlabelled" for identity in faces.identities], bool)
    if none.all() or not len(aside):
        raise DataError("this table trains on labelled faces and judges on identities kept aside: give faces of more people by --images")
    unlabelled = _sample(faces.subset(np.flatnonzero(none)), FACES) if none.any() else None
    return _sample(faces.subset(np.flatnonzero(~none)), FACES), unlabelled, _sample(aside, ASIDE)


def _sample(faces: Faces, most: int) -> Faces:
    return faces.subset(np.unique(np.linspace(0, len(faces) - 1, most).astype(np.int64)))


def _joined(first: Faces, second: Faces) -> Faces:
    return Faces(np.concatenate([first.images, second.images]), first.names + second.names)
