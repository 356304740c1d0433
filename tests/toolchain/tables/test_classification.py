"""What the tables share that train."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from toolchain.backbones import VGG11
from toolchain.data import synthetic
from toolchain.progress import Progress
from toolchain.stage import Context
from toolchain.tables.classification import People, Trained, settings, train


def _weights(trained: Trained) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in trained.net.parameters()])


def test_a_net_learns_the_same_from_the_kept_scores_of_its_teacher_as_from_the_teacher_itself(tmp_path: Path) -> None:
    drawn = synthetic.faces(3, 10)
    for name, image in zip(drawn.names, drawn.images, strict=True):
        path = (tmp_path / "faces" / name).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    people = People.read([tmp_path / "faces"], tmp_path, Progress(quiet=True))
    context, how = Context(tmp_path), settings(2, 32, batch=8)
    student = VGG11(module="flame", shrink=True, shallow=True)
    teacher = train(student, people, how, 0, None, context)
    live = train(student, people, how, 1, teacher, context)
    (scores,) = (tmp_path / "tables").glob("scores-*.npy")
    rows = np.load(scores)
    assert rows.shape == (2, 8, 3) and np.isfinite(rows).all()

    def again() -> torch.Tensor:
        shutil.rmtree(tmp_path / "tables" / live.key[:24])
        return _weights(train(student, people, how, 1, teacher, context))

    assert torch.equal(again(), _weights(live))
    # They are read, not computed again: other scores in the file teach something else.
    np.save(scores, -rows)
    assert not torch.equal(again(), _weights(live))
