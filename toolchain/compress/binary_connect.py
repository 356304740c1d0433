"""BinaryConnect: weights that are +1 or -1, with no scale (Courbariaux, Bengio, David, NeurIPS 2015).

Section 2.3: the net computes with the signs of latent weights w, which take the gradient as it is (section 2.4, algorithm 1) and are
clipped to [-1, 1]. Section 2.2: a sign is deterministic (equation 1, with sign(0) = +1), or drawn at every use, +1 with the probability
σ(w) = clip((w + 1) / 2, 0, 1) (equations 2 and 3). Batch norm behind each layer makes up for the scale that is missing.

What runs afterwards are the deterministic signs, the first of the three ways that section 2.6 names: one bit a weight. (The second,
latent weights as floats, which the authors take after drawn signs, stores no bits.) The first and the last layer stay floats, which the
paper binarizes too: the embedding and the pixels bear it badly, and they are few weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from toolchain.compress.binarize import binary_scale
from toolchain.compress.clustering import SMALLEST_SCALE, by_channel
from toolchain.compress.latent_weights import REACH, LatentTraining, LatentWeights, signs, with_gradient
from toolchain.encodings import Binary


def chance_of_plus(values: Tensor) -> Tensor:
    """The hard sigmoid σ(x) = clip((x + 1) / 2, 0, 1), the probability of +1 (BinaryConnect, equation 3)."""
    return ((values + 1) / 2).clamp(0, 1)


def drawn_signs(values: Tensor) -> Tensor:
    """+1 with the probability `chance_of_plus`, else -1, each value for itself, by torch's global generator."""
    return torch.where(torch.rand_like(values) < chance_of_plus(values), 1.0, -1.0).to(values.dtype)


class PlainSigns(LatentWeights):
    """A parametrization: the signs of latent weights in [-1, 1]; `stochastic`: drawn while training."""

    def __init__(self, weight: Tensor, pace: float = 1.0, stochastic: bool = False) -> None:
        super().__init__(pace)
        self.stochastic = stochastic
        self._reach = REACH * binary_scale(weight).clamp_min(SMALLEST_SCALE)

    def right_inverse(self, weight: Tensor) -> Tensor:
        return (weight / by_channel(self._reach, weight)).clamp(-1, 1) / self.pace

    def forward(self, latent: Tensor) -> Tensor:
        self.clip(latent)
        plain = latent * self.pace
        value = drawn_signs(plain.detach()) if self.stochastic and self.training else signs(plain.detach())
        return with_gradient(value, plain)

    @torch.no_grad()
    def encoding(self, latent: Tensor) -> Binary:
        return Binary((latent >= 0).cpu().numpy(), np.ones(len(latent), np.float32))


@dataclass(frozen=True)
class BinaryConnect(LatentTraining):
    """Stores the weights of all conv and linear layers but the first, the last and the depthwise as signs alone; the scale that
    FoldBatchNorm gives them is batch norm's."""

    stochastic: bool = False
    """Draw the signs while training, in place of taking them."""

    def latent(self, weight: Tensor) -> PlainSigns:
        return PlainSigns(weight, self.pace, self.stochastic)
