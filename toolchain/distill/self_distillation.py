"""Self-distillation: a net whose weights are being constrained is pulled back to what it was before.

The teacher is the unconstrained net itself, so that no label is needed and every augmented image has an exact target:
feature consistency of the embeddings and, where asked, of feature maps on the way (FitNets, Romero et al., ICLR 2015, eq. 3;
the nets are the same but for their weights, so no regressor stands between them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from toolchain.distill.feature_consistency import feature_consistency
from toolchain.training.loop import Batch


def map_error(student: Tensor, teacher: Tensor) -> Tensor:
    """‖student - teacher‖² / ‖teacher - mean‖², a scalar, over maps `[B, C, ...]`; the mean is each channel's, so that 1 is
    what a constant map would score."""
    over = [axis for axis in range(teacher.ndim) if axis != 1]
    spread = (teacher - teacher.mean(over, keepdim=True)).square().mean()
    return (student - teacher).square().mean() / spread.clamp_min(1e-12)


class SelfDistillation(nn.Module):
    """Mean 1 - cos of the embeddings, plus `weight` times the mean `map_error` of what the layers named in `maps` read.

    `at_step`, if given, is called with the number of batches seen so far before each: a schedule of the net's constraints.
    The number is part of the checkpoint, so that a run that is resumed goes on in its schedule.
    """

    step: Tensor

    def __init__(
        self, teacher: nn.Module, maps: Sequence[str] = (), weight: float = 0.0, at_step: Callable[[int], None] | None = None
    ) -> None:
        super().__init__()
        # In a list, so that it is neither trained nor part of a checkpoint.
        self._teacher = [teacher.eval().requires_grad_(False).to(memory_format=torch.channels_last)]  # type: ignore[call-overload]
        self.maps, self.weight, self.at_step = tuple(maps) if weight > 0 else (), weight, at_step
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def forward(self, net: nn.Module, batch: Batch) -> Tensor:
        if self.at_step is not None:
            self.at_step(int(self.step))
        self.step += 1
        teacher = self._teacher[0] = self._teacher[0].to(batch.images.device)
        with torch.no_grad(), _inputs(teacher, self.maps) as wanted:
            target = teacher(batch.images)
        with _inputs(net, self.maps) as seen:
            loss = feature_consistency(net(batch.images), target)
        if self.maps:
            loss = loss + self.weight * torch.stack([map_error(seen[name], wanted[name]) for name in self.maps]).mean()
        return loss


@contextmanager
def _inputs(net: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """What each named layer reads while the net runs."""
    seen: dict[str, Tensor] = {}
    hooks = [net.get_submodule(name).register_forward_pre_hook(_keep(seen, name)) for name in names]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _keep(seen: dict[str, Tensor], name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def hook(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen[name] = inputs[0]

    return hook
