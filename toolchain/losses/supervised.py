"""Train: supervised training on labelled identities by one of the losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from toolchain.errors import DataError
from toolchain.losses.base import Loss
from toolchain.model import Model, trainable_copy
from toolchain.stage import Context, Stage
from toolchain.train import Batch, TrainSettings, fit


class _OnLabels(nn.Module):
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


@dataclass(frozen=True)
class Train(Stage):
    """Trains the net and the loss's class centres; the centres are dropped afterwards. Faces without an identity
    (`unlabelled/…`) are left out."""

    trains: ClassVar[bool] = True

    loss: Loss
    settings: TrainSettings

    def apply(self, model: Model, context: Context) -> Model:
        faces = context.training_faces("Train")
        labelled = faces.subset(np.flatnonzero([identity.rsplit("/", 1)[-1] != "unlabelled" for identity in faces.identities]))
        classes = len(set(labelled.identities))
        if classes < 2:
            raise DataError(f"Train: expected faces of two identities or more, got {classes}; put each person in a folder of their own")
        net = trainable_copy(model)
        probe = torch.zeros(1, 3, model.input.height, model.input.width, dtype=torch.uint8)
        with torch.random.fork_rng():
            torch.manual_seed(context.seed)
            criterion = self.loss.build(model.embed(probe).shape[1], classes)
        labels, images = labelled.labels, self.loss.images_per_identity
        arranged = None if images == 1 else lambda random: grouped_order(labels, images, random)
        fit(net, _OnLabels(criterion), labelled, model.input, self.settings, context, "train", order=arranged)
        return model.with_net(net)
