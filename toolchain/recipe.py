"""Recipe: what a model is, how its weights come to be, and which variants a bundle carries."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from toolchain.errors import RecipeError
from toolchain.stage import Stage

if TYPE_CHECKING:
    from toolchain.backbones import Backbone
    from toolchain.convert.route import Converter
    from toolchain.model import Model
    from toolchain.stage import Context

FALSE_MATCH_RATES = (1e-2, 1e-3, 1e-4)
"""The rates that thresholds are calibrated for and that variants are compared at."""


@dataclass(frozen=True)
class Gate:
    """Bounds on a variant's embeddings, TFLite against torch on the same weights, over at least 256 faces.

    A bound that is None is not set. `share_above`: (cosine, least share of the inputs that must reach it).
    """

    max_abs: float | None = None
    min_cosine: float | None = None
    p1_cosine: float | None = None
    share_above: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.max_abs is not None and not 0 <= self.max_abs < math.inf:
            raise RecipeError(f"Gate.max_abs: expected 0 or more, or None, got {self.max_abs}")
        for name in ("min_cosine", "p1_cosine"):
            cosine = getattr(self, name)
            if cosine is not None and not -1 <= cosine <= 1:
                raise RecipeError(f"Gate.{name}: expected a cosine, -1 to 1, or None, got {cosine}")
        if self.share_above is not None:
            cosine, share = self.share_above
            if not -1 <= cosine <= 1 or not 0 <= share <= 1:
                raise RecipeError(f"Gate.share_above: expected a cosine, -1 to 1, and a share, 0 to 1, got {cosine} and {share}")


@dataclass(frozen=True)
class FaceGate:
    """What a variant must keep of fp32 in face terms: at least `keep_tar` of its true accept rate at the false accept rate
    `far`, on identities that were kept aside. None: nothing is asked.

    A share that was measured on some people is uncertain, so it is given the benefit of `standard_errors` of its own: with one,
    a variant that keeps exactly what is asked misses by chance one time in six, and one that keeps two standard errors less
    is caught five times in six. 0 judges by the measured share alone. Both variants are measured on the same draws of people
    (toolchain/evaluation/face_terms.py), so that the error is that of their ratio and not of either rate.
    """

    keep_tar: float | None = None
    far: float = 1e-3
    standard_errors: float = 1.0

    def __post_init__(self) -> None:
        if self.keep_tar is not None and not 0 < self.keep_tar <= 1:
            raise RecipeError(f"FaceGate.keep_tar: expected a share above 0 and up to 1, got {self.keep_tar}")
        if not 0 <= self.standard_errors < math.inf:
            raise RecipeError(f"FaceGate.standard_errors: expected 0 or more, got {self.standard_errors}")
        if self.far not in FALSE_MATCH_RATES:
            raise RecipeError(f"FaceGate.far: expected one of {', '.join(f'{far:g}' for far in FALSE_MATCH_RATES)}, got {self.far:g}")


@dataclass(frozen=True)
class Variant(ABC):
    """One form of the model in a bundle: the stages that make its weights, and how they become a .tflite.

    Subclasses set `name`, `packed` and defaults of `stages`, `gate` and `face_gate`; each is a file in `toolchain/convert/`.
    """

    packed: ClassVar[bool] = False
    """True: stored in the packed form (docs/bundle-format.md) and rebuilt in memory at load."""

    stages: tuple[Stage, ...] = ()
    gate: Gate = field(default_factory=Gate)
    face_gate: FaceGate = field(default_factory=FaceGate)

    @property
    @abstractmethod
    def name(self) -> str:
        """What the variant is called, in a bundle and by --variants."""

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
    unsupported: Mapping[str, str] = field(default_factory=dict)
    """Variants that a user may expect and this net cannot have, by name, each with the reason: a build says so."""
