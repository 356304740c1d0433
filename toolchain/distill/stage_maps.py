"""Stage-wise feature matching: the student's last map of each resolution is pulled to the teacher's (FitNets' hint, Romero et al.,
ICLR 2015, eq. 3) through regressors that are trained along and dropped."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from toolchain.distill.self_distillation import map_error


@contextmanager
def stage_maps(net: nn.Module) -> Iterator[dict[int, Tensor]]:
    """While the net runs on `[N, 3, H, W]`: the last convolution's map `[N, C, h, w]` of each resolution, by how often the image was
    halved, log2(H / h) rounded; those of a single position are embeddings and no maps. Cleared at the start of each run."""
    seen: dict[int, Tensor] = {}
    height = 0

    def start(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal height
        height = inputs[0].shape[2]
        seen.clear()

    def keep(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if output.shape[2] > 1:
            seen[round(math.log2(height / output.shape[2]))] = output

    hooks = [layer.register_forward_hook(keep) for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    hooks.append(net.register_forward_pre_hook(start))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


class StageRegressors(nn.Module):
    """A linear 1×1 layer from the student's channels to the teacher's at each resolution that both have, and the mean `map_error`."""

    def __init__(self, student: dict[int, Tensor], teacher: dict[int, Tensor]) -> None:
        super().__init__()
        self.levels = sorted(student.keys() & teacher.keys())
        pairs = [(student[level].shape[1], teacher[level].shape[1]) for level in self.levels]
        self.layers = nn.ModuleList([nn.Conv2d(inputs, outputs, 1) for inputs, outputs in pairs])

    def forward(self, student: dict[int, Tensor], teacher: dict[int, Tensor]) -> Tensor:
        """A scalar; 1 where every map is constant. The teacher's maps are pooled to the student's size where its image was smaller."""
        errors = []
        for level, layer in zip(self.levels, self.layers, strict=True):
            given = layer(student[level])
            wanted = functional.adaptive_avg_pool2d(teacher[level], given.shape[2:])
            errors.append(map_error(given.float(), wanted.float()))
        return torch.stack(errors).mean()
