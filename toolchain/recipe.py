"""Recipe: what a model is, how its weights come to be, and which variants a bundle carries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from toolchain.stage import Stage

if TYPE_CHECKING:
    from toolchain.backbones import Backbone
    from toolchain.convert.route import Converter
    from toolchain.model import Model
    from toolchain.stage import Context


@dataclass(frozen=True)
class Gate:
    """Bounds on a variant's embeddings, TFLite against torch on the same weights, over at least 256 faces.

    A bound that is None is not set. `share_above`: (cosine, least share of the inputs that must reach it).
    """

    max_abs: float | None = None
    min_cosine: float | None = None
    p1_cosine: float | None = None
    share_above: tuple[float, float] | None = None


@dataclass(frozen=True)
class Variant(ABC):
    """One form of the model in a bundle: the stages that make its weights, and how they become a .tflite.

    Subclasses set `name`, `packed` and defaults of `stages` and `gate`; each is a file in `toolchain/convert/`.
    """

    name: ClassVar[str]
    packed: ClassVar[bool] = False
    """True: stored in the packed form (docs/bundle-format.md) and rebuilt in memory at load."""

    stages: tuple[Stage, ...] = ()
    gate: Gate = field(default_factory=Gate)

    @abstractmethod
    def convert(self, model: Model, converter: Converter, context: Context) -> bytes:
        """The .tflite of a model that went through `stages`."""


@dataclass(frozen=True)
class Recipe:
    """One way to a bundle. A recipe is a Python file with a module-level `RECIPE`."""

    name: str
    summary: str
    variants: tuple[Variant, ...]
    default_variant: str
    backbone: Backbone | None = None
    """None only where weights are brought in by `--weights`."""
    weights: Path | None = None
    """Trained weights (safetensors). None: they are trained by `train` first."""
    train: tuple[Stage, ...] = ()
    """The stages that make the weights from the freshly built backbone: what `toolchain train` runs."""
