"""What each command of the command line does, from its parsed options to a result that is printed.

What a command needs is imported when it runs: torch alone takes seconds, and `toolchain --help` needs none of it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.table import Table

from runtime_py.bundle import Bundle
from toolchain import files
from toolchain.errors import DataError, RecipeError
from toolchain.progress import Progress

if TYPE_CHECKING:
    from toolchain.build import Order
    from toolchain.evaluate import Evaluation

BUNDLE_SUFFIX = ".pface"


@dataclass(frozen=True)
class Result:
    """`values` is what --json prints, `shown` what is printed otherwise."""

    values: Any
    shown: tuple[RenderableType, ...]

    def describe(self) -> Any:
        """As JSON values."""
        return self.values

    def text(self) -> str:
        """As text: as wide as the terminal, or as it needs to be where there is none."""
        out = io.StringIO()
        console = Console(file=out, width=None if sys.stdout.isatty() else 200, highlight=False, force_terminal=sys.stdout.isatty())
        for item in self.shown:
            console.print(item, markup=False)
        return out.getvalue().rstrip()


def build(options: Namespace) -> Result:
    """A bundle, and its report beside it."""
    from toolchain.build import build as build_bundle
    from toolchain.report.build_report import table
    from toolchain.targets import TARGETS

    order = _order(options)
    out = options.out or Path(f"{order.name}-{options.target}{BUNDLE_SUFFIX}")
    if out.suffix != BUNDLE_SUFFIX:
        raise RecipeError(f"{out}: expected a name that ends in {BUNDLE_SUFFIX} for the bundle")
    report = build_bundle(order, TARGETS[options.target], out, options.accuracies)
    left_out = [f"left out: {name}: {why}" for name, why in report.left_out.items()]
    written = f"{out} ({report.size:,} bytes, sha256 {report.sha256}); report in {out.with_suffix('.report')}"
    return Result(report.describe(), (table(report), *left_out, written))


def train(options: Namespace) -> Result:
    """Weights as safetensors. Of several processes (`torchrun`) only the first writes."""
    from toolchain.build import train as train_model
    from toolchain.load import save_model

    model = train_model(_order(options))
    values = {"weights": str(options.out), "model": model.fingerprint()}
    if int(os.environ.get("RANK", "0")) == 0:
        save_model(options.out, model)
    return Result(values, (f"{options.out}",))


def evaluate(options: Namespace) -> Result:
    """Accuracy of weights, or of each variant of a bundle."""
    from toolchain import accuracies
    from toolchain.data.faces import Faces
    from toolchain.evaluate import evaluate as measure
    from toolchain.evaluate import of_bundle, of_weights

    bundle = Bundle.open(options.what) if options.what.suffix == BUNDLE_SUFFIX else None
    if bundle is None and (options.record is not None or options.variant != "all"):
        raise RecipeError(f"{options.what}: --record and --variant are for bundles ({BUNDLE_SUFFIX})")
    if bundle is not None and options.input is not None:
        raise RecipeError(f"{options.what}: a bundle states its own input; leave out --input")
    faces = Faces.read(options.images, _cache(options) / "faces", _progress(options))
    if bundle is None:
        embedded = of_weights(options.what, options.input, faces)
    else:
        embedded = of_bundle(bundle, options.variant, faces, _progress(options))
    found = {name: measure(rows, faces, options.pairs) for name, rows in embedded}
    if bundle is not None and options.record is not None:
        accuracies.record(options.record, {bundle.variant(name).sha256: item.record() for name, item in found.items()})
    return Result({name: item.describe() for name, item in found.items()}, (_accuracy_table(found),))


def convert(options: Namespace) -> Result:
    """Plain .tflite files in a folder."""
    written = dict(_tflites(options))
    values = {}
    for name, tflite in written.items():
        path = options.out / f"{name}.tflite"
        files.write(path, tflite)
        values[name] = {"file": str(path), "bytes": len(tflite), "sha256": hashlib.sha256(tflite).hexdigest()}
    rows = [(name, str(item["file"]), f"{item['bytes']:,}", str(item["sha256"])) for name, item in values.items()]
    return Result(values, (_table(("variant", "file", "bytes", "sha256"), rows),))


def _tflites(options: Namespace) -> Iterable[tuple[str, bytes]]:
    """(name, .tflite) of the chosen variants of a bundle or a recipe."""
    if not options.recipe.endswith(BUNDLE_SUFFIX):
        from toolchain.build import make_variants

        return [(item.variant.name, item.tflite) for item in make_variants(_order(options)).made]
    if options.weights is not None or options.images:
        raise RecipeError(f"{options.recipe}: the variants of a bundle are finished; leave out --weights and --images")
    bundle = Bundle.open(options.recipe)
    return [(name, bundle.model(name)) for name in options.variants or bundle.variants]


def parity(options: Namespace) -> Result:
    """Agreement with torch, judged by each variant's gate."""
    from toolchain.build import make_variants
    from toolchain.variants import figures, judge

    batch = make_variants(_order(options))
    judge(batch.made)
    values = [{"variant": item.variant.name, **figures(result)} for item in batch.made for result in item.parity]
    rows = [(item["variant"], item["runtime"], *_shown(item)) for item in values]
    left_out = [f"left out: {name}: {why}" for name, why in batch.left_out.items()]
    columns = ("variant", "runtime", "max abs", "min cosine", "p1 cosine", "ms")
    return Result({"parity": values, "left_out": batch.left_out}, (_table(columns, rows), *left_out))


