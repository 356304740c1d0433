"""The recipes of pruning, sharing, low rank and channel pruning: what they make is stored small, rebuilt byte-exact and passes parity. Two
steps on drawn faces of 32 pixels."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runtime_py import packed
from toolchain.backbones.pooled import PooledBackbone
from toolchain.bundling.variants import Workshop, judge
from toolchain.convert.route import Onnx2Tf
from toolchain.data import synthetic
from toolchain.data.faces import Faces
from toolchain.kept import Kept, KeptBytes
from toolchain.model import Model
from toolchain.progress import Progress
from toolchain.recipe import Variant
from toolchain.recipes import find_recipe
from toolchain.stage import Context, Stage
from toolchain.training.loop import Phase, TrainSettings

FEW = TrainSettings((Phase(2, 32),), batch=16, optimizer="adamw", weight_decay=0.0)
# Of the float net's bytes, what is left: a tenth of the weights of 32 values, 5 bits, and 0.47 bits of positions a weight; half of the
# multiply-adds; two thirds of the channels both in and out, all but; both in 8 bits. What is added is the graph, which does not shrink.
STORED = {"deep-compression": (0.5 + 0.47) / 32, "low-rank": 0.6 / 4, "prune-channels": 0.5 / 4}
GRAPH = 20_000


@pytest.fixture(scope="module")
def faces() -> Faces:
    """256 drawn faces of 32×32 pixels, as many as parity asks for."""
    return synthetic.faces(32, 8, 32, 32)


def few_steps(stage: Stage) -> Stage:
    changed: dict[str, Any] = {item.name: FEW for item in fields(stage) if isinstance(getattr(stage, item.name), TrainSettings)}
    return replace(stage, **changed)


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
    context = Context(tmp_path, faces=faces, progress=Progress(quiet=True))
    workshop = Workshop(context, Kept(tmp_path / "kept"), KeptBytes(tmp_path / "bytes"), Onnx2Tf(), np.ascontiguousarray(faces.images))
    variant = replace(variant, stages=tuple(few_steps(stage) for stage in variant.stages))
    staged = workshop.staged(variant, model)
    assert isinstance(staged, Model)
    made = workshop.make(variant, staged, model)
    assert judge([made]) == {}
    assert packed.unpack(made.stored) == made.tflite
    floats = 4 * sum(value.numel() for value in model.net.parameters())
    assert len(made.stored) < STORED[variant.name] * floats + GRAPH
