"""What the tables share that train: a net and its classifier on faces of known people, optionally distilled from another, judged on
a fifth of each person's images that it never saw."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from runtime_py.bundle import InputContract
from toolchain.backbones.pooled import PooledBackbone
from toolchain.data.augment import Augment
from toolchain.data.faces import Faces
from toolchain.data.identification import Share, closed_set, held_fifth
from toolchain.distill.probability_consistency import probability_consistency
from toolchain.errors import DataError
from toolchain.files import partial
from toolchain.kept import key_of
from toolchain.losses import Softmax
from toolchain.losses.base import Classifier
from toolchain.machine import machine
from toolchain.model import to_input
from toolchain.progress import Progress
from toolchain.stage import Context, describe
from toolchain.tables.base import TableOrder
from toolchain.training.loop import Batch, Phase, TrainSettings, fit

LEAST_IMAGES = 10
FEATURE_LENGTH = 16.0
TEMPERATURE = 4.0
PRECISION: Final = "bf16-mixed"
# Horizontal flip and rotation, and nothing else, as the authors of the layer substitution state.
FLIP_AND_ROTATE = Augment(
    flip=0.5, rotation_degrees=10, scale=0, shift=0, brightness=0, contrast=0, saturation=0, low_resolution=0, erase=0
)


def settings(steps: int, pixels: int, batch: int = 32) -> TrainSettings:
    """AdamW at 1e-3 with warm-up and cosine: Muon would spend more time on VGG11's matrices than the net itself takes. (The authors' own
    settings are `authors_settings`.) bfloat16 trains VGG11 2.2 times faster than float32 where the processor has it."""
    return TrainSettings((Phase(steps, pixels, 1e-3),), batch=batch, optimizer="adamw", precision=PRECISION, augment=FLIP_AND_ROTATE)


def authors_settings(steps: int, pixels: int) -> TrainSettings:
    """Adam at 1e-5 throughout, batches of 32, as Shih, Huang and Chung trained."""
    phase = Phase(steps, pixels, learning_rate=1e-5, warmup=0, final=1.0)
    return TrainSettings((phase,), batch=32, optimizer="adamw", weight_decay=0, precision=PRECISION, augment=FLIP_AND_ROTATE)


@dataclass(frozen=True, eq=False)
class People:
    """Faces of identities with 10 images or more, a fifth of each held; `labels` of both are numbers from 0. Identities that are kept
    aside elsewhere are among them."""

    training: Faces
    held: Faces
    held_labels: np.ndarray
    classes: int
    fingerprint: str

    @classmethod
    def read(cls, paths: Sequence[Path], cache: Path, progress: Progress) -> People:
        """Error: DataError where no two identities have so many images."""
        if not paths:
            raise DataError("this table trains: give labelled faces by --images FOLDER or TAR")
        faces = Faces.read(paths, cache / "faces", progress)
        counts = np.bincount(faces.labels)
        faces = faces.subset(np.flatnonzero(counts[faces.labels] >= LEAST_IMAGES))
        classes = len(set(faces.identities))
        if classes < 2:
            raise DataError(f"expected at least two identities of {LEAST_IMAGES} images or more, got {classes}; give more images of each")
        held = held_fifth(faces.names, faces.labels)
        rows = np.flatnonzero(held)
        return cls(faces.subset(np.flatnonzero(~held)), faces.subset(rows), faces.labels[rows], classes, faces.fingerprint())


@dataclass(frozen=True, eq=False)
class Trained:
    """A net, its classifier, and the key of what both came from."""

    net: nn.Module
    classifier: Classifier
    key: str
    backbone: PooledBackbone = field(repr=False)

    @torch.no_grad()
    def scores(self, images: Tensor) -> Tensor:
        """`[N, C]` of images in the net's input range."""
        return self.classifier.scores(self.net(images))


class _KeptScores:
    """A teacher's scores of the batches of a run, float32 `[steps, B, C]` in the file `kept`, each computed when it is first asked for.
    A step's batch depends on the seed and the step alone, so every net that is trained alike meets the same scores, bit for bit;
    for the smallest nets that takes three quarters of the time off."""

    def __init__(self, teacher: Trained, kept: Path, shape: tuple[int, int, int]) -> None:
        self.teacher = teacher
        if not kept.exists():
            with partial(kept) as temporary, temporary.open("wb") as file:
                np.save(file, np.full(shape, np.nan, np.float32))
        self.rows = np.lib.format.open_memmap(kept, "r+")

    def of(self, batch: Batch) -> Tensor:
        """`[B, C]`."""
        if np.isnan(self.rows[batch.step]).any():
            self.rows[batch.step] = self.teacher.scores(batch.images).float().numpy()
        return torch.from_numpy(self.rows[batch.step].copy())


