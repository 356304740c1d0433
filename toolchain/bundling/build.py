"""From a recipe, or weights of one's own, to a bundle: `build`."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from runtime_py.bundle import Bundle
from runtime_py.manifest import InputContract, RecipeRecord
from toolchain.bench.resident import kept_resident_bytes
from toolchain.bundling import arm64_parity, assemble, variants
from toolchain.bundling.measured import match_made, measure_made
from toolchain.bundling.provenance import model_card, provenance
from toolchain.bundling.variants import Images, Made, Workshop
from toolchain.convert.level import Level
from toolchain.convert.route import Onnx2Tf
from toolchain.data import synthetic
from toolchain.data.faces import Faces
from toolchain.distill import TrainedTeacher
from toolchain.errors import DataError, RecipeError
from toolchain.evaluation import accuracies
from toolchain.kept import Kept, KeptBytes, cache_folder, key_of
from toolchain.load import load_model
from toolchain.machine import conversion_versions, installed_versions, machine
from toolchain.model import Model
from toolchain.pack.writer import write_bundle
from toolchain.parity.host import LEAST_FACES, Parity
from toolchain.progress import Progress
from toolchain.recipe import Recipe, Variant
from toolchain.report import page
from toolchain.report.report import Report, of_bundle
from toolchain.stage import Context, Stage, Trait, describe
from toolchain.stage_order import check_order, traits_of
from toolchain.targets import Target
from toolchain.training.loop import TrainSettings


@dataclass(frozen=True)
class Order:
    """What to make and with what.

    `weights`, with the `contract` of what they take, stand in place of the recipe's own. `images`: aligned faces to train
    on, folders or tars; without any, what needs them is taken from what is kept, or left out. `steps` stands in place of the
    number of steps of every training stage. `cache`: where results are kept. `variants` None: all of the recipe's. `allow`: those
    that may miss their gates, marked so.
    """

    recipe: Recipe
    variants: tuple[str, ...] | None = None
    weights: Path | None = None
    contract: InputContract | None = None
    images: tuple[Path, ...] = ()
    seed: int = 0
    steps: int | None = None
    device: str = "cpu"
    cache: Path = field(default_factory=cache_folder)
    progress: Progress = field(default_factory=Progress)
    allow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [variant.name for variant in self.recipe.variants]
        for name in (*(self.variants or ()), *self.allow):
            if name in self.recipe.unsupported:
                raise RecipeError(f"{name}: recipe {self.recipe.name} has no such variant: {self.recipe.unsupported[name]}; leave it out")
            if name not in names:
                raise RecipeError(f"{name}: recipe {self.recipe.name} has no such variant; expected some of {', '.join(names)}")
        for variant in self.chosen:
            if isinstance(variant, Level) and variant.whole.name not in [item.name for item in self.chosen]:
                raise RecipeError(f"{variant.name}: is stored as a part of {variant.whole.name}; ask for that variant too")
        if self.contract is not None and self.weights is None:
            raise RecipeError("--input states what weights of your own take; give them by --weights, or leave it out")
        if not 0 <= self.seed < 2**53:
            raise RecipeError(f"seed: expected 0 to 2^53 - 1, got {self.seed}")
        _check_device(self.device)

    @property
    def chosen(self) -> tuple[Variant, ...]:
        """The variants to make, in the recipe's order, with `steps` in place."""
        chosen = [variant for variant in self.recipe.variants if self.variants is None or variant.name in self.variants]
        return tuple(replace(variant, stages=tuple(with_steps(stage, self.steps) for stage in variant.stages)) for variant in chosen)

    @property
    def name(self) -> str:
        return self.recipe.name if self.weights is None else self.weights.stem


def _check_device(name: str) -> None:
    """Error: RecipeError for what is no device to train on, or is not there."""
    if not re.fullmatch(r"cpu|cuda(:[0-9]{1,4})?", name):
        raise RecipeError(f"device: expected cpu, cuda, or cuda:N for the one of that number, got {name!r}")
    if name != "cpu" and int(name.removeprefix("cuda").removeprefix(":") or 0) >= torch.cuda.device_count():
        raise RecipeError(f"device: expected cpu, got {name}, and this machine's torch sees no such device")


def with_steps(stage: Stage, steps: int | None) -> Stage:
    """`stage` with its training steps replaced, where it has any: a field `steps`, or training settings, its own or those of a teacher
    that it trains, whose phases are stretched in proportion. None: as it is."""
    if steps is None or not stage.trains:
        return stage
    changed: dict[str, Any] = {item.name: _stretched(getattr(stage, item.name), steps) for item in fields(stage)}
    return replace(stage, **(changed | ({"steps": steps} if "steps" in changed else {})))


