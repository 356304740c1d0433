"""RoundToHalf: every parameter that has no encoding becomes a float32 value that fp16 holds.

fp16 (IEEE 754-2019, binary16) has 11 significant bits: a value moves by at most 2^-12 of itself, where it is not below 2^-14. The net
computes in float32 as before; the packed form stores such a value in two bytes, since the bytes that are always zero cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from toolchain.compress.layers import rounded_to_half
from toolchain.model import Model
from toolchain.stage import Context, Stage, Trait


@dataclass(frozen=True)
class RoundToHalf(Stage):
    """Rounds biases, slopes and the weights that stay floats. A tensor with a value beyond fp16's range stays as it is. The last stage of
    a packed variant whose others leave float32; Palettize, Share and LogMinMax do the same themselves."""

    refuses: ClassVar[Mapping[Trait, str]] = {Trait.BATCH_NORM: "folding it would change the rounded values; put FoldBatchNorm() before"}

    def transform(self, model: Model, context: Context) -> Model:
        floats = {name: value for name, value in model.net.named_parameters() if name not in model.encodings}
        return model.with_weights({name: rounded_to_half(value.detach()) for name, value in floats.items()})
