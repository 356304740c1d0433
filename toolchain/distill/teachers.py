"""Teachers: strong embedders whose embeddings a student learns. Embeddings are computed once and kept by content."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from runtime_py.bundle import InputContract
from toolchain import files
from toolchain.compress.whiten import whitening
from toolchain.data.faces import Faces
from toolchain.errors import DataError, RecipeError
from toolchain.losses.base import Classifier
from toolchain.model import to_input
from toolchain.stage import Context


@dataclass(frozen=True, eq=False)
class ReadyTeacher:
    """A teacher that can be asked. `name` is for people, `key` changes with its weights; `net()` gives the module, `[N, 3, H, W]` in the
    range of `input` to `[N, D]`, frozen. `classifier`: of its embeddings, where it was trained on identities."""

    name: str
    key: str
    input: InputContract
    net: Callable[[], nn.Module]
    classifier: Classifier | None = None


@dataclass(frozen=True)
class AnyTeacher(ABC):
    """Frozen settings of a teacher."""

    def reads(self) -> tuple[str, ...]:
        """The sha256 of each file that it is read from. Error: DataError for one that is missing."""
        return ()

    @abstractmethod
    def ready(self, context: Context) -> ReadyTeacher:
        """The teacher; whatever it needs for that is done here. Errors: DataError."""


@dataclass(frozen=True)
class Teacher(AnyTeacher):
    """An ONNX face embedder and the input that it takes."""

    path: Path
    """The .onnx file; a relative path that is not there is looked up in the folder that `POCKETFACE_DATA` names."""
    input: InputContract

    def read(self) -> bytes:
        """The file's bytes. Error: DataError where it is missing."""
        path = self.path if self.path.exists() else Path(os.environ.get("POCKETFACE_DATA", ".")) / self.path
        try:
            return path.read_bytes()
        except OSError as error:
            hint = "set POCKETFACE_DATA to the folder that holds it"
            raise DataError(f"{self.path}: expected a teacher's ONNX file ({error.strerror}); {hint}") from None

    def reads(self) -> tuple[str, ...]:
        return (hashlib.sha256(self.read()).hexdigest(),)

    def ready(self, context: Context) -> ReadyTeacher:
        """The teacher. Error: DataError where its file is missing."""
        return ReadyTeacher(self.path.name, self.reads()[0], self.input, self.net)

    def net(self) -> nn.Module:
        """The teacher as a torch module, `[N, 3, H, W]` in its contract's range to `[N, D]`, with frozen weights."""
        from toolchain.from_onnx import net_from_onnx  # here, since onnx2torch imports all of torchvision, which takes seconds

        net = net_from_onnx(self.path.name, self.read(), self.input)
        frozen: nn.Module = net.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return frozen


@torch.no_grad()
def embed_both_flips(net: nn.Module, contract: InputContract, images: Tensor) -> Tensor:
    """`images` `[N, 3, H, W]` float in 0..255 to `[N, D]`: the mean of the embeddings of each image and its mirror image, each
    of length 1 before, the mean of length 1 after. It is a better teacher than either, and the same for both."""
    pixels = to_input(torch.cat([images, images.flip(3)]), contract).contiguous(memory_format=torch.channels_last)
    embeddings = functional.normalize(net(pixels).flatten(1).float())
    return functional.normalize(sum(embeddings.chunk(2)))  # type: ignore[arg-type]


def concatenate(parts: list[Tensor]) -> Tensor:
    """Embeddings of length 1 of several teachers `[N, D_i]` as one `[N, Σ D_i]` of length 1: its cosine is the mean of theirs."""
    return torch.cat(parts, 1) / len(parts) ** 0.5


def principal_directions(embeddings: Tensor, dim: int | None) -> Tensor:
    """`[N, D]` to `[D, dim]`: the `dim` directions that keep most of the energy (PCA without centring, since what must
    survive is the cosine, an inner product about the origin). Where `dim` >= D, or None: the identity."""
    if dim is None or dim >= embeddings.shape[1]:
        return torch.eye(embeddings.shape[1])
    values, vectors = torch.linalg.eigh(embeddings.double().T @ embeddings.double())
    directions = vectors[:, -dim:].flip(1)
    # The sign of an eigenvector is arbitrary: fix it, so that two machines give the same targets.
    directions *= torch.sign(directions.gather(0, directions.abs().argmax(0, keepdim=True)))
    return directions.float()


