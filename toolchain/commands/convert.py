"""`toolchain convert`: plain .tflite files."""

from __future__ import annotations

import hashlib
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from runtime_py.bundle import Bundle
from toolchain import files
from toolchain.commands.base import BUNDLE_SUFFIX, Result, add_recipe, add_running, order_of, table
from toolchain.errors import RecipeError

SUMMARY = "Write plain .tflite files: of a bundle's variants (packed ones are rebuilt), or of a recipe's."
EXAMPLES = """  toolchain convert face.pface --out tflite/
  toolchain convert face.pface --variants clustered --out tflite/
  toolchain convert --weights net.onnx --input rgb,0..255 --variants fp32,int8-dynamic --out tflite/"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    add_recipe(parser, bundle=True)
    add_running(parser)


def run(options: Namespace) -> Result:
    """Plain .tflite files in a folder."""
    files.try_place(options.out / "variant.tflite")
    written = dict(_tflites(options))
    values = {}
    for name, tflite in written.items():
        path = options.out / f"{name}.tflite"
        files.write(path, tflite)
        values[name] = {"file": str(path), "bytes": len(tflite), "sha256": hashlib.sha256(tflite).hexdigest()}
    rows = [(name, str(item["file"]), f"{item['bytes']:,}", str(item["sha256"])) for name, item in values.items()]
    return Result(values, (table(("variant", "file", "bytes", "sha256"), rows),))


def _tflites(options: Namespace) -> Iterable[tuple[str, bytes]]:
    """(name, .tflite) of the chosen variants of a bundle or a recipe."""
    if not options.recipe.endswith(BUNDLE_SUFFIX):
        from toolchain.bundling.build import make_variants

        return [(item.variant.name, item.tflite) for item in make_variants(order_of(options)).made]
    if options.weights is not None or options.input is not None or options.images or options.steps is not None:
        raise RecipeError(f"{options.recipe}: the variants of a bundle are finished; leave out --weights, --input, --images and --steps")
    bundle = Bundle.open(options.recipe)
    return [(name, bundle.model(name)) for name in options.variants or bundle.variants]
