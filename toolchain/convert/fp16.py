"""Weights stored in fp16, computed with in fp32: half the size, nothing that a face comparison can see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from toolchain.convert.route import Converter
from toolchain.model import Model
from toolchain.recipe import FaceGate, Gate, Variant
from toolchain.stage import Context


@dataclass(frozen=True)
class Fp16(Variant):
    """fp16 weights by TensorFlow's converter (ai-edge-quantizer's leave XNNPACK and run several times slower)."""

    name: ClassVar[str] = "fp16"

    # Rounding a weight to 11 bits errs by at most 2^-11, 2^-11 / sqrt(3) = 2.8e-4 in the mean square; a layer's result errs
    # by as much, 50 layers by 2e-3, and 1 - cosine is half its square, 2e-6 (measured: 8e-6 at worst). A net whose channels
    # cancel has more: 0.999 still moves a similarity by less than sqrt(2 / 128) * sqrt(2 * 0.001) = 0.006.
    gate: Gate = Gate(min_cosine=0.999)
    face_gate: FaceGate = FaceGate(keep_tar=0.995)

    def convert(self, model: Model, converter: Converter, context: Context) -> bytes:
        return converter.float16(model)
