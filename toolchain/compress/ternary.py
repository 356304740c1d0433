"""Trained ternary quantization (Zhu, Han, Mao, Dally, ICLR 2017): weights that are -W_n, 0 or +W_p.

Section 4: latent weights, scaled to [-1, 1] by their layer's largest magnitude, are 0 within a threshold of t·max |w| (equation 9, with
t = 0.05, the authors' choice on CIFAR-10), W_p above it and -W_n below (equation 6). W_p and W_n are learnt, one of each a layer, by the
sum of the gradients of the weights that they stand for (equation 7); a latent weight has W_p, 1 or W_n times its weight's gradient
(equation 8). The paper leaves out the sign of W_n's gradient, which is -1 where the weight is -W_n; here it is the chain rule's.

W_p and W_n start from TWN's single scale (Li, Zhang, Liu, arXiv:1605.04711, section 2): the mean |w| of the weights beyond the threshold,
the best in the least-squares sense. The first and the last layer stay floats (section 5). Stored are 2 bits a weight, or less: the three
values' entropy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from toolchain.compress.clustering import SMALLEST_SCALE
from toolchain.compress.latent_weights import LatentTraining, LatentWeights, with_gradient
from toolchain.encodings import Ternary
from toolchain.errors import RecipeError


def ternary_signs(latent: Tensor, threshold: float) -> Tensor:
    """1 where a latent weight is above `threshold` times the largest magnitude, -1 where it is below minus that, else 0 (equation 9)."""
    bound = threshold * latent.abs().max()
    return (latent > bound).to(latent.dtype) - (latent < -bound).to(latent.dtype)


def two_scales(latent: Tensor, positive: Tensor, negative: Tensor, threshold: float) -> Tensor:
    """The weights +W_p, 0 and -W_n that `latent` weights come to (equation 6), with the gradients of equations 7 and 8 to `positive`,
    W_p, `negative`, W_n, both scalars, and `latent`."""
    sign = ternary_signs(latent.detach(), threshold)
    value = torch.where(sign > 0, positive, torch.where(sign < 0, -negative, torch.zeros_like(sign)))
    passed = torch.where(sign > 0, positive.detach(), torch.where(sign < 0, negative.detach(), torch.ones_like(sign)))
    return with_gradient(value, latent * passed)


def twn_scale(weight: Tensor, threshold: float) -> Tensor:
    """The scalar α = mean |w| of the weights beyond the threshold (TWN, section 2); 0 where none is."""
    beyond = ternary_signs(weight, threshold) != 0
    return (weight.abs() * beyond).sum() / beyond.sum().clamp_min(1)


class TrainedTernary(LatentWeights):
    """A parametrization: `two_scales` of latent weights, with log W_p and log W_n as parameters, so that both stay positive and one
    learning rate fits all layers."""

    def __init__(self, weight: Tensor, pace: float = 1.0, threshold: float = 0.05) -> None:
        super().__init__(pace)
        self.threshold = threshold
        self.largest = float(weight.abs().max().clamp_min(SMALLEST_SCALE))
        start = twn_scale(weight, threshold).clamp_min(SMALLEST_SCALE).log()
        self.log_positive, self.log_negative = nn.Parameter(start.clone()), nn.Parameter(start.clone())

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight / (self.pace * self.largest)

    def forward(self, latent: Tensor) -> Tensor:
        return two_scales(latent * self.pace, self.log_positive.exp(), self.log_negative.exp(), self.threshold)

    @torch.no_grad()
    def encoding(self, latent: Tensor) -> Ternary:
        """The nearest on the int8 grid: W_p / W_n within 0.5 %, where that is between 1/16 and 16."""
        signs = ternary_signs(latent, self.threshold).cpu().numpy().astype(np.int8)
        return Ternary.nearest(signs, float(self.log_negative.exp()), float(self.log_positive.exp()))


@dataclass(frozen=True)
class Ternarize(LatentTraining):
    """Stores the weights of all conv and linear layers but the first, the last and the depthwise as -W_n, 0 or +W_p, two learnt
    values a layer."""

    threshold: float = 0.05
    """The magnitude up to which a latent weight is 0, as a share of its layer's largest."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.threshold < 1:
            raise RecipeError(f"Ternarize.threshold: expected 0 up to but not 1, got {self.threshold}")

    def latent(self, weight: Tensor) -> TrainedTernary:
        return TrainedTernary(weight, self.pace, self.threshold)
