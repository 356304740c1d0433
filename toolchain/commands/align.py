"""`toolchain align`: photographs to aligned faces."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from toolchain.commands.base import Result, progress_of, table

SUMMARY = "Turn photographs into aligned face images to train or evaluate on."
EXAMPLES = """  toolchain align photos/ --out faces/
  toolchain align holiday.jpg family/ --out faces/ --bundle face.pface"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTOS", help="images, folders or tars")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--bundle", type=Path, help="take the detector and the template of this bundle")


def run(options: Namespace) -> Result:
    """Aligned faces in a folder, and a list of the photographs that gave none."""
    from toolchain.data.align import Aligner, align_photographs

    aligner = Aligner.packaged() if options.bundle is None else Aligner.of_bundle(options.bundle)
    done = align_photographs(options.photos, options.out, aligner, progress_of(options))
    rows = [(item.photograph, item.code, item.reason) for item in done.left_out]
    counts = f"{done.folder}: {done.written} faces written, {done.kept} kept from before, {len(rows)} notes"
    return Result(done.describe(), (counts, *([table(("photograph", "code", "reason"), rows)] if rows else [])))
