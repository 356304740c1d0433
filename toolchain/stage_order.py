"""Whether stages make sense in the order in which a recipe has them, told from what they declare, before any of them runs.

A training stage takes minutes or hours. That the one after it cannot work on what comes out is known beforehand: each stage
declares which traits of a model it needs, refuses, gives and takes (toolchain/stage.py), and `check_order` walks them.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from toolchain.compress.fold_batch_norm import graph_of, norms_behind
from toolchain.errors import RecipeError
from toolchain.stage import Stage, Trait

Traits = dict[Trait, str]
"""The traits that a model has, each with the name of the stage that gave it; "" where the net came with it."""


def traits_of(net: nn.Module, stages: Sequence[Stage]) -> Traits:
    """What a net has before any stage. It is traced only where one of `stages` asks, since a net that cannot be traced may go
    without those stages. Error: ToolchainError where it cannot be traced."""
    asked = any(Trait.BATCH_NORM in (*stage.needs, *stage.refuses) for stage in stages)
    return {Trait.BATCH_NORM: ""} if asked and norms_behind(graph_of(net)) else {}


def check_order(where: str, stages: Sequence[Stage], traits: Traits) -> Traits:
    """The traits that a model of `traits` has after `stages`. `where` begins the message.

    Error: RecipeError for the first stage that a trait stands in the way of, or that lacks one.
    """
    held, taken = dict(traits), Traits()
    for stage in stages:
        name = type(stage).__name__
        for trait, reason in stage.needs.items():
            if trait not in held:
                why = f", which {taken[trait]} took away" if trait in taken else ", and the net comes without"
                raise RecipeError(f"{where}: {name} needs {trait.value}{why}; {reason}")
        for trait, reason in _refused(stage).items():
            if trait in held:
                came = f"after {held[trait]} the model has" if held[trait] else "the net comes with"
                raise RecipeError(f"{where}: {name} cannot come here: {came} {trait.value}; {reason}")
        for trait in stage.takes & held.keys():
            del held[trait]
            taken[trait] = name
        held.update({trait: held.get(trait, name) for trait in stage.gives})
    return held


def _refused(stage: Stage) -> dict[Trait, str]:
    """What `stage` refuses, and RANGES unless it records them itself."""
    last = {} if Trait.RANGES in stage.gives else {Trait.RANGES: "they would no longer be the net's; record them last"}
    return {**last, **stage.refuses}
