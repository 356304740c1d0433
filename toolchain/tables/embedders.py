"""What the tables share that train MobileFaceNets: the faces, the schedule, and how a net is judged on people that it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from toolchain.backbones import Backbone
from toolchain.data import protocols
from toolchain.data.augment import Augment
from toolchain.data.faces import Faces
from toolchain.data.identification import Identification, identify
from toolchain.distill import TrainedTeacher
from toolchain.errors import DataError
from toolchain.kept import KeptBytes, key_of
from toolchain.losses import Train
from toolchain.model import Model
from toolchain.stage import Context
from toolchain.tables.base import TableOrder
from toolchain.training.loop import Phase, TrainSettings

LIGHT = Augment(rotation_degrees=5, scale=0.06, shift=0.03, brightness=0.1, contrast=0.15, saturation=0.2, low_resolution=0, erase=0)


def schedule(order: TableOrder, steps: int) -> TrainSettings:
    """The same for every net: batches of 32, for small batches give more steps in the same time; at 64 pixels, or 112 with `full`."""
    return TrainSettings((Phase(order.steps or steps, 112 if order.full else 64),), batch=32, augment=LIGHT)


@dataclass(frozen=True)
class Judged:
    """Of one net: identification of people kept aside, and `lfw`, the mean accuracy by folds of the pairs file, where there was one."""

    people: Identification
    lfw: float | None

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Judges:
    """The faces that nets are judged on; `pixels` is the size that they are reduced to, as the nets were trained."""

    aside: Faces
    verification: Faces | None
    pairs: protocols.Pairs | None
    pixels: int
    kept: KeptBytes

    @classmethod
    def read(cls, order: TableOrder, aside: Faces) -> Judges:
        """Errors: DataError for missing files, and where no identity was kept aside."""
        if len(set(aside.identities)) < 2:
            raise DataError("this table judges on the identities kept aside (one group in twelve): give faces of more people by --images")
        faces = Faces.read(order.lfw, order.cache / "faces", order.progress) if order.lfw else None
        pairs = None if order.pairs is None or faces is None else protocols.read_pairs(order.pairs, faces.names)
        return cls(aside, faces, pairs, 112 if order.full else 64, KeptBytes(order.cache / "bytes"))

    def judge(self, model: Model) -> Judged:
        """Judges a trained net; its embeddings are kept by content."""
        people = identify(self._embed(model, self.aside), self.aside.labels, self.aside.names)
        if people is None:
            raise DataError("this table judges on the identities kept aside: none has two images; give more of each by --images")
        lfw = None
        if self.verification is not None and self.pairs is not None:
            scores = protocols.pair_scores(self._embed(model, self.verification), self.pairs.first, self.pairs.second)
            lfw = protocols.fold_accuracy(scores, self.pairs.same, self.pairs.fold).mean
        return Judged(people, lfw)

    def _embed(self, model: Model, faces: Faces) -> npt.NDArray[np.float32]:
        def embed() -> bytes:
            rows = []
            for start in range(0, len(faces), 256):
                pixels = torch.from_numpy(np.array(faces.images[start : start + 256])).permute(0, 3, 1, 2)
                rows.append(model.embed(sized_to(pixels, self.pixels)).numpy())
            return np.concatenate(rows).tobytes()

        key = key_of(made="table embeddings", model=model.fingerprint(), faces=faces.fingerprint(), pixels=self.pixels)
        return np.frombuffer(self.kept.get(key, embed), np.float32).reshape(len(faces), -1)


def sized_to(images: Tensor, pixels: int) -> Tensor:
    """`images` `[N, 3, H, W]` uint8 at `pixels` × `pixels`."""
    if images.shape[2:] == (pixels, pixels):
        return images
    reduced = functional.interpolate(images.float(), size=(pixels, pixels), mode="bilinear", antialias=True, align_corners=False)
    return reduced.round().byte()


def contexts(order: TableOrder) -> tuple[Context, Judges]:
    """(where nets are trained, on the faces that are not kept aside; what they are judged by). Errors: DataError."""
    if not order.images:
        raise DataError("this table trains: give labelled faces by --images FOLDER or TAR")
    faces, aside = Faces.read(order.images, order.cache / "faces", order.progress).split_aside()
    context = Context(order.cache / "work", order.cache / "shared", faces, progress=order.progress)
    return context, Judges.read(order, aside)


def from_scratch(backbone: Backbone, by: Train, context: Context) -> Model:
    """A backbone trained with the context's seed on its labelled faces; kept by content."""
    return Model(TrainedTeacher(backbone, by).ready(context).net(), backbone.input)


def percent(values: Sequence[float]) -> str:
    """Mean ± standard deviation of shares in percent; of one alone its value."""
    shown = f"{100 * np.mean(values):.2f}"
    return shown if len(values) == 1 else f"{shown} ± {100 * np.std(values, ddof=1):.2f}"


def columns(judged: Sequence[Judged]) -> tuple[str, str, str]:
    """LFW, rank-1 and NearestOne over seeds, in percent; a dash where there were no pairs, or too few images of a person."""
    lfw = [item.lfw for item in judged if item.lfw is not None]
    nearest = [item.people.nearest_one.value for item in judged if item.people.nearest_one is not None]
    first = percent([item.people.rank1.value for item in judged])
    return percent(lfw) if lfw else "–", first, percent(nearest) if nearest else "–"


def judges_note(judges: Judges, context: Context) -> str:
    """What the nets were trained and judged on."""
    faces = context.training_faces("table")
    lfw = "" if judges.verification is None else f"; verification on {len(judges.verification)} images of the pairs file, by folds"
    return (
        f"Trained on {len(faces)} faces of {len(set(faces.identities))} identities; identification on {len(judges.aside)} faces of "
        f"{len(set(judges.aside.identities))} identities kept aside: rank-1 with one image of each known, NearestOne with four fifths{lfw}."
    )
