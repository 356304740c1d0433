"""Train: supervised training on labelled identities by one of the losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from toolchain.data.faces import Faces
from toolchain.errors import DataError
from toolchain.losses.base import Criterion, Loss
from toolchain.model import Model, trainable_copy
from toolchain.stage import TRAINS_FREELY, Context, Stage, Trait
from toolchain.training.loop import Batch, Order, TrainSettings, fit


class OnLabels(nn.Module):
    """A criterion of embeddings and identities as an objective of `fit`."""

    def __init__(self, criterion: nn.Module) -> None:
        super().__init__()
        self.criterion = criterion

    def forward(self, net: nn.Module, batch: Batch) -> Tensor:
        loss: Tensor = self.criterion(net(batch.images), batch.labels)
        return loss


def grouped_order(labels: npt.NDArray[np.int64], images: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """All rows of `labels` `[N]` once, in a random order in which `images` of one identity come in a row: what a batch needs that
    is to hold pairs (the sampling of Hermans, Beyer, Leibe, arXiv:1703.07737, section 2). What an identity has left over comes in a
    shorter run."""
    rows = random.permutation(len(labels))
    rows = rows[np.argsort(labels[rows], kind="stable")]  # by identity, and in random order within each
    ordered = labels[rows]
    within = np.arange(len(rows)) - np.searchsorted(ordered, ordered)
    run = np.cumsum(within % images == 0) - 1
    return rows[np.argsort(random.permutation(run[-1] + 1)[run], kind="stable")]


def labelled(faces: Faces, needed_by: str) -> Faces:
    """`faces` without those of no identity (`unlabelled/…`, or in no folder at all). Error: DataError where fewer than two identities are
    left."""
    folders = [name.rsplit("/", 2)[-2:-1] for name in faces.names]
    found = faces.subset(np.flatnonzero([folder not in ([], ["."], ["unlabelled"]) for folder in folders]))
    classes = len(set(found.identities))
    if classes < 2:
        raise DataError(f"{needed_by}: expected faces of two identities or more, got {classes}; put each person in a folder of their own")
    return found


@dataclass(frozen=True, eq=False)
class SupervisedTask:
    """What training by a loss on identities needs: the labelled `faces`, the freshly built `criterion` for them, and the `order` of an
    epoch (None: at random)."""

    faces: Faces
    criterion: Criterion
    order: Order | None


def supervised(stage: str, loss: Loss, model: Model, context: Context) -> SupervisedTask:
    """The task of training `model` by `loss` on the context's faces; those without an identity (see `labelled`) are left out. Error:
    DataError, in the name of `stage`, where there are no faces or fewer than two identities."""
    faces = labelled(context.training_faces(stage), stage)
    probe = torch.zeros(1, 3, model.input.height, model.input.width, dtype=torch.uint8)
    with torch.random.fork_rng():
        torch.manual_seed(context.seed)
        criterion = loss.build(model.embed(probe).shape[1], len(set(faces.identities)))
    labels, images = faces.labels, loss.images_per_identity
    return SupervisedTask(faces, criterion, None if images == 1 else lambda random: grouped_order(labels, images, random))


@dataclass(frozen=True)
class Train(Stage):
    """Trains the net and the loss's class centres; the centres are dropped afterwards. Faces without an identity (see
    `labelled`) are left out."""

    trains: ClassVar[bool] = True
    refuses: ClassVar[Mapping[Trait, str]] = TRAINS_FREELY

    loss: Loss
    settings: TrainSettings

    def transform(self, model: Model, context: Context) -> Model:
        task = supervised("Train", self.loss, model, context)
        net = trainable_copy(model)
        fit(net, OnLabels(task.criterion), task.faces, model.input, self.settings, context, "train", order=task.order)
        return model.with_net(net)
