"""The recipes of pruning, sharing, low rank and channel pruning: what they make is stored small, rebuilt byte-exact and passes parity. Two
steps on drawn faces of 32 pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.toolchain.recipes.making import GRAPH, few_steps, passes
from toolchain.backbones.pooled import PooledBackbone
from toolchain.data.faces import Faces
from toolchain.model import Model
from toolchain.recipe import Variant
from toolchain.recipes import find_recipe

# Of the float net's bytes, what is left: a tenth of the weights of 32 values, 5 bits, and 0.47 bits of positions a weight; half of the
# multiply-adds; two thirds of the channels both in and out, all but; both in 8 bits. What is added is the graph, which does not shrink.
STORED = {"deep-compression": (0.5 + 0.47) / 32, "low-rank": 0.6 / 4, "prune-channels": 0.5 / 4}


def variants() -> list[tuple[str, Variant]]:
    """(recipe, variant) for each of STORED."""
    names = ("deep_compression", "low_rank", "prune_channels")
    return [(name, variant) for name in names for variant in find_recipe(name).variants if variant.name in STORED]


@pytest.mark.parametrize(("recipe", "variant"), variants(), ids=lambda item: getattr(item, "name", ""))
def test_what_a_recipe_makes_is_stored_small_and_passes_parity(recipe: str, variant: Variant, faces: Faces, tmp_path: Path) -> None:
    backbone = find_recipe(recipe).backbone
    assert isinstance(backbone, PooledBackbone)
    backbone = replace(backbone, embedding_size=16, pixels=32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Model(backbone.build().eval(), backbone.input)
        for name, gains in model.net.named_parameters():
            if gains.ndim == 1 and name.endswith("weight"):
                torch.nn.init.uniform_(gains, 0.5, 1.5)  # as training leaves them: equal ones would all stay
    variant = replace(variant, stages=tuple(few_steps(stage) for stage in variant.stages))
    _, made = passes(variant, model, faces, tmp_path)
    floats = 4 * sum(value.numel() for value in model.net.parameters())
    assert len(made.stored) < STORED[variant.name] * floats + GRAPH
