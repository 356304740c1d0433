"""The recipe `tiny`: one variant, stored at few bits a weight, rebuilt byte-exact, computing what torch computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from runtime_py import packed
from toolchain.backbones import MobileNetV1
from toolchain.bundling.variants import Workshop, judge
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.palettize_by_responses import PalettizeByResponses
from toolchain.compress.whiten import Whiten
from toolchain.convert.compressed import Compressed
from toolchain.convert.route import Onnx2Tf
from toolchain.data import synthetic
from toolchain.kept import Kept, KeptBytes
from toolchain.model import Model
from toolchain.progress import Progress
from toolchain.recipes import find_recipe
from toolchain.stage import Context


def test_it_ends_with_one_variant_which_is_the_default() -> None:
    recipe = find_recipe("tiny")
    (variant,) = recipe.variants
    assert isinstance(variant, Compressed) and recipe.default_variant == variant.name
    whiten, fold, palettize = variant.stages
    assert isinstance(whiten, Whiten) and isinstance(fold, FoldBatchNorm) and isinstance(palettize, PalettizeByResponses)
    assert palettize.most_bytes is not None and palettize.most_bytes < 300_000


def test_what_it_makes_is_stored_at_its_bits_and_passes_its_gate(tmp_path: Path) -> None:
    faces = synthetic.faces(32, 8, 32, 32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone = MobileNetV1(embedding_size=16, width=0.25, pixels=32)
        model = Model(backbone.build().eval(), backbone.input)
    (variant,) = find_recipe("tiny").variants
    *before, palettize = variant.stages
    assert isinstance(palettize, PalettizeByResponses)
    variant = replace(variant, stages=(*before, replace(palettize, settings=None, faces=32, rate=0.1)))
    context = Context(tmp_path, faces=faces, progress=Progress(quiet=True))
    workshop = Workshop(context, Kept(tmp_path / "kept"), KeptBytes(tmp_path / "bytes"), Onnx2Tf(), np.ascontiguousarray(faces.images))
    staged = workshop.staged(variant, model)
    assert isinstance(staged, Model)
    made = workshop.make(variant, staged, model)
    assert judge([made]) == {}
    assert packed.unpack(made.stored) == made.tflite
    weights = sum(encoding.decode().numel() for encoding in staged.encodings.values())
    rest = sum(value.numel() for value in staged.net.state_dict().values()) - weights
    # At this rate 2.2 bits a weight, 3 for small tensors and coding; two bytes of each other number; the graph and the tables.
    assert len(made.stored) < 3 * weights / 8 + 2 * rest + 20_000
