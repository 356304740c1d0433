"""`toolchain evaluate`: accuracy in face terms."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from runtime_py.bundle import Bundle
from toolchain.commands.base import BUNDLE_SUFFIX, IMAGES, Result, add_cache, add_input, cache_of, progress_of, table
from toolchain.errors import RecipeError

if TYPE_CHECKING:
    from toolchain.evaluate import Evaluation

SUMMARY = "Measure accuracy: a pairs file by folds, or labelled folders."
EXAMPLES = """  toolchain evaluate face.pface --images lfw.tar --pairs pairs.txt
  toolchain evaluate face.pface --images my-people/ --variant int8 --json
  toolchain evaluate net.onnx --input rgb,0..255 --images lfw.tar --pairs pairs.txt"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", type=Path, metavar="BUNDLE|WEIGHTS", help="a .pface bundle, or safetensors or ONNX weights")
    parser.add_argument("--images", nargs="+", type=Path, required=True, metavar="PATH", help=IMAGES)
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="pairs in LFW's form (without: all pairs of the labelled images)")
    parser.add_argument("--variant", default="all", help="of a bundle: one variant's name (default: all)")
    parser.add_argument("--record", type=Path, metavar="FILE", help="of a bundle: add the figures to this file, for build --accuracies")
    add_input(parser)
    add_cache(parser)


def run(options: Namespace) -> Result:
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
    faces = Faces.read(options.images, cache_of(options) / "faces", progress_of(options))
    if bundle is None:
        embedded = of_weights(options.what, options.input, faces)
    else:
        embedded = of_bundle(bundle, options.variant, faces, progress_of(options))
    found = {name: measure(rows, faces, options.pairs) for name, rows in embedded}
    if bundle is not None and options.record is not None:
        accuracies.record(options.record, {bundle.variant(name).sha256: item.record() for name, item in found.items()})
    return Result({name: item.describe() for name, item in found.items()}, (_accuracies(found),))


def _accuracies(found: dict[str, Evaluation]) -> Table:
    rows = []
    for name, item in found.items():
        for row in item.record():
            spread = "" if row.std is None else f" ± {100 * row.std:.2f}"
            rows.append((name, row.protocol, f"{100 * row.value:.2f}{spread}"))
    return table(("variant", "protocol", "%"), rows)
