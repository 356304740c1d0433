"""A teacher that the build trains itself, on the very identities that its student is trained on: it has logits to teach, too."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from toolchain.backbones.base import Backbone
from toolchain.distill.teachers import AnyTeacher, ReadyTeacher
from toolchain.kept import key_of
from toolchain.losses.base import Classifier
from toolchain.losses.supervised import OnLabels, Train, supervised
from toolchain.model import Model, trainable_copy
from toolchain.stage import Context, describe
from toolchain.training.loop import fit


@dataclass(frozen=True)
class TrainedTeacher(AnyTeacher):
    """A backbone trained from scratch on the labelled faces, with the context's seed; kept by content, so that it is trained once for
    all students."""

    backbone: Backbone
    by: Train

    def ready(self, context: Context) -> ReadyTeacher:
        """The teacher, after its training where that was not done yet. Errors: DataError for the faces."""
        key = key_of(
            backbone=describe(self.backbone),
            by=self.by.describe(),
            faces=context.training_faces("TrainedTeacher").fingerprint(),
            seed=context.seed,
        )
        with torch.random.fork_rng():
            torch.manual_seed(context.seed)
            model = Model(self.backbone.build().eval(), self.backbone.input)
        task, net = supervised("TrainedTeacher", self.by.loss, model, context), trainable_copy(model)
        # Training that was finished gives back what its last checkpoint holds.
        work = replace(context, work=context.shared / "teachers" / key[:24])
        fit(net, OnLabels(task.criterion), task.faces, model.input, self.by.settings, work, "train", order=task.order)
        # It sees faces at the size that it was trained for.
        pixels = self.by.settings.phases[-1].pixels
        contract = replace(self.backbone.input, height=pixels, width=pixels)
        frozen: nn.Module = net.eval().requires_grad_(False)
        classifier = task.criterion.requires_grad_(False) if isinstance(task.criterion, Classifier) else None
        return ReadyTeacher(type(self.backbone).__name__, key, contract, lambda: frozen, classifier)
