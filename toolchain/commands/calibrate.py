"""`toolchain calibrate`: match thresholds on faces of one's own."""

from __future__ import annotations

import dataclasses
from argparse import ArgumentParser, Namespace
from pathlib import Path

from runtime_py.bundle import Bundle
from toolchain.commands.base import BUNDLE_SUFFIX, IMAGES, Result, add_cache, cache_of, progress_of
from toolchain.commands.evaluate import thresholds_table
from toolchain.errors import RecipeError

SUMMARY = "Calibrate the match thresholds of a bundle on your own faces, and write it as a new bundle."
EXAMPLES = """  toolchain calibrate face.pface --faces my-people/
  toolchain calibrate face.pface --faces my-people/ more-people.tar --out face-for-my-people.pface"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a .pface bundle; it stays as it is")
    parser.add_argument(
        "--faces", nargs="+", type=Path, required=True, metavar="PATH", help=f"{IMAGES}, of people that it was not trained on"
    )
    parser.add_argument("--out", type=Path, metavar="NEW.pface", help="the bundle to write (default: NAME-calibrated.pface beside it)")
    add_cache(parser)


def run(options: Namespace) -> Result:
    """A new bundle with thresholds from these faces."""
    from toolchain.bundling.recalibrate import recalibrate
    from toolchain.data.faces import Faces
    from toolchain.kept import KeptBytes

    bundle = Bundle.open(options.bundle)
    out = options.out or options.bundle.with_name(f"{options.bundle.stem}-calibrated{BUNDLE_SUFFIX}")
    if out.suffix != BUNDLE_SUFFIX:
        raise RecipeError(f"{out}: expected a name that ends in {BUNDLE_SUFFIX} for the bundle")
    faces = Faces.read(options.faces, cache_of(options) / "faces", progress_of(options))
    found = recalibrate(bundle, faces, out, progress_of(options), KeptBytes(cache_of(options) / "bytes"))
    sections = {
        name: {
            "thresholds": [dataclasses.asdict(row) for row in item.thresholds],
            "thresholds_left_out": [dataclasses.asdict(row) for row in item.thresholds_left_out],
        }
        for name, item in found.items()
    }
    written = Bundle.open(out)
    values = {"bundle": str(out), "sha256": written.sha256, "variants": sections}
    return Result(values, (thresholds_table(found), f"{out} (sha256 {written.sha256})"))
