"""What a sweep makes: its points, and the rows of figures that each comes to."""

from __future__ import annotations

import itertools
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime_py.embedder import Embedder
from toolchain.bundling import assemble, build, variants
from toolchain.data import protocols
from toolchain.errors import DataError
from toolchain.evaluation.bootstrap import Comparisons
from toolchain.evaluation.evaluate import of_embedder
from toolchain.kept import cache_folder
from toolchain.parity.host import Parity
from toolchain.progress import Progress
from toolchain.recipes import find_recipe
from toolchain.sweep.settings import Settings, point_recipe


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


def read_rows(path: Path) -> list[Row]:
    """The rows that were kept of a point."""
    return [Row(**{**row, "missed": tuple(row["missed"])}) for row in json.loads(path.read_text())]