def sized(images: Tensor, contract: InputContract) -> Tensor:
    """`images` `[N, 3, H, W]` float at the size that `contract` states."""
    size = (contract.height, contract.width)
    if images.shape[2:] == size:
        return images
    return functional.interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)


def kept_embeddings(teacher: AnyTeacher, faces: Faces, context: Context, batch: int = 32) -> npt.NDArray[np.float32]:
    """The teacher's embeddings of `faces`, `[N, D]` of length 1 over both flips, from the cache where they are.

    They are kept in the shared cache under the teacher's key, its input contract and the faces.
    """
    asked = teacher.ready(context)
    made_from = f"{asked.key} {asked.input} {faces.fingerprint()}"
    kept = context.shared / "teachers" / f"{hashlib.sha256(made_from.encode()).hexdigest()[:24]}.npy"
    if kept.exists():
        stored: npt.NDArray[np.float32] = np.load(kept, allow_pickle=False)
        if stored.shape[:1] == (len(faces),):
            return stored
    net = asked.net().to(context.device)
    rows = []
    for start in context.progress.track(range(0, len(faces), batch), f"{asked.name} on {len(faces)} faces"):
        pixels = torch.from_numpy(np.ascontiguousarray(faces.images[start : start + batch])).to(context.device)
        rows.append(embed_both_flips(net, asked.input, sized(pixels.permute(0, 3, 1, 2).float(), asked.input)).cpu())
    embeddings: npt.NDArray[np.float32] = torch.cat(rows).numpy()
    with files.partial(kept) as temporary, temporary.open("wb") as stream:
        np.save(stream, embeddings)
    return embeddings


@dataclass(frozen=True, eq=False)
class Reduction:
    """How the teachers' concatenated embeddings become what the student's should be: y = e `directions` + `offset`, to length 1."""

    directions: Tensor
    """`[Σ D_i, dim]`."""
    offset: Tensor
    """`[dim]`."""

    def __call__(self, joined: Tensor) -> Tensor:
        """`[N, Σ D_i]` to `[N, dim]` of length 1."""
        return functional.normalize(joined @ self.directions + self.offset)

    def to(self, device: torch.device) -> Reduction:
        return Reduction(self.directions.to(device), self.offset.to(device))


def reduction(joined: Tensor, dim: int | None, even: float = 0.0) -> Reduction:
    """PCA of `joined` `[N, Σ D_i]` to `dim` (None: none), centred and whitened by the strength `even` where that is not 0."""
    directions = principal_directions(joined, dim)
    if not even:
        return Reduction(directions, torch.zeros(directions.shape[1]))
    mean, gains = whitening(joined @ directions, even)
    return Reduction((directions.double() @ gains).float(), (-mean @ gains).float())


@dataclass(frozen=True, eq=False)
class Targets:
    """What the student's embedding of each face should be: `embeddings` `[N, dim]` of length 1, and the `reduction` that gave them."""

    embeddings: Tensor
    reduction: Reduction


def targets(
    teachers: tuple[AnyTeacher, ...], faces: Faces, dim: int | None, context: Context, even: float = 0.0, given: Reduction | None = None
) -> Targets:
    """The teachers' embeddings of `faces`, concatenated and reduced to `dim` (None: not at all) by PCA on these faces and evened by the
    strength `even` (toolchain/compress/whiten.py), or both by the reduction `given`. Error: RecipeError where they have fewer numbers than
    `dim`."""
    joined = concatenate([torch.from_numpy(kept_embeddings(teacher, faces, context)) for teacher in teachers])
    if dim is not None and joined.shape[1] < dim:
        told = f"expected teachers that give the student's {dim} numbers or more, together, got {joined.shape[1]}"
        raise RecipeError(f"{told}; take more teachers, a student of embedding_size={joined.shape[1]}, or Distill(…, projection=True)")
    chosen = given or reduction(joined, dim, even)
    return Targets(chosen(joined), chosen)
