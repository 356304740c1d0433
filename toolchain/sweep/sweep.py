"""The whole sweep: points that are kept from before, the others on Ray, and which rows are on the Pareto front."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import toolchain
from toolchain import files
from toolchain.bundling import build
from toolchain.data.faces import Faces
from toolchain.kept import key_of
from toolchain.machine import conversion_versions
from toolchain.stage import describe
from toolchain.sweep.on_ray import run_points
from toolchain.sweep.points import Row, SweepOrder, read_rows
from toolchain.sweep.settings import as_text


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


def sweep(order: SweepOrder) -> Swept:
    """Makes every point. Errors: RecipeError for names and values, before anything runs; DataError for the images, and for a teacher that
    is missing; SetupError where Ray is not installed or its cluster cannot be reached. A point that fails is among `failed`."""
    builds = [order.build_order(settings) for settings in order.points()]
    faces = Faces.read(order.images, order.cache / "faces", order.progress).fingerprint()
    places = [order.cache / "sweeps" / f"{point_key(item, faces)}.json" for item in builds]
    known = {number: path for number, path in enumerate(places) if path.exists()}
    if known:
        order.progress.say(f"{len(known)} of {len(builds)} points are kept from before")
    failed = {}
    if len(known) < len(builds):
        for number, rows in run_points(order, [number for number in range(len(builds)) if number not in known], _trainings(builds)):
            if isinstance(rows, str):
                failed[as_text(order.points()[number])] = rows
            else:
                files.write(places[number], json.dumps([asdict(row) for row in rows]))
    rows = [row for path in places if path.exists() for row in read_rows(path)]
    return Swept(tuple(rows), failed)


def point_key(item: build.Order, faces: str) -> str:
    """What the figures of a point are kept under; `faces`: the images' fingerprint."""
    weights = None if item.recipe.weights is None else key_of(weights=item.recipe.weights.read_bytes().hex())
    chosen = [variant.name for variant in item.chosen]
    # Where weights come with the recipe, what its training would read does not count, and need not be there.
    stages = [*(item.recipe.train if weights is None else ()), *(stage for variant in item.chosen for stage in variant.stages)]
    read = [sha256 for stage in stages for sha256 in stage.reads()]
    made_from = {"recipe": describe(item.recipe), "variants": chosen, "weights": weights, "faces": faces, "versions": conversion_versions()}
    return key_of(**made_from, steps=item.steps, seed=item.seed, version=toolchain.__version__, **({"reads": read} if read else {}))


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
