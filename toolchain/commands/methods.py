"""`toolchain methods`: what the toolchain can do."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from toolchain.commands.base import Result, table
from toolchain.errors import RecipeError

SUMMARY = "List the backbones, losses, stages, encodings and variants."
EXAMPLES = """  toolchain methods
  toolchain methods compress --json"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("family", nargs="?", help="one family alone")


def run(options: Namespace) -> Result:
    """Every method, by family."""
    from toolchain.methods import FAMILIES
    from toolchain.methods import methods as all_methods

    if options.family is not None and options.family not in FAMILIES:
        raise RecipeError(f"{options.family}: no such family; expected one of {', '.join(FAMILIES)}")
    found = [item for item in all_methods() if options.family in (None, item.family)]
    rows = [(item.family, item.name, item.summary, ", ".join(item.settings)) for item in found]
    return Result([asdict(item) for item in found], (table(("family", "name", "what", "settings"), rows),))
