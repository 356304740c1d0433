"""Dynamic range: int8 weights, activations quantized by the runtime as they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from toolchain.convert.quantizer import dynamic_range
from toolchain.convert.route import Converter
from toolchain.errors import RecipeError
from toolchain.model import Model
from toolchain.recipe import FaceGate, Gate, Variant
from toolchain.stage import Context

_KINDS = ("CONV_2D", "FULLY_CONNECTED")


@dataclass(frozen=True)
class Int8Dynamic(Variant):
    """int8 weights for dense convolutions and linear layers; needs no calibration.

    Depthwise convolutions stay float: XNNPACK has no dynamic form of them, so that each would leave its partition.
    """

    name: ClassVar[str] = "int8-dynamic"

    # A similarity of two faces moves by about sqrt(2 / D) * e, where e = sqrt(2 (1 - cosine)) is the embedding's error: at
    # 0.99 and D = 128 by 0.018. Genuine pairs spread by about 0.12, so that their spread grows by 1 %.
    gate: Gate = Gate(min_cosine=0.97, p1_cosine=0.99)
    face_gate: FaceGate = FaceGate(keep_tar=0.995)
    operations: tuple[str, ...] = _KINDS
    """TFLite names of the operations whose weights become int8."""

    def __post_init__(self) -> None:
        if not self.operations or set(self.operations) - set(_KINDS):
            raise RecipeError(f"Int8Dynamic.operations: expected some of {', '.join(_KINDS)}, got {', '.join(self.operations) or 'none'}")

    def convert(self, model: Model, converter: Converter, context: Context) -> bytes:
        return dynamic_range(converter.float32(model), self.operations)
