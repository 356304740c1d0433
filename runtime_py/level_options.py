"""The options by which commands choose a level of a net."""

from __future__ import annotations

from argparse import ArgumentParser


def add_level(parser: ArgumentParser) -> None:
    """Adds --level and --budget-ms, of which one may be given."""
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--level", metavar="L", help="a level of the variant's net, such as 50, where it has levels")
    chosen.add_argument(
        "--budget-ms", type=float, metavar="MS", help="the widest level that embeds a face within so many milliseconds here, measured first"
    )
