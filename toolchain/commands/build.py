"""`toolchain build`: a bundle from a recipe or from weights of one's own."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

from toolchain import files
from toolchain.commands.base import BUNDLE_SUFFIX, Result, add_recipe, add_running, comma_separated, order_of
from toolchain.errors import RecipeError
from toolchain.targets import TARGETS

SUMMARY = "Build a bundle from a recipe or from weights of your own."
EXAMPLES = """  toolchain build --target android-arm64
  toolchain build --target android-arm64 --variants fp32,int8 --out face.pface
  toolchain build --target android-arm64 --weights net.onnx --input rgb,0..255 --images faces.tar other-faces/
  toolchain build my_recipe.py --target linux-arm64 --allow binary"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--target", required=True, choices=sorted(TARGETS), help="where the bundle is to run")
    parser.add_argument("--out", type=Path, help="the bundle to write (default: NAME-TARGET.pface)")
    parser.add_argument("--accuracies", type=Path, metavar="FILE", help="figures from `toolchain evaluate --record`, to state in it")
    parser.add_argument(
        "--allow",
        type=comma_separated,
        action="extend",
        default=[],
        metavar="A,B",
        help="variants that stay in where they miss a gate, their misses in the bundle and the report; may be given again",
    )
    parser.add_argument("--arm64", action="store_true", help="measure parity on arm64 anew, in minutes (see setup-arm64)")
    add_recipe(parser)
    add_running(parser)


def run(options: Namespace) -> Result:
    """A bundle, and its report beside it."""
    from toolchain.bundling.build import build as build_bundle
    from toolchain.report.console import table as variants_table

    order = replace(order_of(options), allow=tuple(options.allow))
    out = options.out or Path(f"{order.name}-{options.target}{BUNDLE_SUFFIX}")
    if out.suffix != BUNDLE_SUFFIX:
        raise RecipeError(f"{out}: expected a name that ends in {BUNDLE_SUFFIX} for the bundle")
    files.try_place(out)
    report = build_bundle(order, TARGETS[options.target], out, options.accuracies, options.arm64)
    left_out = [f"left out: {name}: {why}" for name, why in report.left_out.items()]
    missed = [f"missed gate, allowed: {item.name} {why}" for item in report.variants for why in item.missed_gates]
    written = f"{out} ({report.size:,} bytes, sha256 {report.sha256}); report in {out.with_suffix('.report')}"
    return Result(report.describe(), (variants_table(report), *left_out, *missed, *report.not_run, written))
