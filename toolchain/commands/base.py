"""What the commands share: the options that several take, what these come to, and the result that is printed.

What a command needs is imported when it runs: torch alone takes seconds, and `toolchain --help` needs none of it.
"""

from __future__ import annotations

import argparse
import io
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.table import Table

from runtime_py.manifest import InputContract
from toolchain.errors import DataError, ToolchainError
from toolchain.progress import Progress

if TYPE_CHECKING:
    from toolchain.bundling.build import Order

BUNDLE_SUFFIX = ".pface"
MOST_THREADS = 1024
IMAGES = "folders or tars of <identity>/<image>, aligned faces"


@dataclass(frozen=True)
class Result:
    """`values` is what --json prints, `shown` what is printed otherwise. `failure`: what the command found to be wrong, which ends
    it with that error's exit code after the result was printed."""

    values: Any
    shown: tuple[RenderableType, ...]
    failure: ToolchainError | None = None

    def describe(self) -> Any:
        """As JSON values."""
        return self.values

    def text(self) -> str:
        """As text: as wide as the terminal, or as it needs to be where there is none."""
        out = io.StringIO()
        console = Console(file=out, width=None if sys.stdout.isatty() else 200, highlight=False, force_terminal=sys.stdout.isatty())
        for item in self.shown:
            console.print(item, markup=False)
        return out.getvalue().rstrip()


def add_recipe(parser: ArgumentParser, bundle: bool = False) -> None:
    """Which model to make: a recipe, weights of one's own, images; with `bundle`, a bundle in place of a recipe."""
    what = "RECIPE|BUNDLE" if bundle else "RECIPE"
    more = ", or a .pface bundle" if bundle else ""
    chosen = "default: default, or own with --weights"
    parser.add_argument("recipe", nargs="?", metavar=what, help=f"a recipe's name or Python file ({chosen}){more}")
    parser.add_argument("--variants", type=comma_separated, metavar="A,B", help="only these variants")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights of your own: safetensors or ONNX")
    add_input(parser)
    parser.add_argument("--images", nargs="+", type=Path, default=[], metavar="PATH", help=f"to calibrate and fine-tune on: {IMAGES}")


def add_running(parser: ArgumentParser) -> None:
    """How to run: seed, steps, device, cache."""
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn at random (default: 0)")
    parser.add_argument("--steps", type=positive, metavar="N", help="training steps of each training stage, in place of the recipe's")
    parser.add_argument("--device", default="cpu", help="where to train: cpu or cuda (default: cpu)")
    add_cache(parser)


def add_input(parser: ArgumentParser) -> None:
    """What weights of one's own take."""
    parser.add_argument(
        "--input",
        type=_contract,
        metavar="SPEC",
        help="what the weights take: colour order and range, such as rgb,0..255 or bgr,-1..1, of faces 112 x 112, the only size",
    )


def add_cache(parser: ArgumentParser) -> None:
    """Where results are kept."""
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="where results are kept (default: in the user's cache folder)")


def comma_separated(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("expected names with commas between them")
    return names


def _contract(text: str) -> InputContract:
    try:
        return InputContract.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def positive(text: str) -> int:
    """A whole number of at least 1, as argparse takes it."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0):  # isdigit alone takes a superscript too
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def threads(text: str) -> int:
    """How many threads, as argparse takes it."""
    count = positive(text)
    if count > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"expected at most {MOST_THREADS} threads, got {count}")
    return count


def order_of(options: Namespace) -> Order:
    """What `add_recipe` and `add_running` come to. Error: RecipeError."""
    from toolchain.bundling.build import Order
    from toolchain.recipes import find_recipe

    return Order(
        find_recipe(options.recipe),
        getattr(options, "variants", None),
        getattr(options, "weights", None),
        getattr(options, "input", None),
        tuple(options.images),
        options.seed,
        options.steps,
        options.device,
        cache_of(options),
        progress_of(options),
    )


def cache_of(options: Namespace) -> Path:
    """The folder of `add_cache`. Error: DataError where a file is in its place."""
    from toolchain.kept import cache_folder

    folder: Path = options.cache or cache_folder()
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: expected a folder for results (--cache), got a file")
    return folder


def progress_of(options: Namespace) -> Progress:
    """Progress on stderr, or none with --quiet."""
    return Progress(options.quiet)


def failure_of(step: Callable[[], object]) -> ToolchainError | None:
    """What is wrong with `step`, which comes after a measurement, so that a Result can show the figures before it fails."""
    try:
        step()
    except ToolchainError as error:
        return error
    return None


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table for the console."""
    made = Table(show_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made
