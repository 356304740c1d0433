"""LogMinMax: weights on an even grid of their logarithm, each tensor with a dictionary of its own.

Log min-max quantization (Shih, Huang, Chung, "1.13MB Model for 2360 Classes Face Recognition", National Taiwan University): with
f = log |x|, s = sign x and b bits

    q = (f_max - f_min) / M,    k = floor((f - f_min) / q),    Q(x) = s · exp(f_min + k q).

The authors write M = 2^b and count the sign among the bits (3.7 MB come to 1.13 MB at 10 bits), so M = 2^(b-1) here. What they
leave open is settled so: f_max would land on k = M, which no code is left for, and is clamped to M - 1; x = 0 has no logarithm, so
where a tensor holds a zero one of its magnitude codes is kept for it and M is one less; where all magnitudes are equal, q = 0 and
k = 0. The floor makes magnitudes smaller, by a factor of about exp(-q/2): where f spans 15, by 1.5 % at 10 bits and by a fifth at 6.
`centred` takes the middle of a step, k + 1/2 in place of k, which is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from toolchain.compress.fine_tune import half_rounded_rest
from toolchain.compress.layers import WeightedLayer, refuse_batch_norm, weighted_layers
from toolchain.encodings import Encoding
from toolchain.encodings import LogMinMax as Encoded
from toolchain.encodings.log_min_max import FEWEST_BITS, MOST_BITS, index_of, magnitudes
from toolchain.errors import RecipeError, ToolchainError
from toolchain.model import Model
from toolchain.stage import Context, Stage, Trait, added

Scope = Literal["convolutions", "all"]


@dataclass(frozen=True, eq=False)
class LogGrid:
    """A quantized tensor: `f_min`, `f_max` the ends of its log magnitudes, `zero` whether it holds a zero, and of each weight the
    number `magnitude` of its step, from 0, and its `sign`, -1, 0 or 1; int64, in the tensor's shape."""

    f_min: float
    f_max: float
    zero: bool
    magnitude: npt.NDArray[np.int64]
    sign: npt.NDArray[np.int64]


def log_min_max(weight: npt.NDArray[Any], bits: int) -> LogGrid:
    """Quantizes a tensor of any shape to `bits` bits a weight, the sign among them.

    Errors: ToolchainError for a tensor without values, or with one that is not finite.
    """
    if not weight.size or not np.isfinite(weight).all():
        got = "NaN or infinity" if weight.size else "no value"
        raise ToolchainError(f"LogMinMax: expected finite weights, got {got}; the net was saved after its training diverged, or is empty")
    sign = np.sign(weight).astype(np.int64)
    held = sign != 0
    zero = not held.all()
    if not held.any():
        return LogGrid(0.0, 0.0, zero, np.zeros(weight.shape, np.int64), sign)
    logs = np.log(np.abs(weight, dtype=np.float64), where=held, out=np.zeros(weight.shape))
    f_min, f_max = float(logs[held].min()), float(logs[held].max())
    count = magnitudes(bits, zero)
    step = (f_max - f_min) / count
    magnitude = np.floor((logs - f_min) / step) if step > 0 else np.zeros(weight.shape)
    return LogGrid(f_min, f_max, zero, np.where(held, magnitude.clip(0, count - 1), 0).astype(np.int64), sign)


def encode(weight: Tensor, bits: int, centred: bool = False) -> Encoded:
    """`weight` quantized, as it is stored. `centred`: every magnitude times exp(q/2), the middle of its step. Errors: as `log_min_max`."""
    grid = log_min_max(weight.detach().cpu().numpy(), bits)
    half = (grid.f_max - grid.f_min) / magnitudes(bits, grid.zero) / 2 if centred else 0.0
    return Encoded(grid.f_min + half, grid.f_max + half, bits, grid.zero, index_of(grid.magnitude, grid.sign, bits, grid.zero))


@dataclass(frozen=True)
class LogMinMax(Stage):
    """Stores conv and linear weights that have no encoding yet as codes of a dictionary; all other parameters become values that fp16
    holds. Pruned weights stay 0. Batch norm must be folded before. Nothing is trained."""

    refuses: ClassVar[Mapping[Trait, str]] = {Trait.BATCH_NORM: "put FoldBatchNorm() before LogMinMax()"}
    gives: ClassVar[frozenset[Trait]] = frozenset({Trait.ENCODED})

    bits: int = 10
    """Bits a weight, 2 to 12, one of which is the sign."""
    scope: Scope = "all"
    """"convolutions": linear layers stay floats; "all": the whole net. A linear layer that a net writes as a 1×1 convolution is one
    of its convolutions."""
    centred: bool = added(False)
    """Whether a step stands for its middle instead of its lower end, which makes every weight smaller, and a net's output by the product
    over its layers."""

    def __post_init__(self) -> None:
        if not FEWEST_BITS <= self.bits <= MOST_BITS:
            raise RecipeError(f"LogMinMax.bits: expected {FEWEST_BITS} to {MOST_BITS}, got {self.bits}")
        if self.scope not in get_args(Scope):
            raise RecipeError(f"LogMinMax.scope: expected one of {', '.join(get_args(Scope))}, got {self.scope}")

    def transform(self, model: Model, context: Context) -> Model:
        chosen = [layer for layer in weighted_layers(model.net) if layer.weight not in model.encodings and self._covers(model.net, layer)]
        if not chosen:
            raise RecipeError(f"LogMinMax: no layer is left to quantize in the scope {self.scope}; expected one without an encoding")
        refuse_batch_norm("LogMinMax", model.net, chosen)
        state = model.net.state_dict()
        encoded: dict[str, Tensor | Encoding] = {layer.weight: encode(state[layer.weight], self.bits, self.centred) for layer in chosen}
        return model.with_weights({**half_rounded_rest(model.net, model, set(encoded)), **encoded})

    def _covers(self, net: nn.Module, layer: WeightedLayer) -> bool:
        return self.scope == "all" or isinstance(net.get_submodule(layer.name), nn.Conv2d)
