"""Batch norm over a batch that several processes share: the statistics of the whole batch, as one process would have them.

Each process sees its share of a batch alone. With statistics of their own, processes would train another net than one process does:
the fewer faces a share has, the noisier its mean and variance. (torch's own SyncBatchNorm knows GPUs only.)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of theirs, since each process's loss depends on it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


class SharedBatchNorm(nn.Module):
    """Stands in for a batch norm in training, on its parameters and running statistics."""

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps, self.momentum = norm.weight, norm.bias, norm.eps, norm.momentum
        self.running_mean: Tensor
        self.running_var: Tensor
        self.num_batches_tracked: Tensor
        for name, buffer in norm.named_buffers():
            self.register_buffer(name, buffer)

    def forward(self, x: Tensor) -> Tensor:
        """`x` `[N, C]` or `[N, C, H, W]`, every process with the same N."""
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        seen = x.float()
        if self.training:
            world = torch.distributed.get_world_size()
            mean = _SumOverProcesses.apply(seen.mean(axes)) / world
            # Two passes: the mean of squares less the square of the mean would lose digits.
            variance = _SumOverProcesses.apply((seen - mean.view(shape)).pow(2).mean(axes)) / world
            self._remember(mean.detach(), variance.detach(), x.numel() // x.shape[1] * world)
        else:
            mean, variance = self.running_mean, self.running_var
        y = (seen - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        if self.weight is not None:
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Running statistics as nn.BatchNorm2d keeps them: the variance without bias, a moving average or, without momentum, a mean."""
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * count / max(1, count - 1), share)


def share_batch_norm(net: nn.Module) -> dict[str, nn.Module]:
    """Puts, in place, batch norms over all processes where `net` has batch norms with running statistics; gives back what was
    there, by name, for `restore_batch_norm`. Parameters, buffers and their names stay what they were."""
    found: dict[str, nn.Module] = {
        name: module
        for name, module in net.named_modules()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.track_running_stats
    }
    for name, module in found.items():
        assert isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
        net.set_submodule(name, SharedBatchNorm(module).train(module.training))
    return found


def restore_batch_norm(net: nn.Module, found: dict[str, nn.Module]) -> None:
    """Undoes `share_batch_norm`, in place; what was learnt stays."""
    for name, module in found.items():
        net.set_submodule(name, module.train(net.training))
