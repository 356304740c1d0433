"""A sweep: variants of one recipe, each made and measured, on Ray.

A point of the sweep is the recipe with some fields set. Points whose weights are trained alike share that training: it runs once,
before them. What is made is kept by content as a build's is, and each point's figures under the key of all that they come from, so that
a sweep that was stopped goes on. Machines of a cluster share all that where `cache` is a folder that all of them see.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import toolchain
from runtime_py.embedder import Embedder
from toolchain import assemble, build, files, variants
from toolchain.bootstrap import Comparisons
from toolchain.data import protocols
from toolchain.data.faces import Faces
from toolchain.errors import DataError, RecipeError
from toolchain.evaluate import of_embedder
from toolchain.kept import cache_folder, key_of
from toolchain.parity.host import Parity
from toolchain.progress import Progress
from toolchain.recipe import Recipe, Variant
from toolchain.recipes import find_recipe
from toolchain.report.machine import conversion_versions
from toolchain.stage import describe

_LEFT_OUT = ("name", "summary", "default_variant", "weights", "gate", "face_gate")
Scalar = bool | int | float | str
Settings = Mapping[str, str]


def settable(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Scalar]]:
    """(path, value) of every number, word and truth value in the settings of a recipe: `backbone.width`, `train.Distill.projection`,
    `clustered.Palettize.clusters`. Parts of a tuple go by their class, variants by their name; gates and names are no settings."""
    if not dataclasses.is_dataclass(value):
        if isinstance(value, bool | int | float | str):
            yield path, value
        return
    for name, held in _held(value):
        for part in held if isinstance(held, tuple) else (held,):
            yield from settable(part, _below(path, name, part, isinstance(held, tuple)))


def meant(recipe: Recipe, name: str) -> set[tuple[str, ...]]:
    """The paths that `name` means: those in which its parts come in that order and whose last part is its own; of several, those
    nearest to the top. `width` is the backbone's, not its teacher's; `clusters` that of every variant that has some.

    Error: RecipeError where there is none.
    """
    known = {path for path, _ in settable(recipe)}
    found = {path for path in known if _in_order(name.split("."), path)}
    if not found:
        raise RecipeError(f"--set {name}: recipe {recipe.name} has no such field; it has {', '.join(sorted('.'.join(p) for p in known))}")
    top = min(map(len, found))
    return {path for path in found if len(path) == top}


def _in_order(parts: Sequence[str], path: Sequence[str]) -> bool:
    rest = iter(path)
    return path[-1] == parts[-1] and all(part in rest for part in parts)


def with_setting(value: Any, paths: set[tuple[str, ...]], text: str, path: tuple[str, ...] = ()) -> Any:
    """`value`, a recipe or a part of one, with the fields of these `paths` set to what `text` says. Errors: RecipeError where that is of
    another type than the field, or no value that its class takes."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return _parsed(path, text, value) if isinstance(value, bool | int | float | str) and path in paths else value
    changed = {}
    for part, held in _held(value):
        if isinstance(held, tuple):
            changed[part] = tuple(with_setting(item, paths, text, _below(path, part, item, True)) for item in held)
        else:
            changed[part] = with_setting(held, paths, text, _below(path, part, held, False))
    changed = {part: new for part, new in changed.items() if new != getattr(value, part)}
    return replace(value, **changed) if changed else value


def _held(value: Any) -> Iterator[tuple[str, Any]]:
    for item in dataclasses.fields(value):
        if item.name not in _LEFT_OUT:
            yield item.name, getattr(value, item.name)


def _below(path: tuple[str, ...], name: str, part: object, of_tuple: bool) -> tuple[str, ...]:
    """The path of `part`. A tuple of variants or stages is known by what it holds."""
    if isinstance(part, Variant):
        return (*path, part.name)
    inner = (type(part).__name__,) if of_tuple and dataclasses.is_dataclass(part) else ()
    return (*path, *inner) if name in ("stages", "phases") else (*path, name, *inner)


def _parsed(path: tuple[str, ...], text: str, now: Scalar) -> Scalar:
    try:
        if isinstance(now, bool):
            return {"true": True, "false": False}[text.lower()]
        return type(now)(text)
    except (ValueError, KeyError):
        kind = "true or false" if isinstance(now, bool) else "a whole number" if isinstance(now, int) else "a number"
        raise RecipeError(f"--set {'.'.join(path)}: expected {kind}, such as its {now} now, got {text!r}") from None


def point_recipe(recipe: Recipe, settings: Settings) -> Recipe:
    """The recipe with `settings` in place. Where they change the backbone or its training, weights that come with the recipe are left
    out, and trained anew. Errors: RecipeError for a name that means nothing, and for values that a class refuses."""
    for name, text in settings.items():
        changed: Recipe = with_setting(recipe, meant(recipe, name), text)
        retrained = changed.backbone != recipe.backbone or changed.train != recipe.train
        recipe = replace(changed, weights=None) if retrained else changed
    return recipe


@dataclass(frozen=True)
class SweepOrder:
    """What to sweep. `recipe`: a name or file, as each worker reads it. `sets`: the values of each name, all combinations of which are
    made. `images`: labelled faces; those of identities kept aside are measured on. `jobs` processes on this machine, or those of the
    cluster at `address`. The others are a build's."""

    recipe: str
    sets: Mapping[str, tuple[str, ...]]
    images: tuple[Path, ...]
    variants: tuple[str, ...] | None = None
    seed: int = 0
    steps: int | None = None
    device: str = "cpu"
    cache: Path = field(default_factory=cache_folder)
    progress: Progress = field(default_factory=Progress)
    jobs: int | None = None
    address: str | None = None

    def points(self) -> list[dict[str, str]]:
        """The settings of each point."""
        return [dict(zip(self.sets, values, strict=True)) for values in itertools.product(*self.sets.values())]

    def build_order(self, settings: Settings) -> build.Order:
        """The build of a point. Errors: RecipeError."""
        recipe = point_recipe(find_recipe(self.recipe), settings)
        running = (self.seed, self.steps, self.device, self.cache)
        return build.Order(recipe, self.variants, None, None, self.images, *running, self.progress)


