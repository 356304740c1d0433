"""What every stage of the package keeps to, found by walking it: a new one is held to this without naming it here.

The model that a stage is given follows from what it declares to need and to refuse. Stages that train do so for two steps: what
they learn is judged by tests of their own.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import toolchain.compress
from tests.toolchain.compress.tiny import SIZE, context
from toolchain.backbones import MobileFaceNet
from toolchain.compress.fold_batch_norm import FoldBatchNorm, graph_of, norms_behind
from toolchain.encodings import Encoding
from toolchain.errors import ToolchainError
from toolchain.losses import ArcFace
from toolchain.model import Model
from toolchain.stage import Stage, Trait
from toolchain.stage_order import check_order, traits_of
from toolchain.training.loop import Phase, TrainSettings

FEW = TrainSettings((Phase(2, SIZE),), batch=16, optimizer="adamw", weight_decay=0.0)


def stages() -> list[type[Stage]]:
    """The concrete stages that the files of `toolchain.compress` define, by name."""
    modules = [importlib.import_module(f"toolchain.compress.{item.name}") for item in pkgutil.iter_modules(toolchain.compress.__path__)]
    classes = {value for module in modules for value in vars(module).values() if inspect.isclass(value) and issubclass(value, Stage)}
    return sorted((value for value in classes if not inspect.isabstract(value)), key=lambda value: value.__name__)


def cheap(kind: type[Stage]) -> list[Stage]:
    """The stage with its defaults, but two steps and 16 faces; and, where training is a choice, trained and not."""
    changed: dict[str, Any] = {}
    choice: dict[str, Any] = {}
    for item in dataclasses.fields(kind):
        if "TrainSettings" in str(item.type):
            (choice if "None" in str(item.type) else changed)[item.name] = FEW
        elif str(item.type) == "Loss":
            changed[item.name] = ArcFace()
        elif item.name in ("faces", "refit"):
            changed[item.name] = 16
    return [kind(**changed), *([kind(**changed, **choice)] if choice else [])]


CHEAP = [pytest.param(stage, id=f"{kind.__name__}{'-trained' * number}") for kind in stages() for number, stage in enumerate(cheap(kind))]


class TinyResidual(nn.Module):
    """Every kind of layer that the stages know, with batch norm behind each conv: 32×32 images, an embedding of 24."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 4, 1, bias=False), nn.BatchNorm2d(16), nn.PReLU(16))
        self.depthwise = nn.Sequential(nn.Conv2d(16, 16, 3, 2, 1, groups=16, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.wide = nn.Sequential(nn.Conv2d(16, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.project = nn.Sequential(nn.Conv2d(32, 16, 1, bias=False), nn.BatchNorm2d(16))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.last = nn.Sequential(nn.Conv2d(16, 24, 1), nn.Flatten())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.depthwise(self.stem(x))
        result: torch.Tensor = self.last(self.pool(x + self.project(self.wide(x))))
        return result


def model_for(stage: Stage, folder: Path) -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Model(TinyResidual().eval(), dataclasses.replace(MobileFaceNet().input, height=SIZE, width=SIZE))
    return FoldBatchNorm().apply(model, context(folder)) if Trait.BATCH_NORM in stage.refuses else model


@pytest.mark.parametrize("stage", CHEAP)
def test_a_stage_leaves_its_input_decodes_to_its_weights_and_does_the_same_again(stage: Stage, tmp_path: Path) -> None:
    model = model_for(stage, tmp_path)
    before = model.fingerprint()
    made = stage.apply(model, context(tmp_path / "once", faces=stage.needs_faces))
    assert model.fingerprint() == before, "the input is untouched"
    state = made.net.state_dict()
    for name, encoding in made.encodings.items():
        assert isinstance(encoding, Encoding) and torch.equal(encoding.decode(), state[name]), name
    assert all(bool(value.isfinite().all()) for value in state.values())
    again = stage.apply(model, context(tmp_path / "again", faces=stage.needs_faces))
    assert again.fingerprint() == made.fingerprint(), "the same model, settings, seed and faces give the same bytes"
    assert made.embed(torch.zeros(1, 3, SIZE, SIZE, dtype=torch.uint8)).shape[0] == 1, "the net still runs"
    _declares_what_it_did(stage, model, made)


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
@pytest.mark.parametrize("stage", CHEAP)
def test_a_weight_that_is_not_finite_is_refused_by_name(stage: Stage, wrong: float, tmp_path: Path) -> None:
    model = model_for(stage, tmp_path)
    weight = model.net.get_parameter("wide.0.weight").detach().clone()
    weight[0, 0, 0, 0] = wrong
    said = rf"^{type(stage).__name__}: wide\.0\.weight: expected finite weights, got 1 that are not"
    with pytest.raises(ToolchainError, match=said):
        stage.apply(model.with_weights({"wide.0.weight": weight}), context(tmp_path / "once", faces=stage.needs_faces))


def _declares_what_it_did(stage: Stage, model: Model, made: Model) -> None:
    """What the stage declares is what it did, so that the check of a recipe's order can rely on it."""
    traits = check_order("here", (stage,), traits_of(model.net, (FoldBatchNorm(), stage)) | found_norms(model))
    assert (Trait.ENCODED in traits) == bool(made.encodings)
    assert (Trait.BATCH_NORM in traits) == bool(found_norms(made))
    assert (Trait.RANGES in traits) == bool(made.ranges)
    zeros = sum(int((value == 0).sum()) for name, value in made.net.named_parameters() if name.endswith("weight") and value.ndim > 1)
    assert Trait.PRUNED not in traits or zeros > 0


def found_norms(model: Model) -> dict[Trait, str]:
    return {Trait.BATCH_NORM: ""} if norms_behind(graph_of(model.net)) else {}


@pytest.mark.parametrize("stage", CHEAP)
def test_the_settings_of_a_stage_survive_json(stage: Stage) -> None:
    assert json.loads(json.dumps(stage.describe())) == stage.describe()
