"""`toolchain report`: what is known of a bundle, as a page to read."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runtime_py.bundle import Bundle
from toolchain.commands.base import IMAGES, Result, add_cache, cache_of, progress_of
from toolchain.commands.sensitivity import add_sensitivity, measured
from toolchain.errors import RecipeError

if TYPE_CHECKING:
    from toolchain.report.report import Report

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
    parser.add_argument("--sensitivity", action="store_true", help="measure what each layer suffers, as `toolchain sensitivity` does")
    add_sensitivity(parser)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="the folder to write (default: BUNDLE's name with .report)")
    add_cache(parser)


def run(options: Namespace) -> Result:
    """The report's files in a folder. What its build recorded, and what an earlier report measured, is taken up."""
    from toolchain.data.faces import Faces
    from toolchain.kept import KeptBytes
    from toolchain.report import curves, page

    if (not options.images or options.sensitivity) and (options.pairs is not None or options.show_faces):
        raise RecipeError("--pairs and --show-faces are about curves of face images; give --images, and --sensitivity in a run of its own")
    bundle = Bundle.open(options.bundle)
    report = _known(options, bundle)
    pictures = {}
    if options.sensitivity:
        report = replace(report, sensitivity=measured(options, str(options.bundle)))
    elif options.images:
        faces = Faces.read(options.images, cache_of(options) / "faces", progress_of(options))
        found = curves.measure(bundle, faces, options.pairs, progress_of(options), KeptBytes(cache_of(options) / "bytes"))
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
    from toolchain.machine import installed_versions, machine
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
