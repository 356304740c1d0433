"""Compressed weights: every encoding that the stages left, in one packed file; the variant of recipes for one method or several."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from toolchain.convert.fp32 import SAME_SUMS
from toolchain.convert.route import Converter
from toolchain.convert.tie import weight_only
from toolchain.errors import ConversionError, RecipeError
from toolchain.model import Model
from toolchain.recipe import FaceGate, Gate, Variant
from toolchain.stage import Context


@dataclass(frozen=True)
class Compressed(Variant):
    """Each encoded tensor as its encoding says: on int8 and a scale per channel in the .tflite where its values lie there, else as
    float32; both computed with in fp32 at fp32's speed, and stored at their entropy. Tensors without an encoding stay float.
    """

    packed: ClassVar[bool] = True

    name: str = "compressed"
    """What the variant is called in a bundle: lower case, digits and hyphens."""
    gate: Gate = SAME_SUMS  # the decoded weights are what torch computes with too
    face_gate: FaceGate = FaceGate(keep_tar=0.98)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.name):
            raise RecipeError(f"Compressed.name: expected lower-case letters, digits and hyphens, got {self.name!r}")

    def convert(self, model: Model, converter: Converter, context: Context) -> bytes:
        if not model.encodings:
            raise ConversionError(f"{self.name}: expected encoded tensors, the model has none; encode them in the variant's stages")
        return weight_only(model, converter.float32(model))
