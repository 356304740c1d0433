"""What the options of several commands share: the choice of a level of a net, and whole numbers."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable


def add_level(parser: ArgumentParser) -> None:
    """Adds --level and --budget-ms, of which one may be given."""
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--level", metavar="L", help="a level of the variant's net, such as 50, where it has levels")
    chosen.add_argument(
        "--budget-ms", type=float, metavar="MS", help="the widest level that embeds a face within so many milliseconds here, measured first"
    )


def positive(most: int) -> Callable[[str], int]:
    """Reads an option's whole number from 1 to `most`."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
            raise ArgumentTypeError(f"expected a number from 1 to {most}, got {text[:40]!r}")
        return int(text)

    return read
