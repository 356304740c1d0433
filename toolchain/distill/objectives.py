"""What distillation minimises: a consistency loss against teachers whose embeddings were kept, or that see every batch anew."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from runtime_py.bundle import InputContract
from toolchain.distill.base import ConsistencyLoss
from toolchain.distill.stage_maps import StageRegressors, stage_maps
from toolchain.distill.teachers import ReadyTeacher, Reduction, Targets, concatenate, embed_both_flips, sized
from toolchain.model import to_input
from toolchain.training.loop import Batch


def mixed(images: Tensor, mixup: float, cut: float) -> Tensor:
    """Each of `images` `[B, C, H, W]` with a share of its neighbour, drawn from 0 up to `mixup` (mixup: Zhang et al., ICLR 2018), and a
    rectangle of it, whose sides are drawn from 0 up to `cut` of the image's (CutMix: Yun et al., ICCV 2019); 0 leaves one out."""
    other = images.roll(1, 0)
    if mixup > 0:
        share = torch.rand(len(images), 1, 1, 1, device=images.device) * mixup
        images = images * (1 - share) + other * share
    if cut > 0:
        height, width = images.shape[2:]
        draw = torch.rand(4, device="cpu").tolist()
        high, wide = int(height * cut * draw[0]), int(width * cut * draw[1])
        top, left = int((height - high) * draw[2]), int((width - wide) * draw[3])
        images = images.clone()
        images[:, :, top : top + high, left : left + wide] = other[:, :, top : top + high, left : left + wide]
    return images


class Comparison(nn.Module):
    """A loss on the student's embeddings, through a linear map to the teachers' dimension where one is trained along."""

    def __init__(self, loss: ConsistencyLoss, projection: nn.Module) -> None:
        super().__init__()
        self.loss, self.projection = loss, projection

    def forward(self, net: nn.Module, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        found: Tensor = self.loss(net, self.projection(student.float()), teacher, labels)
        return found


class CachedTeachers(nn.Module):
    """Against the kept embeddings of each face, whatever its augmentation."""

    def __init__(self, comparison: Comparison, wanted: Targets) -> None:
        super().__init__()
        self.comparison = comparison
        self.wanted: Tensor
        self.register_buffer("wanted", wanted.embeddings, persistent=False)

    def forward(self, net: nn.Module, batch: Batch) -> Tensor:
        found: Tensor = self.comparison(net, net(batch.images), self.wanted[batch.index], batch.labels)
        return found


class LiveTeachers(nn.Module):
    """Against the teachers' embeddings of the very batch, augmented and mixed as it is: every step is a new pair of image and
    embedding. The teachers cost more than the student; meant for a GPU.

    `contract`: the student's input. `mixup`, `cut`: see `mixed`. `maps`: weight of the first teacher's maps, 0 for none;
    their regressors are initialised from torch's global generator.
    """

    def __init__(
        self,
        comparison: Comparison,
        student: nn.Module,
        teachers: Sequence[ReadyTeacher],
        reduction: Reduction,
        contract: InputContract,
        mixup: float = 0.0,
        cut: float = 0.0,
        maps: float = 0.0,
    ) -> None:
        super().__init__()
        self.comparison = comparison
        self.contracts = [teacher.input for teacher in teachers]
        # In a list, so that they are neither trained nor kept in checkpoints.
        self._nets = [teacher.net() for teacher in teachers]
        self._reduction = reduction
        self.contract, self.mixup, self.cut, self.maps = contract, mixup, cut, maps
        self.regressors = self._regressors(student) if maps > 0 else None

    def _regressors(self, student: nn.Module) -> StageRegressors:
        """Of the nets' shapes, which a grey image tells."""
        grey = torch.full((1, 3, self.contract.height, self.contract.width), 127.5)
        training = student.training
        with torch.no_grad(), stage_maps(student.eval()) as given, stage_maps(self._nets[0]) as wanted:
            student(to_input(grey, self.contract))
            embed_both_flips(self._nets[0], self.contracts[0], sized(grey, self.contracts[0]))
            made = StageRegressors(given, wanted)
        student.train(training)
        return made

    def forward(self, net: nn.Module, batch: Batch) -> Tensor:
        images = mixed(batch.images, self.mixup, self.cut)
        pixels = (images - self.contract.offset) / self.contract.scale
        if self.contract.color == "bgr":
            pixels = pixels.flip(1)
        self._nets = [teacher.to(images.device) for teacher in self._nets]
        self._reduction = self._reduction.to(images.device)
        if self.regressors is None:
            found: Tensor = self.comparison(net, net(images), self._embed(pixels), batch.labels)
            return found
        with stage_maps(self._nets[0]) as wanted, stage_maps(net) as given:
            found = self.comparison(net, net(images), self._embed(pixels), batch.labels)
            # The teacher saw the mirror images too, behind the images themselves.
            seen = {level: maps[: len(images)] for level, maps in wanted.items()}
            return found + self.maps * self.regressors(given, seen)

    def _embed(self, pixels: Tensor) -> Tensor:
        pairs = zip(self._nets, self.contracts, strict=True)
        joined = concatenate([embed_both_flips(net, contract, sized(pixels, contract)) for net, contract in pairs])
        return self._reduction(joined)
