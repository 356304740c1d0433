"""The recipe `tiny`: one variant, stored at few bits a weight, rebuilt byte-exact, computing what torch computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.toolchain.recipes.making import GRAPH, drawn, passes
from toolchain.backbones import MobileNetV1
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.palettize_by_responses import PalettizeByResponses
from toolchain.compress.whiten import Whiten
from toolchain.convert.compressed import Compressed
from toolchain.data.faces import Faces
from toolchain.recipes import find_recipe


def test_it_ends_with_one_variant_which_is_the_default() -> None:
    recipe = find_recipe("tiny")
    (variant,) = recipe.variants
    assert isinstance(variant, Compressed) and recipe.default_variant == variant.name
    whiten, fold, palettize = variant.stages
    assert isinstance(whiten, Whiten) and isinstance(fold, FoldBatchNorm) and isinstance(palettize, PalettizeByResponses)
    assert palettize.most_bytes is not None and palettize.most_bytes < 300_000


def test_what_it_makes_is_stored_at_its_bits_and_passes_its_gate(faces: Faces, tmp_path: Path) -> None:
    model = drawn(MobileNetV1(embedding_size=16, width=0.25, pixels=32))
    (variant,) = find_recipe("tiny").variants
    *before, palettize = variant.stages
    assert isinstance(palettize, PalettizeByResponses)
    variant = replace(variant, stages=(*before, replace(palettize, settings=None, faces=32, rate=0.1)))
    staged, made = passes(variant, model, faces, tmp_path)
    weights = sum(encoding.decode().numel() for encoding in staged.encodings.values())
    rest = sum(value.numel() for value in staged.net.state_dict().values()) - weights
    # At this rate 2.2 bits a weight, 3 for small tensors and coding; two bytes of each other number; the graph and the tables.
    assert len(made.stored) < 3 * weights / 8 + 2 * rest + GRAPH