def _stretched(value: Any, steps: int) -> Any:
    """`value`, a setting, with all training settings within it stretched to `steps`."""
    if isinstance(value, TrainSettings):
        share = steps / value.steps
        return replace(value, phases=tuple(replace(phase, steps=max(1, round(phase.steps * share))) for phase in value.phases))
    if isinstance(value, tuple):
        return tuple(_stretched(item, steps) for item in value)
    if isinstance(value, TrainedTeacher):
        return replace(value, by=replace(value.by, settings=_stretched(value.by.settings, steps)))
    return value


@dataclass(frozen=True, eq=False)
class Batch:
    """What a round of variants came to; `left_out` says why of those that were not made; `parity_faces` names the faces that parity
    was measured on."""

    model: Model
    weights_sha256: str
    made: tuple[Made, ...]
    left_out: dict[str, str]
    seconds: dict[str, float]
    parity_faces: tuple[str, ...]
    workshop: Workshop


def make_variants(order: Order) -> Batch:
    """Makes the chosen variants. Errors: RecipeError for stages in an order that makes no sense, before anything is read or trained;
    DataError where there is nothing that could be made; ConversionError, GateError."""
    clock = Clock()
    with clock.of("weights"):
        start = _start(order)
        _check_orders(order, start)
    with clock.of("images"):
        context = _context(order)
    kept = Kept(order.cache / "stages")
    with clock.of("weights"):
        model, sha256 = _weights(order, start, context, kept)
    results = KeptBytes(order.cache / "bytes")
    with clock.of("parity images"):
        images, names = parity_images(context, model.input, results)
    workshop = Workshop(context, kept, results, Onnx2Tf(order.cache / "tflite"), images)
    made: list[Made] = []
    left_out = dict(order.recipe.unsupported) if order.variants is None else {}
    for variant in order.chosen:
        with clock.of(variant.name):
            staged = workshop.staged(variant, model)
            if isinstance(staged, Model):
                made.append(workshop.make(variant, staged, model))
                continue
        left_out[variant.name] = f"{type(staged).__name__} needs face images; give --images FOLDER or TAR of aligned faces"
        order.progress.say(f"{variant.name}: left out: {left_out[variant.name]}")
    if not made:
        raise DataError(f"{order.name}: nothing to build: " + "; ".join(f"{name}: {why}" for name, why in left_out.items()))
    return Batch(model, sha256, tuple(made), left_out, clock.seconds, names, workshop)


def build(order: Order, target: Target, out: Path, recorded: Path | None = None, arm64: bool = False) -> Report:
    """Builds the bundle at `out` and its report beside it, each whole or not at all.

    `recorded`: figures that were measured on variants of the same bytes, beside those that come with the package. What they do
    not speak of is measured on the faces kept aside, where there are some. `arm64`: parity on arm64 is measured anew, where
    otherwise what is recorded of the same bytes is stated.
    Errors: as `make_variants`; GateError where a variant missed its gate and is not in `order.allow`; nothing is written then.
    """
    known = accuracies.read_accuracies(accuracies.SHIPPED) if accuracies.SHIPPED.exists() else {}
    if recorded is not None:
        known = accuracies.merged(known, accuracies.read_accuracies(recorded))
    weights = order.weights or order.recipe.weights
    stated_provenance, card = provenance(weights), model_card(weights)
    batch = make_variants(order)
    clock = Clock(batch.seconds)
    with clock.of("face terms"):
        measured, not_measured = measure_made(batch.made, batch.model, batch.workshop, known)
        not_measured += variants.not_judged(batch.made, measured)
    missed = variants.judge(batch.made, order.allow, measured)
    with clock.of("arm64"):
        on_arm64, not_checked = arm64_parity.figures(batch.made, batch.workshop.images, arm64, batch.workshop.files, order.progress)
    with clock.of("levels"):
        matching = match_made(batch.made, batch.workshop)
    stated = assemble.Stated(measured, stated_provenance, card, missed, on_arm64, matching)
    with clock.of("assembling"):
        default = _default(order, batch)
        parts = assemble.assemble(_record(order, batch), order.name, target, default, batch.made, stated)
    with clock.of("writing"):
        write_bundle(out, parts.values, parts.blobs)
    with clock.of("report"):
        report = replace(_report(order, batch, Bundle.open(out)), not_run=(*not_measured, *not_checked))
        page.write_report(out.with_suffix(".report"), report, stated.card)
    return report


def _default(order: Order, batch: Batch) -> str:
    """The recipe's default variant, or the first that was made where that one was not."""
    names = [item.variant.name for item in batch.made]
    return order.recipe.default_variant if order.recipe.default_variant in names else names[0]


def _record(order: Order, batch: Batch) -> RecipeRecord:
    """How the model came to be, as the manifest states it. Where weights were brought in, the recipe's own backbone and
    training had no part in it."""
    recipe = order.recipe if order.weights is None else replace(order.recipe, backbone=None, train=(), weights=None)
    description = describe(replace(recipe, variants=tuple(item.variant for item in batch.made)))
    return RecipeRecord(order.recipe.name, order.seed, batch.weights_sha256, conversion_versions(), description)