class _Classify(nn.Module):
    """Cross entropy, and the teacher's probabilities where there is a teacher."""

    def __init__(self, classifier: Classifier, teacher: _KeptScores | None) -> None:
        super().__init__()
        self.classifier, self.teacher = classifier, teacher

    def forward(self, net: nn.Module, batch: Batch) -> Tensor:
        scores = self.classifier.scores(net(batch.images).float())
        loss = functional.cross_entropy(scores, batch.labels)
        return loss if self.teacher is None else loss + probability_consistency(scores, self.teacher.of(batch), TEMPERATURE)


def train(backbone: PooledBackbone, people: People, how: TrainSettings, seed: int, teacher: Trained | None, context: Context) -> Trained:
    """Trains `backbone`, at the resolution of `how`, with softmax on features of one length; goes on from its checkpoint, or gives what
    it holds where it was finished."""
    backbone = replace(backbone, pixels=how.phases[0].pixels)
    made_from = {"backbone": describe(backbone), "how": describe(how), "faces": people.fingerprint, "seed": seed}
    key = key_of(**made_from, teacher=None if teacher is None else teacher.key)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = backbone.build()
        classifier = Softmax(FEATURE_LENGTH).build(backbone.embedding_size, people.classes)
    work = replace(context, work=context.work / "tables" / key[:24], seed=seed)
    scores = None
    if teacher is not None:
        drawn = [(phase.steps, phase.pixels) for phase in how.phases], how.batch, describe(how.augment), how.precision
        same = key_of(teacher=teacher.key, drawn=drawn, faces=people.fingerprint, seed=seed)
        kept = context.work / "tables" / f"scores-{same[:24]}.npy"
        scores = _KeptScores(teacher, kept, (how.steps, how.batch, people.classes))
    fit(net, _Classify(classifier, scores), people.training, backbone.input, how, work, type(backbone).__name__)
    return Trained(net.eval(), classifier.eval(), key, backbone)


def inputs(faces: Faces, contract: InputContract, batch: int = 32) -> Iterator[Tensor]:
    """`[B, 3, H, W]` at a time: `faces`, enlarged or reduced to a net's input, in its range."""
    size = (contract.height, contract.width)
    for start in range(0, len(faces), batch):
        pixels = torch.from_numpy(np.ascontiguousarray(faces.images[start : start + batch])).permute(0, 3, 1, 2).float()
        sized = functional.interpolate(pixels, size=size, mode="bilinear", antialias=True, align_corners=False).clamp(0, 255)
        yield to_input(sized, contract)


def substitutes(net: PooledBackbone, baseline: Trained, people: People, how: TrainSettings, seeds: int, context: Context) -> list[Trained]:
    """`net` trained with each seed, distilled from `baseline`; the baseline alone where `net` is its backbone."""
    if net == replace(baseline.backbone, pixels=net.pixels):
        return [baseline]
    return [train(net, people, how, seed, baseline, context) for seed in range(seeds)]


def accuracy(trained: Trained, people: People) -> Share:
    """Top-1 on the held images."""
    return top1(trained.scores, trained.backbone.input, people)


def top1(scores: Callable[[Tensor], Tensor], contract: InputContract, people: People) -> Share:
    """Top-1 of `scores`, images in the range of `contract` to `[N, C]`, on the held images."""
    with torch.no_grad():
        rows = [scores(images).numpy() for images in inputs(people.held, contract)]
    return closed_set(np.concatenate(rows), people.held_labels)


def spread(shares: Sequence[Share]) -> str:
    """Mean ± standard deviation over seeds in percent; of one seed its 95 % confidence interval."""
    if len(shares) == 1:
        return f"{100 * shares[0].value:.2f} ({100 * shares[0].low:.1f} to {100 * shares[0].high:.1f})"
    values = [100 * item.value for item in shares]
    return f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"


def what_ran(name: str, order: TableOrder, people: People, steps: int) -> str:
    """The command of table `name`, and the faces that it ran on."""
    faces = f"{people.classes} identities, {len(people.training)} images to train on, {len(people.held)} held (a fifth of each identity)"
    return f"`{order.command(name, steps)}`: {faces}."


def time_taken(started: float) -> str:
    """The minutes since `started`, of `time.monotonic`, and the machine."""
    facts = machine()
    return f"{(time.monotonic() - started) / 60:.0f} minutes for what had not been kept, on {facts['cores']} cores of {facts['processor']}."
