"""Clusters of weights, their values on the int8 grid: the pure mathematics of Palettize.

Weights are seen in units of their output channel's root mean square, u = w / rms, so that one set of levels fits a whole
tensor. Entropy-constrained clustering (Chou, Lookabaugh, Gray, "Entropy-Constrained Vector Quantization", IEEE Trans. ASSP
1989, section III, in one dimension) minimises the mean of (u - c_k)² + rate · b_k with b_k = -log2 p_k, the bits that an
entropy coder spends on cluster k: Lloyd's two alternating steps, with the bits in the assignment. With rate 0 it is k-means,
Deep Compression's weight sharing (Han, Mao, Dally, ICLR 2016, section 3), from its linear initialisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

GRID = 127
"""The largest int8 code; -128 stays unused, as in TFLite's symmetric weights."""
_BINS = 8192
SMALLEST_SCALE = 2.0**-24
"""fp16's smallest value above 0: a dead channel keeps a scale that can be stored."""


@dataclass(frozen=True, eq=False)
class Codebook:
    """`levels` int8-valued float `[K]` ascending, `bits` float `[K]`: what an entropy coder spends on each, `unit`: how many
    root mean squares of a channel one step of the grid is."""

    levels: Tensor
    bits: Tensor
    unit: float


def channel_rms(weight: Tensor) -> Tensor:
    """Root mean square of each slice along axis 0, `[shape[0]]`."""
    return weight.flatten(1).double().square().mean(1).sqrt().to(weight.dtype)


def stored_scale(scale: Tensor) -> Tensor:
    """`scale` above 0 as it is stored: the nearest value that fp16 holds, or itself where fp16 would make it infinite."""
    half = scale.half().float()
    return torch.where(half.isfinite(), half, scale).clamp_min(SMALLEST_SCALE)


def by_channel(values: Tensor, weight: Tensor) -> Tensor:
    """`values` `[O]` shaped to multiply `weight` `[O, ...]` along axis 0."""
    return values.reshape(-1, *[1] * (weight.ndim - 1))


def clusters(values: Tensor, count: int, rate: float, iterations: int = 100) -> tuple[Tensor, Tensor]:
    """`(centres [K] ascending, bits [K])`, K <= `count`, of `values` of any shape; clusters that lose all members go.

    Works on a histogram of 8192 bins that keeps each bin's exact mean, so that its time does not grow with the values.
    """
    flat = values.detach().flatten().double()
    low, high = float(flat.min()), float(flat.max())
    if high == low:
        return torch.tensor([low]), torch.zeros(1)
    bins = ((flat - low) * ((_BINS - 1) / (high - low))).round().long()
    counts = torch.zeros(_BINS, dtype=torch.float64).index_add_(0, bins, torch.ones_like(flat))
    sums = torch.zeros(_BINS, dtype=torch.float64).index_add_(0, bins, flat)
    held = counts > 0
    counts, means = counts[held], sums[held] / counts[held]
    few = len(means) <= count  # fewer values than clusters: each is its own centre
    centres = means if few else torch.linspace(low, high, count, dtype=torch.float64)
    bits = torch.zeros(len(centres), dtype=torch.float64)
    for _ in range(iterations):
        nearest = ((means[:, None] - centres) ** 2 + rate * bits).argmin(1)
        members = torch.zeros(len(centres), dtype=torch.float64).index_add_(0, nearest, counts)
        total = torch.zeros(len(centres), dtype=torch.float64).index_add_(0, nearest, counts * means)
        live = members > 0
        moved = total[live] / members[live]
        settled = len(moved) == len(centres) and bool((moved - centres).abs().max() < 1e-7 * (high - low))
        centres, bits = moved, -(members[live] / len(flat)).log2()
        if settled:
            break
    return centres.float(), bits.float()


def codebook(weight: Tensor, count: int, rate: float) -> Codebook:
    """The codebook of a weight tensor `[O, ...]`: at most `count` levels, the outermost at the end of the int8 grid. Weights that are
    exactly 0 were pruned: they need no level, so they have no say unless all are."""
    rms = channel_rms(weight).clamp_min(SMALLEST_SCALE)
    relative, kept = weight / by_channel(rms, weight), weight != 0
    centres, bits = clusters(relative[kept] if bool(kept.any()) else relative, count, rate)
    unit = max(float(centres.abs().max()), 1e-6) / GRID
    levels, members = torch.unique((centres / unit).round(), return_inverse=True)
    shares = torch.zeros(len(levels)).index_add_(0, members, torch.exp2(-bits))
    return Codebook(levels, -shares.log2(), unit)


def boundaries(levels: Tensor, bits: Tensor, step: float) -> Tensor:
    """Where the best level changes, `[K - 1]` ascending: (u - l)² + step · b is least for the level between them.

    Two neighbours' costs are equal at (l + l') / 2 + step (b' - b) / (2 (l' - l)). Where these are not ascending a level lies
    above the lower envelope of the costs and is left empty.
    """
    gap = levels.diff().clamp_min(1e-3)  # levels that are being trained may meet
    between = (levels[1:] + levels[:-1]) / 2 + step * bits.diff() / (2 * gap)
    return between.cummax(0).values


def entropy_bits(indices: Tensor) -> float:
    """Order-0 entropy of the indices in bits each: what an ideal entropy coder stores."""
    shares = torch.bincount(indices.flatten().long()).double() / indices.numel()
    return float(-(shares[shares > 0] * shares[shares > 0].log2()).sum())
