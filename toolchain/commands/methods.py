"""`toolchain methods`: what the toolchain can do, and what its backbones cost."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from toolchain.commands.base import Result, add_cache, cache_of, comma_separated, progress_of, table
from toolchain.errors import RecipeError

SUMMARY = "List the backbones, losses, stages, encodings and variants; tell the costs of the backbones."
EXAMPLES = """  toolchain methods
  toolchain methods compress --json
  toolchain methods --costs
  toolchain methods --costs SqueezeNet,SEPNet --no-time"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("family", nargs="?", help="one family alone")
    costs = "weights, multiply-adds, bytes and time in TFLite of each backbone, or of these (each converted once, in seconds)"
    parser.add_argument("--costs", nargs="?", type=comma_separated, const=(), metavar="A,B", help=costs)
    parser.add_argument("--no-time", action="store_true", help="of --costs only what is counted, which converts nothing")
    add_cache(parser)


def run(options: Namespace) -> Result:
    """Every method, by family; or every backbone's costs."""
    if options.costs is not None:
        if options.family is not None:
            raise RecipeError(f"{options.family}: --costs is of backbones alone; leave the family out")
        return _costs(options)
    from toolchain.methods import FAMILIES
    from toolchain.methods import methods as all_methods

    if options.family is not None and options.family not in FAMILIES:
        raise RecipeError(f"{options.family}: no such family; expected one of {', '.join(FAMILIES)}")
    found = [item for item in all_methods() if options.family in (None, item.family)]
    rows = [(item.family, item.name, item.summary, ", ".join(item.settings)) for item in found]
    return Result([asdict(item) for item in found], (table(("family", "name", "what", "settings"), rows),))


def _costs(options: Namespace) -> Result:
    from toolchain.costs import backbones, count_backbone, measure
    from toolchain.stage import describe

    values, rows = [], []
    for settings in progress_of(options).track(backbones(options.costs), "costs"):
        counted = count_backbone(settings)
        measured = None if options.no_time else measure(settings, cache_of(options))
        facts = describe(settings)
        named = ", ".join(f"{name}={value}" for name, value in facts.items() if name != "type")
        values.append({"backbone": facts, **asdict(counted), "fp32_bytes": counted.fp32_bytes, **(asdict(measured) if measured else {})})
        counts = (f"{counted.weights:,}", f"{counted.parameters:,}", f"{counted.multiply_adds / 1e6:.1f}", f"{counted.fp32_bytes:,}")
        times = () if measured is None else (f"{measured.tflite_bytes:,}", str(measured.partitions), f"{measured.milliseconds:.2f}")
        rows.append((facts["type"], named, *counts, *times))
    columns = ("backbone", "settings", "weights", "parameters", "M multiply-adds", "fp32 bytes")
    return Result(values, (table(columns if options.no_time else (*columns, ".tflite bytes", "XNNPACK parts", "ms"), rows),))
