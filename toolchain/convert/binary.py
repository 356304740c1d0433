"""Binary weights: every encoded convolution is plus or minus one scale per output channel, one bit a weight as stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from toolchain.convert.fp32 import SAME_SUMS
from toolchain.convert.route import Converter
from toolchain.convert.tie import weight_only
from toolchain.encodings import Binary
from toolchain.errors import ConversionError
from toolchain.model import Model
from toolchain.recipe import FaceGate, Gate, Variant
from toolchain.stage import Context


@dataclass(frozen=True)
class BinaryWeights(Variant):
    """int8 ±1 with a scale per channel, equal to scale * sign bit for bit, computed with in fp32 at fp32's speed.

    `stages` must leave Binary encodings; tensors with another encoding are stored by it, and those without stay float.
    """

    name: ClassVar[str] = "binary"
    packed: ClassVar[bool] = True

    gate: Gate = SAME_SUMS  # the decoded weights are what torch computes with too
    face_gate: FaceGate = FaceGate(keep_tar=0.8)

    def convert(self, model: Model, converter: Converter, context: Context) -> bytes:
        if not any(isinstance(encoding, Binary) for encoding in model.encodings.values()):
            raise ConversionError("binary: expected Binary encodings, the model has none; binarize in the variant's stages")
        return weight_only(model, converter.float32(model))