def _shown(figures: dict[str, Any]) -> tuple[str, ...]:
    if "reason" in figures:
        return f"not run: {figures['reason']}", "", "", ""
    forms = {"max_abs": ".2g", "min_cosine": ".6f", "p1_cosine": ".6f", "ms": ".2f"}
    return tuple(f"{figures[name]:{form}}" for name, form in forms.items())


def align(options: Namespace) -> Result:
    """Aligned faces in a folder, and a list of the photographs that gave none."""
    from toolchain.align import Aligner, align_photographs

    aligner = Aligner.packaged() if options.bundle is None else Aligner.of_bundle(options.bundle)
    done = align_photographs(options.photos, options.out, aligner, _progress(options))
    rows = [(item.photograph, item.code, item.reason) for item in done.left_out]
    counts = f"{done.folder}: {done.written} faces written, {done.kept} kept from before, {len(rows)} notes"
    return Result(done.describe(), (counts, *([_table(("photograph", "code", "reason"), rows)] if rows else [])))


def inspect(options: Namespace) -> Result:
    """The manifest of a bundle that was checked whole."""
    bundle = Bundle.open(options.bundle)
    manifest = bundle.manifest
    rows = []
    for item in manifest.variants:
        bundle.model(item.name)  # rebuilds a packed one, and checks what comes out
        accuracy = "; ".join(f"{100 * row.value:.2f} % {row.protocol}" for row in item.accuracy) or "not measured"
        rows.append((item.name, f"{item.bytes.raw:,}", f"{item.bytes.gzip:,}", f"{item.bytes.stored:,}", accuracy))
    taken = manifest.preprocessing.input
    facts = (
        f"{options.bundle}: {manifest.name} for {manifest.target.name}, schema {manifest.schema}, every hash checked",
        f"sha256 {bundle.sha256}",
        f"input: {taken.height} x {taken.width} {taken.color}, pixel * {taken.scale:g} + {taken.offset:g}",
        f"embedding: {manifest.embedding.size} numbers, {manifest.embedding.metric}",
        f"default variant: {manifest.default_variant}; detector: {manifest.detector.name if manifest.detector else 'none'}",
    )
    licences = [f"licence of {item.covers}: {item.spdx}. {item.terms}" for item in manifest.licences]
    values = {"sha256": bundle.sha256, "manifest": json.loads(bundle.manifest_text())}
    return Result(values, (*facts, _table(("variant", "bytes raw", "gzip", "stored", "accuracy"), rows), *licences))


def methods(options: Namespace) -> Result:
    """Every method, by family."""
    from toolchain.methods import FAMILIES
    from toolchain.methods import methods as all_methods

    if options.family is not None and options.family not in FAMILIES:
        raise RecipeError(f"{options.family}: no such family; expected one of {', '.join(FAMILIES)}")
    found = [item for item in all_methods() if options.family in (None, item.family)]
    rows = [(item.family, item.name, item.summary, ", ".join(item.settings)) for item in found]
    return Result([asdict(item) for item in found], (_table(("family", "name", "what", "settings"), rows),))


def _order(options: Namespace) -> Order:
    from toolchain.build import Order
    from toolchain.recipes import find_recipe

    return Order(
        find_recipe(options.recipe),
        getattr(options, "variants", None),
        getattr(options, "weights", None),
        getattr(options, "input", None),
        tuple(options.images),
        options.seed,
        options.steps,
        options.device,
        _cache(options),
        _progress(options),
    )


def _cache(options: Namespace) -> Path:
    from toolchain.kept import cache_folder

    folder: Path = options.cache or cache_folder()
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: expected a folder for results (--cache), got a file")
    return folder


def _progress(options: Namespace) -> Progress:
    return Progress(options.quiet)


def _accuracy_table(found: dict[str, Evaluation]) -> Table:
    rows = []
    for name, item in found.items():
        for row in item.record():
            spread = "" if row.std is None else f" ± {100 * row.std:.2f}"
            rows.append((name, row.protocol, f"{100 * row.value:.2f}{spread}"))
    return _table(("variant", "protocol", "%"), rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
