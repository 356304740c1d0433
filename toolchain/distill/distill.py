"""Distill: trains a student to be consistent with one or several teachers; only probability consistency needs labels."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from toolchain import files
from toolchain.compress.refit import evenly_spaced, fit_last
from toolchain.data.augment import Augment
from toolchain.data.faces import Faces
from toolchain.distill.base import Consistency, ConsistencyLoss
from toolchain.distill.feature_consistency import FeatureConsistency
from toolchain.distill.objectives import CachedTeachers, Comparison, LiveTeachers
from toolchain.distill.teachers import AnyTeacher, Reduction, targets
from toolchain.errors import RecipeError
from toolchain.losses.supervised import labelled
from toolchain.model import Model, trainable_copy
from toolchain.stage import TRAINS_FREELY, Context, Stage, Trait, added
from toolchain.training.loop import TrainSettings, fit, hash_of


@dataclass(frozen=True)
class Distill(Stage):
    """Trains the student to be consistent with `teachers`, in the way that `by` says.

    Teachers' embeddings that are longer than the student's are reduced to its size by PCA. With `projection` a linear map from the
    student's to theirs, longer or shorter, is trained along and dropped. To keep such a map as the embedding, give the student the
    teachers' size: its last layer is linear.
    """

    trains: ClassVar[bool] = True
    refuses: ClassVar[Mapping[Trait, str]] = TRAINS_FREELY

    teachers: tuple[AnyTeacher, ...]
    settings: TrainSettings
    views: int = 0
    """Fixed augmented views of every face that the teachers see beside the face itself (cached teachers only)."""
    live: bool = False
    """The teachers embed every batch anew, instead of every face once."""
    mixup: float = 0.0
    """With live teachers: the largest share of another face mixed into each."""
    by: Consistency = field(default_factory=FeatureConsistency)
    projection: bool = False
    cut: float = 0.0
    """With live teachers: the largest side, as a share of the image's, of a rectangle of another face put into each."""
    maps: float = 0.0
    """With live teachers: weight of the first one's maps, matched at each resolution through regressors that are dropped."""
    even: float = added(0.0)
    """How strongly the teachers' embeddings are whitened (`Whiten.strength`) before they are learnt: what tells strangers apart then
    counts for more in the loss, and in the embeddings."""
    refit: int = added(0)
    """By how many faces the last layer is solved for the teachers' embeddings, in closed form, before the training; 0: it starts as it is.
    For a student that was taught others before."""

    def __post_init__(self) -> None:
        if not self.teachers:
            raise RecipeError("Distill: expected at least one teacher")
        if self.views < 0:
            raise RecipeError(f"Distill.views: expected 0 or more, got {self.views}")
        for name in ("mixup", "cut"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"Distill.{name}: expected a share, 0 to 1, got {getattr(self, name)}")
        if not 0 <= self.maps < math.inf:
            raise RecipeError(f"Distill.maps: expected 0 or more, got {self.maps}")
        if not 0 <= self.even <= 1 or self.refit < 0:
            raise RecipeError(f"Distill: expected even in 0..1 and refit >= 0, got {self.even} and {self.refit}")
        if self.refit and (self.projection or self.views):
            raise RecipeError("Distill: refit solves the student's own last layer for faces as they are; leave out projection and views")
        if self.live and self.views or (self.mixup or self.cut or self.maps) and not self.live:
            raise RecipeError("Distill: views need cached teachers; mixup, cut and maps need live ones")
        if self.by.needs_classes and (len(self.teachers) > 1 or self.mixup or self.cut):
            raise RecipeError(f"Distill: {type(self.by).__name__} needs one teacher and faces of one identity each, so no mixup and no cut")

    def reads(self) -> tuple[str, ...]:
        return tuple(sha256 for teacher in self.teachers for sha256 in teacher.reads())

    def transform(self, model: Model, context: Context) -> Model:
        faces = context.training_faces("Distill")
        if self.by.needs_classes:
            faces = labelled(faces, "Distill")
        size = _embedding_size(model)
        seen = augmented_views(faces, self.views, self.settings.augment, context) if self.views else faces
        reduced = None if self.projection or self.by.any_sizes else size
        wanted = targets(self.teachers, seen, reduced, context, self.even)
        compared = wanted.embeddings.shape[1] if self.projection else size
        loss = self._loss(compared, faces, context)
        net = trainable_copy(self._start(model, wanted.embeddings, faces))
        comparison = Comparison(loss, self._projection(size, compared, context))
        objective: nn.Module = CachedTeachers(comparison, wanted)
        if self.live:
            ready = [teacher.ready(context) for teacher in self.teachers]
            with torch.random.fork_rng():
                torch.manual_seed(context.seed)
                objective = LiveTeachers(comparison, net, ready, wanted.reduction, model.input, self.mixup, self.cut, self.maps)
        comparable = context.aside is not None and reduced is not None
        validate = _validation(self.teachers, context.aside, model, wanted.reduction, context) if comparable else None  # type: ignore[arg-type]
        fit(net, objective, seen, model.input, self.settings, context, "distill", validate)
        return model.with_net(net)

    def _start(self, model: Model, wanted: Tensor, faces: Faces) -> Model:
        if not self.refit:
            return model
        return fit_last(model, wanted[evenly_spaced(len(faces), self.refit)], faces, self.refit)

    def _loss(self, size: int, faces: Faces, context: Context) -> ConsistencyLoss:
        """For student embeddings of `size` numbers, as they are compared: behind the projection where there is one."""
        classifier, classes = None, 0
        if self.by.needs_classes:
            classifier, classes = self.teachers[0].ready(context).classifier, len(set(faces.identities))
        with torch.random.fork_rng():
            torch.manual_seed(context.seed)
            return self.by.build(size, classes, classifier)

    def _projection(self, size: int, wanted: int, context: Context) -> nn.Module:
        if not self.projection:
            return nn.Identity()
        with torch.random.fork_rng():
            torch.manual_seed(context.seed)
            return nn.Linear(size, wanted, bias=False)


def _embedding_size(model: Model) -> int:
    return int(model.embed(torch.zeros(1, 3, model.input.height, model.input.width, dtype=torch.uint8)).shape[1])


class _Validation:
    """The mean cosine between the student's and the teachers' embeddings of faces kept aside."""

    def __init__(self, images: Tensor, wanted: Tensor, model: Model) -> None:
        self.images, self.wanted, self.model = images, wanted, model

    def __call__(self, net: nn.Module) -> dict[str, float]:
        embeddings = dataclasses.replace(self.model, net=net, encodings={}).embed(self.images)
        return {"aside_cosine": float((embeddings * self.wanted).sum(1).mean())}


def _validation(teachers: tuple[AnyTeacher, ...], aside: Faces, model: Model, given: Reduction, context: Context) -> _Validation:
    wanted = targets(teachers, aside, None, context, given=given).embeddings
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
