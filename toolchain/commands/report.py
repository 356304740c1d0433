"""`toolchain report`: what is known of a bundle, as a page to read."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runtime_py.bundle import Bundle
from toolchain.commands.base import IMAGES, Result, add_cache, add_input, cache_of, progress_of
from toolchain.errors import RecipeError

if TYPE_CHECKING:
    from toolchain.report.report import Report, Sensitivity

SUMMARY = "Write a bundle's report: a page with plots, every figure as JSON, and a model card."
EXAMPLES = """  toolchain report face.pface
  toolchain report face.pface --images lfw.tar --pairs pairs.txt
  toolchain report face.pface --images my-people/ --show-faces --out for-me/
  toolchain report face.pface --sensitivity --images faces.tar"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--images", nargs="+", type=Path, default=[], metavar="PATH", help=f"to draw curves from: {IMAGES}")
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="pairs in LFW's form (without: all pairs of the labelled images)")
    parser.add_argument("--show-faces", action="store_true", help="put the images whose embedding changed most into the page")
    parser.add_argument(
        "--sensitivity", action="store_true", help="measure what each layer costs int8, on images kept aside; takes minutes"
    )
    parser.add_argument("--recipe", metavar="RECIPE", help="for --sensitivity: what the bundle was built from (default: its recipe's name)")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="for --sensitivity: weights of your own that it was built from")
    add_input(parser)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="the folder to write (default: BUNDLE's name with .report)")
    add_cache(parser)


def run(options: Namespace) -> Result:
    """The report's files in a folder. What its build recorded, and what an earlier report measured, is taken up."""
    from toolchain.data.faces import Faces
    from toolchain.report import curves, page

    if (not options.images or options.sensitivity) and (options.pairs is not None or options.show_faces):
        raise RecipeError("--pairs and --show-faces are about curves of face images; give --images, and --sensitivity in a run of its own")
    bundle = Bundle.open(options.bundle)
    report = _known(options, bundle)
    pictures = {}
    if options.sensitivity:
        report = replace(report, sensitivity=_sensitivity(options, bundle))
    elif options.images:
        faces = Faces.read(options.images, cache_of(options) / "faces", progress_of(options))
        found = curves.measure(bundle, faces, options.pairs, progress_of(options))
        report = replace(report, curves=found)
        worst = {row.face for item in found.variants for row in item.worst} if options.show_faces else set()
        pictures = {name: faces.images[row] for row, name in enumerate(faces.names) if name in worst}
    card = bytes(bundle.blob("model-card.md")) if any(file.role == "model-card" for file in bundle.manifest.files) else None
    folder = options.out or options.bundle.with_suffix(".report")
    page.write_report(folder, report, card, pictures)
    return Result(report.describe(), (f"{folder / 'report.html'}; report.json and model-card.md beside it",))


def _known(options: Namespace, bundle: Bundle) -> Report:
    """What was recorded beside the bundle, or what it says of itself, with the memory of each variant."""
    from toolchain.bench.resident import kept_resident_bytes
    from toolchain.kept import KeptBytes
    from toolchain.report.machine import installed_versions, machine
    from toolchain.report.report import of_bundle, recorded

    found = recorded(options.bundle.with_suffix(".report"), bundle.sha256)
    if found is not None:
        return found
    report = of_bundle(bundle, machine(), installed_versions())
    results = KeptBytes(cache_of(options) / "bytes")
    return replace(
        report,
        variants=tuple(replace(item, resident=kept_resident_bytes(bundle, item.name, results)) for item in report.variants),
    )


def _sensitivity(options: Namespace, bundle: Bundle) -> Sensitivity:
    """What each layer costs the bundle's int8 variant. Error: RecipeError where it cannot be made again from what was given."""
    from toolchain.build import Order, make_variants
    from toolchain.convert.int8 import Int8
    from toolchain.parity.sensitivity import sensitivity
    from toolchain.recipes import find_recipe
    from toolchain.report.report import Sensitivity

    recipe = find_recipe(options.recipe or bundle.manifest.recipe.name)
    order = Order(
        recipe, (Int8.name,), options.weights, options.input, tuple(options.images), cache=cache_of(options), progress=progress_of(options)
    )
    batch = make_variants(order)
    made = batch.made[0]
    if not isinstance(made.variant, Int8) or made.sha256 != bundle.variant(Int8.name).sha256:
        raise RecipeError(
            f"{options.bundle}: expected to make its int8 variant again (sha256 {bundle.variant(Int8.name).sha256[:12]}), got "
            f"{made.sha256[:12]}; give the --recipe, --weights and --images that it was built with"
        )
    return Sensitivity(Int8.name, len(batch.parity_faces), sensitivity(made.model, made.variant, batch.workshop))
