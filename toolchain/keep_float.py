"""Which layers a stage or a variant leaves in float: named, or the worst by a rule.

A rule measures: each layer is changed alone and the embeddings tell what that did (toolchain/sensitivity/). It is settled anew
for every net, so that a recipe that has one fits weights that are brought in too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from toolchain.errors import RecipeError
from toolchain.sensitivity.sensitivity import Damage


@dataclass(frozen=True)
class Rule(ABC):
    """Chooses by what each layer suffers."""

    @abstractmethod
    def choose(self, damages: Sequence[Damage]) -> tuple[str, ...]:
        """The names of the layers that stay float, the worst first. `damages`: the worst first."""


@dataclass(frozen=True)
class Worst(Rule):
    """The layers that suffer most."""

    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise RecipeError(f"Worst: expected 1 layer or more, got {self.count}; leave keep_float out to keep none")

    def choose(self, damages: Sequence[Damage]) -> tuple[str, ...]:
        return tuple(item.layer for item in damages[: self.count])


@dataclass(frozen=True)
class Budget(Rule):
    """Layers whose weights, at four bytes each, fit `bytes` together: those first that suffer most for their size, and of these every
    one that still fits."""

    bytes: int

    def __post_init__(self) -> None:
        if self.bytes < 4:
            raise RecipeError(f"Budget: expected bytes for one weight or more, got {self.bytes}; leave keep_float out to keep none")

    def choose(self, damages: Sequence[Damage]) -> tuple[str, ...]:
        left, chosen = self.bytes, []
        for item in sorted(damages, key=lambda item: -item.error / item.weights):
            if 4 * item.weights <= left:
                left -= 4 * item.weights
                chosen.append(item)
        return tuple(item.layer for item in sorted(chosen, key=lambda item: -item.error))


KeepFloat = tuple[str, ...] | Rule
"""Names of layers, as `toolchain sensitivity` lists them, or a rule."""


def require_names(what: str, keep: KeepFloat) -> None:
    """Error: RecipeError where `keep` is one text, whose letters would be taken for names: a tuple of one that lacks its comma."""
    if isinstance(keep, str):
        raise RecipeError(f"{what}.keep_float: expected a tuple of names, or a rule, got the text {keep!r}; write ({keep!r},)")


def kept_float(what: str, keep: KeepFloat, layers: Sequence[str], measure: Callable[[], Sequence[Damage]]) -> tuple[str, ...]:
    """The names of those of `layers` that stay float. `what` begins the message; `measure` is called only where a rule asks.

    Error: RecipeError where a name is not one of `layers`.
    """
    if isinstance(keep, Rule):
        return keep.choose(measure())
    unknown = sorted(set(keep) - set(layers))
    if unknown:
        some = f"{', '.join(layers[:3])}{', …' if len(layers) > 3 else ''}"
        raise RecipeError(f"{what}.keep_float: no such layer to keep float: {', '.join(unknown)}; expected some of {some}")
    return keep
