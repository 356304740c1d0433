"""An order of stages that makes no sense is refused before anything is trained, with the reason."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from torch import nn

from tests.tiny_recipe import FEW, RECIPE
from tests.toolchain.compress.tiny import tiny_net
from toolchain.backbones import MobileFaceNet
from toolchain.bundling.build import Order, make_variants
from toolchain.compress.binarize import Binarize
from toolchain.compress.calibrate import Calibrate
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.insert_batch_norm import InsertBatchNorm
from toolchain.compress.low_rank import LowRank
from toolchain.compress.palettize import Palettize
from toolchain.compress.prune import Prune
from toolchain.convert.clustered import Clustered
from toolchain.errors import RecipeError
from toolchain.losses import ArcFace, Train
from toolchain.progress import Progress
from toolchain.recipe import Variant
from toolchain.recipes import find_recipe, recipe_names
from toolchain.stage import Stage, Trait
from toolchain.stage_order import check_order, traits_of

NORMED = MobileFaceNet(width=0.125).build()


def after(net: nn.Module, *stages: Stage) -> set[Trait]:
    return set(check_order("here", stages, traits_of(net, stages)))


def test_what_stages_do_is_told_from_what_they_declare() -> None:
    assert after(NORMED, Binarize()) == {Trait.BATCH_NORM, Trait.ENCODED}
    assert after(NORMED, Binarize(), FoldBatchNorm(), Palettize()) == {Trait.ENCODED}
    assert after(tiny_net(), InsertBatchNorm(), Binarize(), FoldBatchNorm()) == {Trait.ENCODED}
    assert after(NORMED, LowRank(), InsertBatchNorm(), Binarize()) == {Trait.BATCH_NORM, Trait.ENCODED}
    assert after(tiny_net(), FoldBatchNorm(), Calibrate(), Calibrate()) == {Trait.RANGES}


@pytest.mark.parametrize(
    ("net", "stages", "message"),
    [
        (
            NORMED,
            (FoldBatchNorm(), Binarize()),
            "Binarize needs batch norm behind its layers, which FoldBatchNorm took away; put it before",
        ),
        (tiny_net(), (Binarize(),), "Binarize needs batch norm behind its layers, and the net comes without; .* InsertBatchNorm"),
        (NORMED, (Palettize(),), "Palettize cannot come here: the net comes with batch norm .*; put FoldBatchNorm"),
        (
            NORMED,
            (FoldBatchNorm(), Palettize(), Train(ArcFace(), FEW)),
            "Train cannot come here: after Palettize .* encoded weights; it trains",
        ),
        (NORMED, (LowRank(), Train(ArcFace(), FEW), Binarize()), "Binarize cannot come here: after LowRank .*; put InsertBatchNorm"),
        (tiny_net(), (Prune(), Prune()), "Prune cannot come here: after Prune the model has pruned weights; .* set rounds instead"),
        (tiny_net(), (Calibrate(), Palettize()), "Palettize cannot come here: after Calibrate .* recorded activation ranges"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_the_reason(net: nn.Module, stages: tuple[Stage, ...], message: str) -> None:
    with pytest.raises(RecipeError, match=f"^here: {message}"):
        after(net, *stages)


def test_a_net_that_cannot_be_traced_may_go_without_stages_that_trace_it() -> None:
    class Untraceable(nn.Module):
        def forward(self, x: object) -> object:
            return x if x else None

    assert traits_of(Untraceable(), (Calibrate(),)) == {}


def test_a_build_refuses_signs_that_batch_norm_would_be_folded_into(tmp_path: Path) -> None:
    variants: tuple[Variant, ...] = (Clustered(stages=(FoldBatchNorm(), InsertBatchNorm(), Binarize())),)
    order = Order(dataclasses.replace(RECIPE, variants=variants), images=(tmp_path / "none",), progress=Progress(quiet=True))
    with pytest.raises(RecipeError, match=r"^tiny, clustered: .* into what Binarize encodes; put FoldBatchNorm\(\) behind Binarize"):
        make_variants(order)


def test_a_build_refuses_before_anything_is_read_or_trained(tmp_path: Path) -> None:
    variants: tuple[Variant, ...] = (Clustered(stages=(Palettize(),)),)
    order = Order(dataclasses.replace(RECIPE, variants=variants), images=(tmp_path / "none",), progress=Progress(quiet=True))
    with pytest.raises(RecipeError, match="tiny, clustered: Palettize cannot come here"):
        make_variants(order)


@pytest.mark.parametrize("name", [name for name in recipe_names() if find_recipe(name).backbone is not None])
def test_the_recipes_that_come_with_the_toolchain_are_in_order(name: str) -> None:
    recipe = find_recipe(name)
    assert recipe.backbone is not None
    net, stages = recipe.backbone.build(), [*recipe.train, *(stage for variant in recipe.variants for stage in variant.stages)]
    trained = check_order(name, recipe.train, traits_of(net, stages))
    for variant in recipe.variants:
        check_order(f"{name}, {variant.name}", variant.stages, trained)
