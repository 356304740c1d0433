"""Static int8: weights and activations, by the ranges that Calibrate recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from toolchain.convert import flatbuffer
from toolchain.convert.quantizer import activations, static_int8
from toolchain.convert.route import Converter
from toolchain.errors import ConversionError, RecipeError
from toolchain.model import Model
from toolchain.recipe import FaceGate, Gate, Variant
from toolchain.stage import Context

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@dataclass(frozen=True)
class Int8(Variant):
    """int8 throughout but for PReLU, which has no fast int8 form, and layers that are kept float; takes and gives float32.

    Needs `model.ranges`: put Calibrate() last among its stages, after FoldBatchNorm() and Equalize().
    """

    name: ClassVar[str] = "int8"

    # As for dynamic range: at a cosine of 0.95 and D = 128 a similarity moves by 0.04, and the spread of genuine pairs, 0.12,
    # grows by 5 %. Past that, the accuracy of the variant is no longer that of the net.
    gate: Gate = Gate(min_cosine=0.9, p1_cosine=0.95)
    face_gate: FaceGate = FaceGate(keep_tar=0.98)
    float_front: int = 0
    """How many weighted layers, from the input on, stay float. Their maps are the largest and the whole net repeats their
    error: on a MobileFaceNet with PReLU two take a quarter of the error away and cost 5 % of the time."""
    keep_float: tuple[str, ...] = ()
    """Names of tensors, as `sensitivity` lists them, whose making stays float too."""

    def __post_init__(self) -> None:
        if self.float_front < 0:
            raise RecipeError(f"Int8.float_front: expected 0 or more layers, got {self.float_front}")

    def convert(self, model: Model, converter: Converter, context: Context) -> bytes:
        if not model.ranges:
            raise ConversionError("int8: the model has no activation ranges; add Calibrate() to the variant's stages and give --images")
        tflite = converter.float32(model)
        front = weighted(tflite)[: self.float_front]
        return static_int8(tflite, model.ranges, (*front, *self.keep_float))


def weighted(tflite: bytes) -> list[str]:
    """Names of the results of every convolution and linear layer, in execution order."""
    model = flatbuffer.read(tflite)
    kinds = [kind for kind, operator in flatbuffer.operations(model) for _ in operator.outputs]
    return [name for kind, name in zip(kinds, activations(model)[1:], strict=True) if kind in _WEIGHTED]
