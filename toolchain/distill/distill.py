"""Distill: trains a student on the embeddings of one or several teachers; no labels are needed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from runtime_py.bundle import InputContract
from toolchain import files
from toolchain.data.augment import Augment
from toolchain.data.faces import Faces
from toolchain.distill.feature_consistency import feature_consistency
from toolchain.distill.teachers import Targets, Teacher, concatenate, embed_both_flips, targets
from toolchain.errors import RecipeError
from toolchain.model import Model, trainable_copy
from toolchain.stage import Context, Stage
from toolchain.train import Batch, TrainSettings, fit, hash_of


class CachedTeachers(nn.Module):
    """Feature consistency with the kept embeddings of each face, whatever its augmentation."""

    def __init__(self, wanted: Targets) -> None:
        super().__init__()
        self.wanted: Tensor
        self.register_buffer("wanted", wanted.embeddings, persistent=False)

    def forward(self, net: nn.Module, batch: Batch) -> Tensor:
        return feature_consistency(net(batch.images), self.wanted[batch.index])


class LiveTeachers(nn.Module):
    """Feature consistency with the teachers' embeddings of the very batch, augmented and mixed up as it is: every step is a
    new pair of image and embedding. The teachers cost more than the student; meant for a GPU."""

    def __init__(self, teachers: tuple[Teacher, ...], directions: Tensor, contract: InputContract, mixup: float) -> None:
        super().__init__()
        self.contracts = [teacher.input for teacher in teachers]
        # In a list, so that they are neither trained nor kept in checkpoints.
        self._nets = [teacher.net() for teacher in teachers]
        self.directions: Tensor
        self.register_buffer("directions", directions, persistent=False)
        self.contract, self.mixup = contract, mixup

    def forward(self, net: nn.Module, batch: Batch) -> Tensor:
        images = batch.images
        if self.mixup > 0:
            share = torch.rand(len(images), 1, 1, 1, device=images.device) * self.mixup
            images = images * (1 - share) + images.roll(1, 0) * share
        pixels = (images - self.contract.offset) / self.contract.scale
        if self.contract.color == "bgr":
            pixels = pixels.flip(1)
        self._nets = [teacher.to(images.device) for teacher in self._nets]
        seen = []
        for teacher, contract in zip(self._nets, self.contracts, strict=True):
            sized = functional.interpolate(pixels, size=(contract.height, contract.width), mode="bilinear", align_corners=False)
            seen.append(embed_both_flips(teacher, contract, sized))
        return feature_consistency(net(images), concatenate(seen) @ self.directions)


@dataclass(frozen=True)
class Distill(Stage):
    """Feature consistency from `teachers`. The student's embedding size sets the PCA."""

    trains: ClassVar[bool] = True

    teachers: tuple[Teacher, ...]
    settings: TrainSettings
    views: int = 0
    """Fixed augmented views of every face that the teachers see beside the face itself (cached teachers only)."""
    live: bool = False
    """The teachers embed every batch anew, instead of every face once."""
    mixup: float = 0.0
    """With live teachers: the largest share of another face mixed into each."""

    def __post_init__(self) -> None:
        if not self.teachers:
            raise RecipeError("Distill: expected at least one teacher")
        if self.live and self.views or self.mixup and not self.live:
            raise RecipeError("Distill: views need cached teachers and mixup needs live ones")

    def apply(self, model: Model, context: Context) -> Model:
        faces = context.training_faces("Distill")
        net = trainable_copy(model)
        seen = augmented_views(faces, self.views, self.settings.augment, context) if self.views else faces
        wanted = targets(self.teachers, seen, _embedding_size(model), context)
        objective = LiveTeachers(self.teachers, wanted.directions, model.input, self.mixup) if self.live else CachedTeachers(wanted)
        validate = None if context.aside is None else _validation(self.teachers, context.aside, model, wanted.directions, context)
        fit(net, objective, seen, model.input, self.settings, context, "distill", validate)
        return model.with_net(net)


def _embedding_size(model: Model) -> int:
    return int(model.embed(torch.zeros(1, 3, model.input.height, model.input.width, dtype=torch.uint8)).shape[1])


class _Validation:
    """The mean cosine between the student's and the teachers' embeddings of faces kept aside."""

    def __init__(self, images: Tensor, wanted: Tensor, model: Model) -> None:
        self.images, self.wanted, self.model = images, wanted, model

    def __call__(self, net: nn.Module) -> dict[str, float]:
        embeddings = dataclasses.replace(self.model, net=net, encodings={}).embed(self.images)
        return {"aside_cosine": float((embeddings * self.wanted).sum(1).mean())}


def _validation(teachers: tuple[Teacher, ...], aside: Faces, model: Model, directions: Tensor, context: Context) -> _Validation:
    wanted = targets(teachers, aside, directions.shape[1], context, directions).embeddings
    return _Validation(torch.from_numpy(np.ascontiguousarray(aside.images)).permute(0, 3, 1, 2), wanted, model)


def augmented_views(faces: Faces, views: int, augment: Augment, context: Context, batch: int = 256) -> Faces:
    """The faces and `views` fixed augmented copies of each, as one set on disk: more distinct pairs of image and teacher
    embedding, each embedded once."""
    path = context.work / f"views-{views}.npy"
    size = faces.images.shape[1]
    total = len(faces) * (1 + views)
    if not path.exists():
        with files.partial(path) as temporary:
            out = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(total, *faces.images.shape[1:]))
            out[: len(faces)] = faces.images
            for view in context.progress.track(range(views), f"{views} views of {len(faces)} faces"):
                for start in range(0, len(faces), batch):
                    pixels = torch.from_numpy(np.ascontiguousarray(faces.images[start : start + batch])).permute(0, 3, 1, 2).float()
                    generator = torch.Generator().manual_seed(hash_of(context.seed, view, start))
                    changed = augment(pixels, size, generator).round().byte().permute(0, 2, 3, 1).numpy()
                    first = (1 + view) * len(faces) + start
                    out[first : first + len(changed)] = changed
            out.flush()
    names = tuple(name for view in range(1 + views) for name in (faces.names if view == 0 else (f"{n}#{view}" for n in faces.names)))
    return Faces(np.load(path, mmap_mode="r", allow_pickle=False), names)
