"""Static int8: weights and activations, by the ranges that Calibrate recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from toolchain.convert.quantizer import static_int8, weighted
from toolchain.convert.route import Converter
from toolchain.errors import ConversionError, RecipeError
from toolchain.keep_float import KeepFloat, Rule, require_names
from toolchain.kept import KeptBytes
from toolchain.model import Model
from toolchain.parity.host import reference_embeddings
from toolchain.parity.sensitivity import int8_damages
from toolchain.recipe import FaceGate, Gate, Variant
from toolchain.sensitivity.sensitivity import Damage, Gauge, rule_faces
from toolchain.stage import Context


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
    keep_float: KeepFloat = ()
    """Further layers that stay float: names of what they make in the .tflite, as `toolchain sensitivity --forms int8` lists them, or
    a rule, which measures each layer once, in a minute or two."""

    def __post_init__(self) -> None:
        require_names("Int8", self.keep_float)
        if self.float_front < 0:
            raise RecipeError(f"Int8.float_front: expected 0 or more layers, got {self.float_front}")

    def convert(self, model: Model, converter: Converter, context: Context) -> bytes:
        if not model.ranges:
            raise ConversionError("int8: the model has no activation ranges; add Calibrate() to the variant's stages and give --images")
        tflite = converter.float32(model)
        layers = tuple(weighted(tflite))
        front, rest = layers[: self.float_front], layers[self.float_front :]

        def measure() -> tuple[Damage, ...]:
            images = rule_faces(model, context)
            gauge = Gauge(reference_embeddings(model, images).astype("float32"))
            kept = KeptBytes(context.shared / "int8 layers")
            return int8_damages(model, tflite, rest, images, gauge, kept, lambda names: context.progress.track(names, "layers in int8"))

        keep = self.keep_float.choose(measure()) if isinstance(self.keep_float, Rule) else self.keep_float
        return static_int8(tflite, model.ranges, (*front, *keep))
