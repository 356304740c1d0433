"""What a recipe's variant makes of a net in miniature, on drawn faces of 32×32 pixels."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from runtime_py import packed
from toolchain.backbones import Backbone
from toolchain.bundling.variants import Made, Workshop, judge
from toolchain.compress.latent_weights import LatentTraining
from toolchain.convert.route import Onnx2Tf
from toolchain.data.faces import Faces
from toolchain.kept import Kept, KeptBytes
from toolchain.model import Model
from toolchain.progress import Progress
from toolchain.recipe import Variant
from toolchain.stage import Context, Stage
from toolchain.training.loop import Phase, TrainSettings

GRAPH = 20_000
"""Bytes that a graph, scales and tables take, whatever becomes of the weights."""
_FEW = TrainSettings((Phase(2, 32),), batch=16, optimizer="adamw", weight_decay=0.0)


def drawn(backbone: Backbone) -> Model:
    """The same random net each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Model(backbone.build().eval(), backbone.input)


def few_steps(stage: Stage) -> Stage:
    """Two steps wherever it trains; its last layer is not solved anew from so few faces."""
    changed: dict[str, Any] = {item.name: _FEW for item in fields(stage) if isinstance(getattr(stage, item.name), TrainSettings)}
    return replace(stage, **changed, **({"refit": 0} if isinstance(stage, LatentTraining) else {}))


def passes(variant: Variant, model: Model, faces: Faces, work: Path) -> tuple[Model, Made]:
    """(model after the variant's stages, the variant), once it passed its gate and what is stored was rebuilt byte for byte."""
    context = Context(work, faces=faces, progress=Progress(quiet=True))
    workshop = Workshop(context, Kept(work / "kept"), KeptBytes(work / "bytes"), Onnx2Tf(), np.ascontiguousarray(faces.images))
    staged = workshop.staged(variant, model)
    assert isinstance(staged, Model)
    made = workshop.make(variant, staged, model)
    assert judge([made]) == {}
    assert packed.unpack(made.stored) == made.tflite
    return staged, made
