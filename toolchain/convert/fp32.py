"""Weights and arithmetic in fp32: what every other variant is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from toolchain.convert.route import Converter
from toolchain.model import Model
from toolchain.recipe import Gate, Variant
from toolchain.stage import Context

# The same sums in another order: a relative error of about sqrt(terms) * 2^-24 a layer, 2e-6 for 1152 terms, and over 50
# layers about 1.4e-5. Embeddings have length 1, so that bounds a component too; seven times that is a fault, not rounding.
SAME_SUMS = Gate(max_abs=1e-4, min_cosine=0.99999)


@dataclass(frozen=True)
class Fp32(Variant):
    """fp32 throughout; the largest file."""

    name: ClassVar[str] = "fp32"

    gate: Gate = SAME_SUMS

    def convert(self, model: Model, converter: Converter, context: Context) -> bytes:
        return converter.float32(model)
