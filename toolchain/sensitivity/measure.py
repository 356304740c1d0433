"""The sensitivity of a recipe's or of one's own weights: the model, the faces and the forms brought together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from runtime_py.manifest import InputContract
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.convert.int8 import Int8
from toolchain.convert.quantizer import weighted
from toolchain.convert.route import Onnx2Tf
from toolchain.data import synthetic
from toolchain.data.faces import Faces
from toolchain.errors import RecipeError
from toolchain.kept import Kept, KeptBytes
from toolchain.load import load_model
from toolchain.model import Model
from toolchain.parity.host import reference_embeddings
from toolchain.parity.sensitivity import int8_damages
from toolchain.progress import Progress
from toolchain.recipe import Recipe
from toolchain.recipes import find_recipe
from toolchain.sensitivity.forms import form_damages, form_of
from toolchain.sensitivity.sensitivity import FormDamage, Gauge, Images, Sensitivity, Track, some_of
from toolchain.stage import Context


def measure_sensitivity(
    recipe_name: str,
    weights: Path | None,
    contract: InputContract | None,
    forms: Sequence[str],
    paths: Sequence[Path],
    count: int,
    cache: Path,
    progress: Progress,
) -> Sensitivity:
    """What each of `forms` does to each layer, on at most about `count` faces: of `paths` those kept aside from training where there are
    some, drawn ones without any path. Batch norm is folded first. Errors: RecipeError for a form that does not exist, or
    where there are no weights; DataError."""
    recipe = find_recipe(recipe_name)
    path = weights or recipe.weights
    if path is None:
        raise RecipeError(f"{recipe.name}: this recipe trains its weights; give them, or a bundle, a .safetensors or an .onnx file")
    chosen = [None if name == Int8.name else form_of(name) for name in forms]
    model = load_model(path, contract)
    training = aside = None
    if paths:
        training, aside = Faces.read(paths, cache / "faces", progress).split_aside()
        faces = some_of(aside if len(aside) else training, count)
    else:
        faces = synthetic.faces(max(1, count // 4), 4, model.input.height, model.input.width)
    context = Context(cache / "work", cache / "shared", training, aside, progress=progress)
    folded = FoldBatchNorm().apply(model, context)
    images = np.ascontiguousarray(faces.images)
    gauge = Gauge(reference_embeddings(folded, images).astype("float32"), faces.identities if paths else ())
    found = []
    for name, form in zip(forms, chosen, strict=True):
        track = _tracked(progress, name)
        if form is None:
            found.append(_int8(recipe, model, context, Kept(cache / "stages"), images, gauge, track))
        else:
            found.append(form_damages(folded, form, images, gauge, context, track))
    return Sensitivity(len(faces), not paths, gauge.tar, tuple(found))


def _tracked(progress: Progress, what: str) -> Track:
    return lambda names: progress.track(names, what)


def _int8(recipe: Recipe, model: Model, context: Context, kept: Kept, images: Images, gauge: Gauge, track: Track) -> FormDamage:
    """Weights and activations, after the stages of the recipe's int8 variant. Error: RecipeError where it has none."""
    variant = next((item for item in recipe.variants if isinstance(item, Int8)), None)
    if variant is None:
        raise RecipeError(f"{recipe.name}: this recipe has no int8 variant, whose stages find the ranges of activations")
    for stage in variant.stages:
        model = kept.apply(stage, model, context)
    tflite = Onnx2Tf(context.shared.parent / "tflite").float32(model)
    layers = tuple(weighted(tflite))
    return FormDamage(Int8.name, int8_damages(model, tflite, layers, images, gauge, KeptBytes(context.shared / "int8 layers"), track))
