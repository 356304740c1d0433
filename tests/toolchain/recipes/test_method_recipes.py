"""The recipes of weights of few values: their stages make sense in their order, and what they make is stored small and passes parity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.toolchain.recipes.making import GRAPH, drawn, few_steps, passes
from toolchain.backbones.pooled import PooledBackbone
from toolchain.compress.latent_weights import LatentTraining
from toolchain.convert.compressed import Compressed
from toolchain.data.faces import Faces
from toolchain.recipe import Variant
from toolchain.recipes import find_recipe
from toolchain.stage_order import check_order, traits_of

NAMES = ("binary_connect", "bwn", "xnor", "bnn", "ternary", "pattern")
BITS = {"ternary": 1.585, "shared": 5.0, "log_min_max": 10.0}
"""A weight; one where nothing is said."""


def method(variant: Variant) -> LatentTraining:
    (stage,) = (stage for stage in variant.stages if isinstance(stage, LatentTraining))
    return stage


@pytest.mark.parametrize("name", NAMES)
def test_a_method_has_a_recipe_whose_stages_come_in_an_order_that_works(name: str) -> None:
    recipe = find_recipe(name)
    variant = next(item for item in recipe.variants if item.name == recipe.default_variant)
    assert isinstance(variant, Compressed) and recipe.backbone is not None
    net = recipe.backbone.build()
    check_order(name, variant.stages, traits_of(net, variant.stages))
    stage = method(variant)
    few = sum(net.get_parameter(layer.weight).numel() for layer in stage.chosen(net))
    # SEP-Net's 3×3 filters are a third of it; of VGG11 all but the first layer and the last.
    assert few > (0.2 if name == "pattern" else 0.9) * sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize("name", (*NAMES, "shared", "log_min_max"))
def test_what_a_recipe_makes_is_rebuilt_byte_exact_and_passes_its_gate(name: str, faces: Faces, tmp_path: Path) -> None:
    """Two steps on faces of 32 pixels; each on VGG11, as most of them are."""
    recipe, backbone = find_recipe(name), find_recipe("shared").backbone
    assert isinstance(backbone, PooledBackbone)
    if isinstance(recipe.backbone, PooledBackbone):
        backbone = recipe.backbone
    backbone = replace(backbone, embedding_size=16, pixels=32)
    variant = recipe.variants[-1]
    assert variant.name == recipe.default_variant
    variant = replace(variant, stages=tuple(few_steps(stage) for stage in variant.stages))
    staged, made = passes(variant, drawn(backbone), faces, tmp_path)
    few = sum(encoding.decode().numel() for encoding in staged.encodings.values())
    floats = sum(value.numel() for value in staged.net.state_dict().values()) - few
    # The stated bits and 3 %, four bytes of each other number, and what the graph, scales and tables take.
    assert len(made.stored) < 1.03 * BITS.get(name, 1.0) * few / 8 + 4 * floats + GRAPH
