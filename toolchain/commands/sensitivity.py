"""`toolchain sensitivity`: which layers suffer most from being stored in fewer bits."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table

from toolchain import files
from toolchain.commands.base import (
    BUNDLE_SUFFIX,
    IMAGES,
    Result,
    add_cache,
    add_input,
    cache_of,
    comma_separated,
    failure_of,
    positive,
    progress_of,
    table,
)
from toolchain.errors import RecipeError
from toolchain.sensitivity import KNOWN_FORMS

if TYPE_CHECKING:
    from toolchain.sensitivity.sensitivity import FormDamage, Sensitivity

SUMMARY = "Rank the layers of a model by what each form of their weights, one layer at a time, does to the embeddings."
EXAMPLES = """  toolchain sensitivity default
  toolchain sensitivity face.pface --forms 8-bit,4-bit,palette-8
  toolchain sensitivity face.pface --forms int8 --images faces.tar
  toolchain sensitivity net.onnx --input rgb,0..255 --images faces.tar --plot layers.svg"""
FORMS = ("8-bit", "6-bit", "palette-16", "binary")
SHOWN = 20


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "what", metavar="BUNDLE|WEIGHTS|RECIPE", help="a .pface bundle, safetensors or ONNX weights, or a recipe with weights"
    )
    add_sensitivity(parser)
    parser.add_argument(
        "--images", nargs="+", type=Path, default=[], metavar="PATH", help=f"{IMAGES}, of which those kept aside (default: drawn faces)"
    )
    parser.add_argument("--plot", type=Path, metavar="SVG", help="draw the worst layers into this file")
    add_cache(parser)


def add_sensitivity(parser: ArgumentParser) -> None:
    """What `toolchain report` takes for it too."""
    forms = f"{KNOWN_FORMS}; int8: with activations, in minutes (default: {','.join(FORMS)})"
    parser.add_argument("--forms", type=comma_separated, default=FORMS, metavar="A,B", help=f"forms of a layer: {forms}")
    parser.add_argument("--faces", type=positive, default=256, metavar="N", help="how many faces to measure on (default: 256)")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="of a bundle or a recipe: weights of your own that it was built from")
    add_input(parser)


def run(options: Namespace) -> Result:
    """A table of layers a form, the worst first."""
    found = measured(options, options.what)
    shown: list[RenderableType] = [_heading(found), *(_table(item, found.tar) for item in found.forms)]
    failure = None
    if options.plot is not None:
        from toolchain.report.plots import sensitivity, standing_alone

        failure = failure_of(lambda: files.write(options.plot, standing_alone(sensitivity(found))))
        shown += [] if failure else [f"{options.plot}: the layers that suffer most"]
    return Result(values_of(found), tuple(shown), failure)


def measured(options: Namespace, what: str) -> Sensitivity:
    """The sensitivity of a bundle's, a recipe's or a file's weights, by the options of `add_sensitivity`."""
    from toolchain.sensitivity.measure import measure_sensitivity

    recipe, weights = source(what, options.weights)
    return measure_sensitivity(
        recipe, weights, options.input, tuple(options.forms), tuple(options.images), options.faces, cache_of(options), progress_of(options)
    )


def source(what: str, weights: Path | None) -> tuple[str, Path | None]:
    """(recipe's name, weights of one's own or None) that BUNDLE|WEIGHTS|RECIPE names. Error: RecipeError where a bundle's weights are
    not at hand, or two files of weights are given."""
    import hashlib

    from runtime_py.bundle import Bundle
    from toolchain.recipes import find_recipe, recipe_names

    if Path(what).suffix in (".onnx", ".safetensors"):
        if weights is not None:
            raise RecipeError(f"{what}: expected one file of weights, got {weights} too; leave out --weights")
        return "own", Path(what)
    if Path(what).suffix != BUNDLE_SUFFIX:
        return what, weights
    made = Bundle.open(what).manifest.recipe
    recipe = made.name if made.name in recipe_names() else "own"
    path = weights or find_recipe(recipe).weights
    if path is None or not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != made.weights_sha256:
        raise RecipeError(f"{what}: expected the weights that it was made from (sha256 {made.weights_sha256[:12]}); give them by --weights")
    return recipe, weights


def values_of(found: Sensitivity) -> dict[str, object]:
    """As JSON values."""
    import dataclasses

    return dataclasses.asdict(found)


def _heading(found: Sensitivity) -> str:
    from toolchain.sensitivity.sensitivity import FAR

    if found.drawn:
        return f"{found.faces} drawn faces: cosine alone; give --images with labelled faces for TAR at FAR too"
    if found.tar is None:
        return f"{found.faces} faces, too few of one person or of different people for TAR at FAR {FAR:g}: cosine alone; give more --faces"
    return f"{found.faces} faces; unchanged, TAR at FAR {FAR:g} is {100 * found.tar:.1f} %"


def _table(found: FormDamage, tar: float | None) -> Table:
    rows: list[Sequence[str]] = []
    for item in found.layers[:SHOWN]:
        lost = () if item.tar is None or tar is None else (f"{100 * (item.tar - tar):+.1f}",)
        rows.append((item.layer, f"{item.weights:,}", f"{item.error:.2g}", *lost))
    more = len(found.layers) - SHOWN
    title = found.form if more <= 0 else f"{found.form} ({more} more layers: --json)"
    return table((title, "weights", "1 - mean cosine", *(() if tar is None else ("TAR, points",))), rows)
