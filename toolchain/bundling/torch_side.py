"""What torch gives for a bundle's variants, where the weights that they were made from are at hand."""

from __future__ import annotations

import hashlib
import json

from runtime_py.bundle import Bundle
from toolchain.bundling.build import Order
from toolchain.kept import Kept
from toolchain.load import load_model
from toolchain.model import Model
from toolchain.parity.host import reference_embeddings
from toolchain.parity.suite import Images, Torch
from toolchain.recipe import Variant
from toolchain.stage import Context, describe


def torch_of(bundle: Bundle, order: Order, images: Images) -> dict[str, Torch]:
    """Torch's embeddings of `images` uint8 `[N, H, W, 3]` RGB, by variant.

    Only of variants that the bundle's recipe describes as the order's does, made from the same weights, and whose stages need no
    training or have a kept result: nothing is trained here. Empty where the weights are others.
    """
    path = order.weights or order.recipe.weights
    if path is None or not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != bundle.manifest.recipe.weights_sha256:
        return {}
    model = load_model(path, order.contract)
    kept = Kept(order.cache / "stages")
    context = Context(order.cache / "work", order.cache / "shared", None, None, order.device, order.seed, order.progress)
    found = {}
    for variant in order.chosen:
        staged = _staged(variant, model, kept, context) if variant.name in bundle.variants and _described(bundle, variant) else None
        if staged is not None:
            found[variant.name] = Torch(reference_embeddings(staged, images), variant.gate)
    return found


def _staged(variant: Variant, model: Model, kept: Kept, context: Context) -> Model | None:
    """`model` after the variant's stages; None where a training stage has no kept result."""
    for stage in variant.stages:
        if stage.needs_faces and kept.find(stage, model, context) is None:
            return None
        model = kept.apply(stage, model, context)
    return model


def _described(bundle: Bundle, variant: Variant) -> bool:
    """Whether the manifest's recipe has this variant with these stages. Its gate may be another: a gate makes no weights."""
    ours = json.loads(json.dumps(describe(variant)))
    theirs = bundle.manifest.recipe.description.get("variants", ())
    return any((item.get("type"), item.get("stages")) == (ours["type"], ours["stages"]) for item in theirs)