@dataclass(frozen=True)
class Row:
    """A variant of a point: `stored` bytes in a bundle, `accuracy` as 1 - equal error rate over all pairs of the identities kept aside,
    `min_cosine` to torch and `milliseconds` of one face on one thread where LiteRT ran it, the gates that it `missed`; `worker`: the
    machine and process that made it."""

    settings: dict[str, str]
    variant: str
    stored: int
    accuracy: float
    min_cosine: float | None
    milliseconds: float | None
    missed: tuple[str, ...]
    worker: str


@dataclass(frozen=True)
class Swept:
    """All `rows` and, of points that could not be made, why (`failed`: the settings as text, the reason)."""

    rows: tuple[Row, ...]
    failed: dict[str, str]

    def front(self) -> list[bool]:
        """Whether each row is on the Pareto front: no other is both as small and as accurate, and better in one."""
        return [not any(_better(other, row) for other in self.rows) for row in self.rows]

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        rows = [{**asdict(row), "missed": list(row.missed), "on_front": on} for row, on in zip(self.rows, self.front(), strict=True)]
        return {"rows": rows, "failed": self.failed}


def _better(other: Row, row: Row) -> bool:
    as_good = other.stored <= row.stored and other.accuracy >= row.accuracy
    return as_good and (other.stored < row.stored or other.accuracy > row.accuracy)


def as_text(settings: Settings) -> str:
    """`width=0.5 clusters=16`."""
    return " ".join(f"{name}={value}" for name, value in settings.items())


def measure_point(order: SweepOrder, settings: Settings) -> list[Row]:
    """Makes and measures the variants of a point. Errors: ToolchainError."""
    batch = build.make_variants(order.build_order(settings))
    missed = variants.judge(batch.made, [item.variant.name for item in batch.made])
    aside = batch.workshop.context.aside
    if aside is None:
        raise DataError("no identity is one that is kept aside (one group in twelve): give faces of more people by --images")
    comparisons, data, rows = Comparisons.of(aside.identities), aside.fingerprint(), []
    for item in batch.made:
        embedder = Embedder(assemble.variant(item, {}), item.model.input, item.tflite)
        scores = comparisons.scores(of_embedder(embedder, aside, data, order.progress, batch.workshop.files))
        accuracy = 1 - protocols.equal_error_rate(scores, comparisons.same)
        ran = item.parity[0] if isinstance(item.parity[0], Parity) else None
        name = item.variant.name
        rows.append(
            Row(
                dict(settings),
                name,
                len(item.stored),
                accuracy,
                None if ran is None else ran.min_cosine,
                None if ran is None else ran.milliseconds,
                missed.get(name, ()),
                f"{socket.gethostname()}:{os.getpid()}",
            )
        )
    return rows


def sweep(order: SweepOrder) -> Swept:
    """Makes every point. Errors: RecipeError for names and values, before anything runs; DataError for the images; SetupError where Ray
    is not installed or its cluster cannot be reached. A point that fails is among `failed`."""
    builds = [order.build_order(settings) for settings in order.points()]
    faces = Faces.read(order.images, order.cache / "faces", order.progress).fingerprint()
    places = [order.cache / "sweeps" / f"{_key(item, faces)}.json" for item in builds]
    known = {number: path for number, path in enumerate(places) if path.exists()}
    if known:
        order.progress.say(f"{len(known)} of {len(builds)} points are kept from before")
    failed = {}
    if len(known) < len(builds):
        from toolchain.sweep_ray import run_points

        for number, rows in run_points(order, [number for number in range(len(builds)) if number not in known], _trainings(builds)):
            if isinstance(rows, str):
                failed[as_text(order.points()[number])] = rows
            else:
                files.write(places[number], json.dumps([asdict(row) for row in rows]))
    rows = [row for path in places if path.exists() for row in read_rows(path)]
    return Swept(tuple(rows), failed)


def read_rows(path: Path) -> list[Row]:
    """The rows that were kept of a point."""
    return [Row(**{**row, "missed": tuple(row["missed"])}) for row in json.loads(path.read_text())]


def _key(item: build.Order, faces: str) -> str:
    weights = None if item.recipe.weights is None else key_of(weights=item.recipe.weights.read_bytes().hex())
    chosen = [variant.name for variant in item.chosen]
    made_from = {"recipe": describe(item.recipe), "variants": chosen, "weights": weights, "faces": faces, "versions": conversion_versions()}
    return key_of(**made_from, steps=item.steps, seed=item.seed, version=toolchain.__version__)


def _trainings(builds: Sequence[build.Order]) -> list[int | None]:
    """Of each point the first one whose weights are trained alike, which trains them for all; None where nothing is trained."""
    first: dict[str, int] = {}
    found: list[int | None] = []
    for number, item in enumerate(builds):
        if item.recipe.weights is not None:
            found.append(None)
            continue
        trained = key_of(recipe=describe(replace(item.recipe, variants=(), name="", summary="", default_variant="")))
        found.append(first.setdefault(trained, number))
    return found
