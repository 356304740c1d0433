"""`python -m runtime_py`: embed, verify, detect, inspect, selftest, and the gallery's commands."""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from PIL import Image

from runtime_py import commands
from runtime_py.errors import PocketFaceError
from runtime_py.gallery.cli import add_commands as gallery_commands
from runtime_py.options import add_level, positive

BAD_INPUT, INTERRUPTED, NOBODY_READS = 2, 130, 141

_CODES = """exit codes:
  0  all went well (verify: the same person, or no threshold to judge by)
  1  verify: not the same person; identify: nobody who is enrolled
  2  bad input: one line on stderr says what, and nothing was written; or stdout cannot be written
  3  some photographs were skipped: a line on stderr for each says why
  4  selftest: this machine does not compute what the bundle states; check: the file is no gallery, or a damaged one
"""

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be text
    options = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            # Pillow's, about large images and damaged EXIF; what cannot be used is refused with an error of our own.
            warnings.filterwarnings("ignore", module="PIL")
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            code = int(options.command(options))
            sys.stdout.flush()  # here, where what keeps it from being written is still told
            return code
    except PocketFaceError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        _give_up_output()  # whoever read it has gone (`| head`)
        return NOBODY_READS
    except OSError as error:
        _give_up_output()
        print(f"error: expected to read its input and write its output, could not: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return INTERRUPTED


def _open_closed_streams() -> None:
    """A command that was started without stdout or stderr (`2>&-`) writes to nowhere, not into the next file that is opened."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))


def _give_up_output() -> None:
    """What is still to be written to stdout goes nowhere, so that leaving Python does not fail at it once more."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runtime_py",
        description="Detect, embed, verify and identify faces with a .pface bundle.",
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    chosen = parser.add_subparsers(metavar="COMMAND", required=True)
    _embed(chosen)
    _verify(chosen)
    _detect(chosen)
    _inspect(chosen)
    _selftest(chosen)
    gallery_commands(lambda name, command, summary, examples: _plain_command(chosen, name, command, summary, examples))
    return parser


Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _command(chosen: Subparsers, name: str, command: Command, summary: str, examples: str) -> argparse.ArgumentParser:
    made = _plain_command(chosen, name, command, summary, examples)
    made.add_argument("bundle", type=Path, metavar="BUNDLE", help="a .pface bundle")
    return made


def _plain_command(chosen: Subparsers, name: str, command: Command, summary: str, examples: str) -> argparse.ArgumentParser:
    made = chosen.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"examples:\n{examples}\n\n{_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(command=command)
    return made


def _embed(chosen: Subparsers) -> None:
    examples = """  python -m runtime_py embed face.pface holiday.jpg
  python -m runtime_py embed face.pface photos/ --out photos.npz
  python -m runtime_py embed face.pface aligned.tar --aligned --variant int8 --out aligned.npz
  python -m runtime_py embed face.pface photos/ --budget-ms 5 --out photos.npz"""
    summary = "Embed the faces of images, folders and tars: arrays `names` and `embeddings`."
    made = _command(chosen, "embed", commands.embed, summary, examples)
    made.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="images, folders or tars")
    made.add_argument("--aligned", action="store_true", help="the images are aligned crops: embed them as they are")
    made.add_argument("--out", type=Path, metavar="F.npz", help="write an .npz file (default: lines of name, tab, numbers)")
    _model(made)
    _json(made)


def _verify(chosen: Subparsers) -> None:
    examples = """  python -m runtime_py verify face.pface a.jpg b.jpg
  python -m runtime_py verify face.pface a.jpg b.jpg --fmr 1e-4 --json"""
    made = _command(chosen, "verify", commands.verify, "Say whether the largest faces of two photographs are one person's.", examples)
    made.add_argument("first", type=Path, metavar="A")
    made.add_argument("second", type=Path, metavar="B")
    made.add_argument("--aligned", action="store_true", help="the images are aligned crops")
    limit = made.add_mutually_exclusive_group()
    limit.add_argument(
        "--fmr", type=float, metavar="RATE", help="judge at this false match rate, by the bundle's threshold (default: 1e-3)"
    )
    limit.add_argument("--threshold", type=float, metavar="S", help="a similarity, -1 to 1, in place of it; holds for one variant only")
    _model(made)
    _json(made)


def _detect(chosen: Subparsers) -> None:
    examples = """  python -m runtime_py detect face.pface holiday.jpg
  python -m runtime_py detect face.pface photos/ --draw seen/ --json"""
    made = _command(chosen, "detect", commands.detect, "Find faces and their key points.", examples)
    made.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="images, folders or tars")
    made.add_argument("--draw", type=Path, metavar="DIR", help="write each photograph with its faces marked, as PNG, to this folder")
    _threads(made)
    _json(made)


def _inspect(chosen: Subparsers) -> None:
    examples = """  python -m runtime_py inspect face.pface
  python -m runtime_py inspect face.pface --json"""
    made = _command(chosen, "inspect", commands.inspect, "Say what a bundle holds, after checking every byte of it.", examples)
    _json(made)


def _selftest(chosen: Subparsers) -> None:
    examples = """  python -m runtime_py selftest face.pface"""
    summary = "Run the bundle's golden vectors: photograph, key points, crop, tensor, embedding of each variant."
    made = _command(chosen, "selftest", commands.selftest, summary, examples)
    _threads(made)
    _json(made)


def _model(made: argparse.ArgumentParser) -> None:
    made.add_argument("--variant", metavar="V", help="the variant to run (default: the bundle's own choice)")
    add_level(made)
    _threads(made)


def _threads(made: argparse.ArgumentParser) -> None:
    made.add_argument("--threads", type=positive(256), default=1, metavar="N", help="threads of one inference (default: 1)")


def _json(made: argparse.ArgumentParser) -> None:
    made.add_argument("--json", action="store_true", help="print the result as JSON")
