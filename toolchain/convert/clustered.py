"""Clustered weights: few distinct values a tensor, on the int8 grid; an index a weight as stored, entropy-coded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from toolchain.convert.fp32 import SAME_SUMS
from toolchain.convert.route import Converter
from toolchain.convert.tie import weight_only
from toolchain.encodings import Palette
from toolchain.errors import ConversionError
from toolchain.model import Model
from toolchain.recipe import FaceGate, Gate, Variant
from toolchain.stage import Context


@dataclass(frozen=True)
class Clustered(Variant):
    """int8 levels with a scale per channel, computed with in fp32 at fp32's speed; a codebook in the graph (GATHER) would be
    folded away or run six times slower.

    `stages` must leave Palette encodings; tensors with another encoding are stored by it, and those without stay float.
    """

    name: ClassVar[str] = "clustered"
    packed: ClassVar[bool] = True

    gate: Gate = SAME_SUMS  # the decoded weights are what torch computes with too
    face_gate: FaceGate = FaceGate(keep_tar=0.98)

    def convert(self, model: Model, converter: Converter, context: Context) -> bytes:
        if not any(isinstance(encoding, Palette) for encoding in model.encodings.values()):
            raise ConversionError("clustered: expected Palette encodings, the model has none; palettize in the variant's stages")
        return weight_only(model, converter.float32(model))
