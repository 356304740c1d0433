"""What every backbone of the package keeps to, found by walking it, and every recipe that comes with the toolchain, built whole: a
new backbone is held to this without naming it here."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import io
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import toolchain.backbones
import toolchain.losses
from runtime_py.bundle import Bundle
from toolchain.backbones import Backbone
from toolchain.cli import main
from toolchain.compress.fold_batch_norm import graph_of
from toolchain.data import synthetic
from toolchain.data.faces import Faces
from toolchain.errors import RecipeError
from toolchain.load import load_model, save_model
from toolchain.losses import ArcFace, Loss, Train
from toolchain.model import Model
from toolchain.progress import Progress
from toolchain.recipe import Recipe
from toolchain.recipes import find_recipe, recipe_names
from toolchain.stage import Context, describe
from toolchain.training.loop import Phase, TrainSettings


def found_in(package: Any, base: type) -> list[type]:
    """The concrete classes of `base` that the files of `package` define."""
    modules = [importlib.import_module(f"{package.__name__}.{item.name}") for item in pkgutil.iter_modules(package.__path__)]
    classes = {value for module in modules for value in vars(module).values() if inspect.isclass(value) and issubclass(value, base)}
    return sorted((value for value in classes if not inspect.isabstract(value)), key=lambda value: value.__name__)


BACKBONES = found_in(toolchain.backbones, Backbone)
# The recipes that train their own weights: the others have tests of their own.
RECIPES = [name for name in recipe_names() if find_recipe(name).weights is None and find_recipe(name).train]
# Recipes that differ in their variants alone have one fp32 net, built for the first of them.
NETS = list({(recipe.backbone, recipe.train): name for name in reversed(RECIPES) for recipe in [find_recipe(name)]}.values())


def cheapest(backbone: type[Backbone]) -> Backbone:
    return backbone.sizes()[0]


def model_of(settings: Backbone) -> Model:
    torch.manual_seed(0)
    return Model(settings.build().eval(), settings.input)


@pytest.fixture(scope="module")
def few_faces() -> Faces:
    """Four drawn people with four faces each."""
    return synthetic.faces(4, 4)


def test_the_walk_finds_the_backbones_and_the_package_exports_them() -> None:
    names = {backbone.__name__ for backbone in BACKBONES}
    assert names >= set("MobileFaceNet MobileNetV1 MobileNetV2 MobileNetV3 SEPNet ShuffleNetV2 SqueezeNet VGG11 VGGGAP".split())
    assert all(getattr(toolchain.backbones, name, None) is not None for name in names), "weights files name a backbone by its export"


@pytest.mark.parametrize("backbone", BACKBONES, ids=lambda item: item.__name__)
def test_embeds_and_is_traced_and_survives_a_weights_file(backbone: type[Backbone], tmp_path: Path) -> None:
    settings = cheapest(backbone)
    model = model_of(settings)
    height, width = settings.input.height, settings.input.width
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, height, width)).astype(np.uint8))
    embeddings = model.embed(images)
    assert embeddings.shape == (2, settings.embedding_size) and bool(embeddings.isfinite().all())
    assert not torch.equal(embeddings[0], embeddings[1])
    # float32: the same operations, batch norm not folded yet
    assert torch.allclose(dataclasses.replace(model, net=graph_of(model.net)).embed(images), embeddings, atol=1e-6)
    save_model(tmp_path / "net.safetensors", model)
    assert load_model(tmp_path / "net.safetensors").fingerprint() == model.fingerprint()
    assert json.loads(json.dumps(describe(settings))) == describe(settings)
    assert model_of(settings).fingerprint() == model.fingerprint(), "the same seed gives the same net"


@pytest.mark.parametrize("backbone", BACKBONES, ids=lambda item: item.__name__)
def test_a_few_steps_change_every_weight_and_leave_the_model_that_was_given(
    backbone: type[Backbone], few_faces: Faces, tmp_path: Path
) -> None:
    model = model_of(cheapest(backbone))
    before = model.fingerprint()
    settings = TrainSettings((Phase(2, 64),), batch=8)
    trained = Train(ArcFace(scale=16), settings).apply(model, Context(tmp_path, faces=few_faces, progress=Progress(quiet=True)))
    assert model.fingerprint() == before
    old = dict(model.net.named_parameters())
    still = [name for name, value in trained.net.named_parameters() if torch.equal(value, old[name])]
    assert not still, "a parameter that no gradient reaches"
    assert all(bool(value.isfinite().all()) for value in trained.net.state_dict().values())


@pytest.mark.parametrize("backbone", BACKBONES, ids=lambda item: item.__name__)
def test_an_embedding_of_no_numbers_is_refused(backbone: type[Backbone]) -> None:
    with pytest.raises(RecipeError, match="embedding_size"):
        backbone(embedding_size=0)


def settings_within(value: Any) -> Iterator[object]:
    """`value` and every settings object that it holds."""
    yield value
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            held = getattr(value, field.name)
            for item in held if isinstance(held, tuple) else (held,):
                yield from settings_within(item)


def test_every_backbone_and_every_loss_has_a_recipe() -> None:
    recipes: list[Recipe] = [find_recipe(name) for name in RECIPES]
    used = {type(item) for recipe in recipes for item in settings_within(recipe)}
    assert not set(BACKBONES) - used and not set(found_in(toolchain.losses, Loss)) - used


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("recipe", NETS)
def test_a_recipe_builds_a_bundle_that_passes_parity(recipe: str, drawn_faces: Path, cache: Path, tmp_path: Path) -> None:
    """A few steps, fp32: its gate holds TFLite to torch within 1e-4 on 256 faces, and XNNPACK must run the graph whole."""
    bundle, printed = tmp_path / "net.pface", io.StringIO()
    arguments = ["build", recipe, "--target", "android-arm64", "--images", str(drawn_faces), "--steps", "2", "--variants", "fp32"]
    with contextlib.redirect_stdout(printed):
        assert main([*arguments, "--out", str(bundle), "--cache", str(cache), "--quiet", "--json"]) == 0
    made = Bundle.open(bundle)
    assert made.manifest.embedding.size == find_recipe(recipe).backbone.embedding_size  # type: ignore[union-attr]
    parity = json.loads(printed.getvalue())["variants"][0]["parity"]
    assert {row["runtime"] for row in parity} >= {"ai-edge-litert"} and all(row["max_abs"] < 1e-4 for row in parity if "max_abs" in row)
