"""`toolchain bench`: how fast a bundle's variants are on this machine."""

from __future__ import annotations

import hashlib
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from runtime_py.bundle import Bundle
from toolchain.commands.base import Result, add_input, comma_separated, positive, progress_of, table, threads
from toolchain.errors import RecipeError

if TYPE_CHECKING:
    from toolchain.bench.bench import Bench, Row
    from toolchain.bench.timing import Spread
    from toolchain.model import Model

SUMMARY = "Time a bundle's variants side by side, and beside other runtimes."
EXAMPLES = """  toolchain bench face.pface
  toolchain bench face.pface --variants fp32,int8 --threads 2 --rounds 100
  toolchain bench face.pface --against onnxruntime,openvino --weights net.onnx --input rgb,0..255"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--variants", type=comma_separated, metavar="A,B", help="only these, and fp32, which ratios are to (default: all)")
    parser.add_argument(
        "--against",
        type=comma_separated,
        default=(),
        metavar="A,B",
        help="other runtimes: onnxruntime; openvino, ncnn with pocketface[bench]",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="the model that these run, ONNX or safetensors (default: what the bundle was made from)",
    )
    add_input(parser)
    parser.add_argument("--threads", type=threads, default=1, metavar="N", help="of each runtime, held to as many processors (default: 1)")
    parser.add_argument("--rounds", type=positive, default=30, metavar="N", help="turns of ten inferences that each has (default: 30)")


def run(options: Namespace) -> Result:
    """Latencies as ratios to fp32, what ran where, load times and memory."""
    from toolchain.bench.bench import bench

    if options.weights is not None and not options.against:
        raise RecipeError("--weights is what other runtimes run; name them by --against")
    bundle = Bundle.open(options.bundle)
    model = _model(options, bundle) if options.against else None
    names = options.variants or bundle.variants
    found = bench(bundle, names, options.against, model, options.threads, options.rounds, progress_of(options))
    columns = (
        "variant or runtime",
        "ratio",
        "half of the rounds",
        "ms",
        "cosine",
        "load ms",
        "resident bytes",
        "runtime",
        "accelerated by",
    )
    held = "not held to processors" if found.processors is None else f"held to {found.processors} of {found.machine['cores']} processors"
    facts = (
        f"{found.rounds} rounds in turns, {found.threads} thread(s), {held}; {found.machine['processor']}",
        f"ratio: time over {found.reference}'s of the same round",
        "load: from stored bytes to a .tflite in memory, rebuilt and checked where it is packed",
    )
    warnings = [f"warning: {line}" for line in found.warnings()]
    return Result(found.describe(), (table(columns, [_shown(row, found) for row in found.rows]), *facts, *warnings))


def _model(options: Namespace, bundle: Bundle) -> Model:
    """The comparison model. Error: RecipeError where none was given and the bundle was not made from weights of the package."""
    from toolchain.load import load_model
    from toolchain.recipes.default import RECIPE

    if options.weights is not None:
        return load_model(options.weights, options.input)
    packaged = RECIPE.weights
    assert packaged is not None  # the default recipe names its weights
    if hashlib.sha256(packaged.read_bytes()).hexdigest() != bundle.manifest.recipe.weights_sha256:
        raise RecipeError(f"--against: give --weights, the model for other runtimes: {options.bundle} was made from weights of your own")
    return load_model(packaged, options.input)


def _shown(row: Row, found: Bench) -> tuple[str, ...]:
    def spread(value: Spread) -> str:
        return f"{value.low:.2f} to {value.high:.2f}"

    return (
        row.name,
        f"{row.ratio.median:.2f}",
        "" if row.name == found.reference else spread(row.ratio),
        f"{row.milliseconds.median:.2f}",
        f"{row.cosine:.4f}",
        "" if row.load is None else f"{row.load.median:.1f}",
        "" if row.resident is None else f"{row.resident:,}",
        row.runtime,
        row.delegated,
    )
