"""`toolchain sweep`: variants of a recipe, made and measured in parallel."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from pathlib import Path

from toolchain.commands.base import (
    IMAGES,
    Result,
    add_running,
    cache_of,
    comma_separated,
    positive,
    progress_of,
    table,
)
from toolchain.errors import DataError, RecipeError

SUMMARY = "Make and measure variants of a recipe on Ray: a table, JSON, and accuracy against size; goes on where it stopped."
EXAMPLES = """  toolchain sweep mobilefacenet --set width=0.25,0.5 --images faces.tar --variants fp32,int8
  toolchain sweep my_recipe.py --set width=0.25,0.5 --set clustered.Palettize.clusters=16,32,64 --images faces.tar --jobs 4
  toolchain sweep my_recipe.py --set clusters=16,32 --images /shared/faces.tar --cache /shared/cache --address head:6379"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="a recipe's name or Python file")
    parser.add_argument(
        "--set",
        dest="sets",
        type=_set,
        action="append",
        required=True,
        metavar="FIELD=A,B",
        help="values of a field of the recipe's backbone, stages or variants, whose name may be short where it is plain: width, "
        "backbone.width, clustered.Palettize.clusters (an unknown one lists them all); all combinations are made",
    )
    parser.add_argument("--images", nargs="+", type=Path, required=True, metavar="PATH", help=f"to train and measure on: {IMAGES}")
    parser.add_argument("--variants", type=comma_separated, metavar="A,B", help="only these variants")
    parser.add_argument("--jobs", type=positive, metavar="N", help="processes on this machine (default: one a core)")
    parser.add_argument("--address", metavar="HOST:PORT", help="a Ray cluster to run on; --images and --cache must be where all see them")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="the folder to write (default: NAME-sweep)")
    add_running(parser)


def _set(text: str) -> tuple[str, tuple[str, ...]]:
    name, separator, values = text.partition("=")
    if not name.strip() or not separator:
        raise argparse.ArgumentTypeError(f"expected FIELD=A,B such as width=0.25,0.5, got {text!r}")
    return name.strip(), comma_separated(values)


def run(options: Namespace) -> Result:
    """The sweep's folder. A point that failed makes the command fail, after the others."""
    from toolchain.report import sweep_page
    from toolchain.sweep.points import SweepOrder
    from toolchain.sweep.sweep import sweep

    names = [name for name, _ in options.sets]
    if len(set(names)) < len(names):
        raise RecipeError(f"--set: {', '.join(names)}: give each field once, its values with commas between them")
    if options.address is not None and options.jobs is not None:
        raise RecipeError("--jobs is of this machine and a cluster has its own; give --address or --jobs")
    running = (options.seed, options.steps, options.device, cache_of(options), progress_of(options), options.jobs, options.address)
    order = SweepOrder(options.recipe, dict(options.sets), tuple(options.images), options.variants, *running)
    swept = sweep(order)
    name = Path(options.recipe).stem
    folder = options.out or Path(f"{name}-sweep")
    sweep_page.write_sweep(folder, name, swept)
    failed = [f"failed: {settings}: {why}" for settings, why in swept.failed.items()]
    failure = DataError(f"{len(failed)} of {len(order.points())} points failed, as listed") if failed else None
    rows = table(sweep_page.COLUMNS, sweep_page.cells(swept))
    written = f"{folder / 'sweep.html'}; sweep.json, sweep.md and sweep.svg beside it"
    return Result(swept.describe(), (rows, *failed, written), failure)
