"""A level of a net with prioritised channels: a variant that is stored as a prefix of another one's weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from toolchain.compress.narrow import Narrow
from toolchain.convert.fp16 import Fp16
from toolchain.convert.fp32 import SAME_SUMS, Fp32
from toolchain.convert.route import Converter
from toolchain.errors import RecipeError
from toolchain.model import Model
from toolchain.recipe import Gate, Variant
from toolchain.stage import Context


@dataclass(frozen=True)
class Level(Variant):
    """The first `utilisation` of the channels of every layer of `whole`, a variant of the same recipe: `Level(utilisation=0.75)` is
    `fp32-75`. Its .tflite runs as any other; the bundle stores of it what is not in the whole net's (toolchain/pack/prefixes.py).

    Only of floats: each weight is rounded by itself there, whereas an integer's scale depends on the whole channel. The gate is that of
    `Fp32`; give a level of `Fp16` that variant's.
    """

    packed: ClassVar[bool] = True

    gate: Gate = SAME_SUMS
    utilisation: float = 0.5
    whole: Fp32 | Fp16 = field(default_factory=Fp32)

    def __post_init__(self) -> None:
        if not 0 < self.utilisation < 1:
            raise RecipeError(f"Level.utilisation: expected a share above 0 and below 1, got {self.utilisation}")
        if self.whole.stages or self.stages not in ((), (Narrow(self.utilisation),)):
            raise RecipeError("Level: expected no stages, in itself and in the whole net's variant; put them into the recipe's training")
        object.__setattr__(self, "stages", (Narrow(self.utilisation),))

    @property
    def name(self) -> str:
        return f"{self.whole.name}-{self.level}"

    @property
    def level(self) -> str:
        """The level's name in a bundle: its utilisation in percent."""
        return f"{100 * self.utilisation:g}"

    def convert(self, model: Model, converter: Converter, context: Context) -> bytes:
        return self.whole.convert(model, converter, context)