def _report(order: Order, batch: Batch, bundle: Bundle) -> Report:
    """What the bundle says of itself, and what this build knows beyond it."""
    report = of_bundle(bundle, machine(), installed_versions())
    results = KeptBytes(order.cache / "bytes")
    rows = []
    for item, row in zip(batch.made, report.variants, strict=True):
        found = item.parity[0]
        rows.append(
            replace(
                row,
                parity=tuple(variants.figures(result) for result in item.parity),
                cosines=tuple(found.cosines.tolist()) if isinstance(found, Parity) else (),
                resident=kept_resident_bytes(bundle, row.name, results),
                seconds=batch.seconds[row.name],
            )
        )
    return replace(report, variants=tuple(rows), left_out=batch.left_out, seconds=dict(batch.seconds), parity_faces=batch.parity_faces)


def train(order: Order) -> Model:
    """The model that the recipe's training stages make of a freshly built backbone. Errors: RecipeError where the recipe
    trains nothing; DataError for the images."""
    start = _fresh(order)
    check_order(f"{order.name}, train", order.recipe.train, traits_of(start.net, order.recipe.train))
    return _trained(order, start, _context(order), Kept(order.cache / "stages"))


def _context(order: Order) -> Context:
    faces = aside = None
    if order.images:
        faces, aside = Faces.read(order.images, order.cache / "faces", order.progress).split_aside()
        aside = aside if len(aside) else None
    return Context(order.cache / "work", order.cache / "shared", faces, aside, order.device, order.seed, order.progress)


def _start(order: Order) -> Model:
    """The weights that were brought in or come with the recipe; the freshly built backbone where they have to be trained."""
    path = order.weights or order.recipe.weights
    return _fresh(order) if path is None else load_model(path, order.contract)


def _fresh(order: Order) -> Model:
    backbone = order.recipe.backbone
    if backbone is None or not order.recipe.train:
        raise RecipeError(f"{order.recipe.name}: this recipe trains nothing; give --weights, or a recipe with a backbone and stages")
    with torch.random.fork_rng():
        torch.manual_seed(order.seed)
        return Model(backbone.build().eval(), backbone.input)


def _check_orders(order: Order, start: Model) -> None:
    """Error: RecipeError where a stage cannot come where the recipe has it."""
    train = () if order.weights or order.recipe.weights else order.recipe.train
    traits = traits_of(start.net, [*train, *(stage for variant in order.chosen for stage in variant.stages)])
    traits = check_order(f"{order.name}, train", train, traits)
    for variant in order.chosen:
        where = f"{order.name}, {variant.name}"
        held = check_order(where, variant.stages, traits)
        if Trait.ENCODED in held and Trait.BATCH_NORM in held:
            came = held[Trait.ENCODED]
            raise RecipeError(f"{where}: the converter would fold batch norm into what {came} encodes; put FoldBatchNorm() behind {came}()")


def _weights(order: Order, start: Model, context: Context, kept: Kept) -> tuple[Model, str]:
    """(model, sha256 of the file that its weights are from, or of the trained model itself)."""
    path = order.weights or order.recipe.weights
    if path is None:
        model = _trained(order, start, context, kept)
        return model, model.fingerprint()
    return start, hashlib.sha256(path.read_bytes()).hexdigest()


def _trained(order: Order, model: Model, context: Context, kept: Kept) -> Model:
    for stage in order.recipe.train:
        model = kept.apply(with_steps(stage, order.steps), model, context)
    return model


def parity_images(context: Context, contract: InputContract, results: KeptBytes) -> tuple[Images, tuple[str, ...]]:
    """The faces that parity is measured on, uint8 `[256, H, W, 3]`, and their names: evenly spaced ones of the images kept aside,
    or of the others, and drawn ones where the images are too few."""
    for faces in (context.aside, context.faces):
        if faces is not None and len(faces) >= LEAST_FACES:
            rows = np.linspace(0, len(faces) - 1, LEAST_FACES).astype(np.int64)
            return np.ascontiguousarray(faces.images[rows]), tuple(faces.names[row] for row in rows)
    shape = (LEAST_FACES, contract.height, contract.width, 3)
    source = hashlib.sha256(Path(synthetic.__file__).read_bytes()).hexdigest()

    def draw() -> bytes:
        return synthetic.faces(LEAST_FACES // 4, 4, contract.height, contract.width).images.tobytes()

    drawn = results.get(key_of(made="drawn faces", shape=shape, source=source), draw)
    names = tuple(f"drawn face {number}" for number in range(LEAST_FACES))
    return np.frombuffer(bytearray(drawn), np.uint8).reshape(shape), names


@dataclass(frozen=True)
class Clock:
    """Seconds by step."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Adds what the block takes to `step`."""
        started = time.monotonic()
        yield
        self.seconds[step] = self.seconds.get(step, 0.0) + time.monotonic() - started
