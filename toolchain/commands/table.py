"""`toolchain table`: tables of the papers, made anew."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from toolchain import files
from toolchain.commands.base import IMAGES, Result, add_cache, cache_of, failure_of, positive, progress_of
from toolchain.commands.base import table as shown
from toolchain.errors import DataError

SUMMARY = "Make a table of a paper or lecture anew, beside its authors' figures; goes on where an earlier run stopped."
EXAMPLES = """  toolchain table
  toolchain table modules
  toolchain table layer-substitution --images faces-celeba.tar --out docs/tables/layer-substitution.md
  toolchain table small-nets --images faces-celeba.tar --seeds 3 --full
  toolchain table assignment --images faces-celeba.tar faces-fiw.tar --lfw lfw-view2.tar --pairs lfw-pairs.txt"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("table", nargs="?", metavar="TABLE", help="its name (default: list them)")
    parser.add_argument("--images", nargs="+", type=Path, default=[], metavar="PATH", help=f"to train on: {IMAGES}")
    parser.add_argument("--steps", type=positive, metavar="N", help="training steps of every net, in place of the table's")
    parser.add_argument("--seeds", type=positive, metavar="N", help="how often each small net is trained (default: 2)")
    parser.add_argument("--full", action="store_true", help="at the authors' resolution, several times slower")
    parser.add_argument("--lfw", nargs="+", type=Path, default=[], metavar="PATH", help="to judge verification on, with --pairs")
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="pairs of the --lfw images, in LFW's form")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it as Markdown too")
    add_cache(parser)


def run(options: Namespace) -> Result:
    """The table; or, without a name, which there are."""
    from toolchain.tables import find_table, table_names
    from toolchain.tables.base import VERIFIED, TableOrder

    if options.table is None:
        found = {name: find_table(name).SUMMARY for name in table_names()}
        return Result(found, (shown(("table", "what"), found.items()),))
    table = find_table(options.table)
    asked = {name: getattr(options, name) for name in sorted(VERIFIED)}
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in asked.items() if value}
    for name in given:
        if name not in table.TAKES:
            heeded = ", ".join(f"--{other}" for other in sorted(table.TAKES)) or "none of these"
            raise DataError(f"--{name}: table {options.table} has no use for it (it takes {heeded}); leave it out")
    order = TableOrder(cache_of(options), progress_of(options), takes=table.TAKES, **given)
    figures = table.figures(order)
    failure = None if options.out is None else failure_of(lambda: files.write(options.out, figures.markdown()))
    return Result(figures.describe(), (figures.title, shown(figures.columns, figures.rows), *figures.notes), failure)
