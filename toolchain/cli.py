"""The command line: each command is a function call of this package, with its errors as one line.

Exit codes: 0 well; 2 an input or setting that makes no sense; 4 a variant missed its gate; 130 stopped by Ctrl-C.
Results go to stdout, as a table or with --json as JSON; progress and errors go to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import toolchain
from runtime_py.errors import PocketFaceError
from runtime_py.manifest import InputContract
from toolchain import commands
from toolchain.errors import ToolchainError
from toolchain.targets import TARGETS

STOPPED = 130
IMAGES = "folders or tars of <identity>/<image>, aligned faces"


class Parser(argparse.ArgumentParser):
    """argparse, with its errors as one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    options = parser().parse_args(arguments)
    if getattr(options, "recipe", "") is None:
        options.recipe = "default" if options.weights is None else "own"
    try:
        result = options.run(options)
        print(json.dumps(result.describe(), indent=1) if options.json else result.text())
        sys.stdout.flush()
    except (ToolchainError, PocketFaceError) as error:
        print(f"toolchain {options.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code if isinstance(error, ToolchainError) else 2
    except KeyboardInterrupt:
        print(f"toolchain {options.command}: stopped; nothing half-written was left, run the same command again to go on", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # Whoever read the output has had enough; keep the interpreter from complaining once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog="toolchain",
        description="Takes a face embedder to a phone: compress, convert to TFLite, prove, bundle.",
        epilog="toolchain COMMAND --help shows examples.",
    )
    top.add_argument("--version", action="version", version=f"pocketface {toolchain.__version__}")
    chosen = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    _build(chosen)
    _train(chosen)
    _evaluate(chosen)
    _convert(chosen)
    _parity(chosen)
    _align(chosen)
    _inspect(chosen)
    _methods(chosen)
    return top


Commands = argparse._SubParsersAction
Run = Callable[[argparse.Namespace], commands.Result]


def _command(chosen: Commands[Parser], name: str, summary: str, examples: str, run: Run) -> Parser:
    form = argparse.RawDescriptionHelpFormatter
    made = chosen.add_parser(name, help=summary, description=summary, epilog=f"examples:\n{examples}", formatter_class=form)
    made.set_defaults(run=run)
    made.add_argument("--json", action="store_true", help="print the result as JSON")
    made.add_argument("--quiet", action="store_true", help="no progress on stderr")
    return made


def _build(chosen: Commands[Parser]) -> None:
    examples = """  toolchain build --target android-arm64
  toolchain build --target android-arm64 --variants fp32,int8 --out face.pface
  toolchain build --target android-arm64 --weights net.onnx --input rgb,0..255 --images faces.tar other-faces/
  toolchain build my_recipe.py --target linux-arm64"""
    made = _command(chosen, "build", "Build a bundle from a recipe or from weights of your own.", examples, commands.build)
    made.add_argument("--target", required=True, choices=sorted(TARGETS), help="where the bundle is to run")
    made.add_argument("--out", type=Path, help="the bundle to write (default: NAME-TARGET.pface)")
    made.add_argument("--accuracies", type=Path, metavar="FILE", help="figures from `toolchain evaluate --record`, to state in it")
    _of_recipe(made)
    _running(made)


def _train(chosen: Commands[Parser]) -> None:
    examples = """  toolchain train --images faces.tar --out weights.safetensors
  toolchain train my_recipe.py --images faces/ --out weights.safetensors --device cuda
  torchrun --nproc-per-node 2 -m toolchain.cli train --images faces.tar --out weights.safetensors"""
    made = _command(chosen, "train", "Train the weights of a recipe; goes on where an earlier run stopped.", examples, commands.train)
    made.add_argument("recipe", nargs="?", default="default", metavar="RECIPE", help="a recipe's name or Python file (default: default)")
    made.add_argument("--images", nargs="+", type=Path, required=True, metavar="PATH", help=IMAGES)
    made.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    _running(made)


def _evaluate(chosen: Commands[Parser]) -> None:
    examples = """  toolchain evaluate face.pface --images lfw.tar --pairs pairs.txt
  toolchain evaluate face.pface --images my-people/ --variant int8 --json
  toolchain evaluate net.onnx --input rgb,0..255 --images lfw.tar --pairs pairs.txt"""
    summary = "Measure accuracy: a pairs file by folds, or labelled folders."
    made = _command(chosen, "evaluate", summary, examples, commands.evaluate)
    made.add_argument("what", type=Path, metavar="BUNDLE|WEIGHTS", help="a .pface bundle, or safetensors or ONNX weights")
    made.add_argument("--images", nargs="+", type=Path, required=True, metavar="PATH", help=IMAGES)
    made.add_argument("--pairs", type=Path, metavar="FILE", help="pairs in LFW's form (without: all pairs of the labelled images)")
    made.add_argument("--variant", default="all", help="of a bundle: one variant's name (default: all)")
    made.add_argument("--record", type=Path, metavar="FILE", help="of a bundle: add the figures to this file, for build --accuracies")
    _input(made)
    _cache(made)


def _convert(chosen: Commands[Parser]) -> None:
    examples = """  toolchain convert face.pface --out tflite/
  toolchain convert face.pface --variants clustered --out tflite/
  toolchain convert --weights net.onnx --input rgb,0..255 --variants fp32,int8-dynamic --out tflite/"""
    summary = "Write plain .tflite files: of a bundle's variants (packed ones are rebuilt), or of a recipe's."
    made = _command(chosen, "convert", summary, examples, commands.convert)
    made.add_argument("--out", type=Path, required=True, help="the folder to write to")
    _of_recipe(made, bundle=True)
    _running(made)


def _parity(chosen: Commands[Parser]) -> None:
    examples = """  toolchain parity
  toolchain parity --variants int8 --images faces.tar
  toolchain parity --weights net.onnx --input rgb,0..255"""
    summary = "Compare the TFLite variants of a recipe with torch, on each runtime that is installed, and check their gates."
    made = _command(chosen, "parity", summary, examples, commands.parity)
    _of_recipe(made)
    _running(made)


def _align(chosen: Commands[Parser]) -> None:
    examples = """  toolchain align photos/ --out faces/
  toolchain align holiday.jpg family/ --out faces/ --bundle face.pface"""
    summary = "Turn photographs into aligned face images to train or evaluate on."
    made = _command(chosen, "align", summary, examples, commands.align)
    made.add_argument("photos", nargs="+", type=Path, metavar="PHOTOS", help="images, folders or tars")
    made.add_argument("--out", type=Path, required=True, help="the folder to write to")
    made.add_argument("--bundle", type=Path, help="take the detector and the template of this bundle")


def _inspect(chosen: Commands[Parser]) -> None:
    examples = """  toolchain inspect face.pface
  toolchain inspect face.pface --json"""
    made = _command(chosen, "inspect", "Say what is in a bundle, after checking every byte of it.", examples, commands.inspect)
    made.add_argument("bundle", type=Path, metavar="BUNDLE")


def _methods(chosen: Commands[Parser]) -> None:
    examples = """  toolchain methods
  toolchain methods compress --json"""
    made = _command(chosen, "methods", "List the backbones, losses, stages, encodings and variants.", examples, commands.methods)
    made.add_argument("family", nargs="?", help="one family alone")


def _of_recipe(made: Parser, bundle: bool = False) -> None:
    what = "RECIPE|BUNDLE" if bundle else "RECIPE"
    more = ", or a .pface bundle" if bundle else ""
    chosen = "default: default, or own with --weights"
    made.add_argument("recipe", nargs="?", metavar=what, help=f"a recipe's name or Python file ({chosen}){more}")
    made.add_argument("--variants", type=_names, metavar="A,B", help="only these variants")
    made.add_argument("--weights", type=Path, metavar="FILE", help="weights of your own: safetensors or ONNX")
    _input(made)
    made.add_argument("--images", nargs="+", type=Path, default=[], metavar="PATH", help=f"to calibrate and fine-tune on: {IMAGES}")


def _input(made: Parser) -> None:
    made.add_argument(
        "--input", type=_contract, metavar="SPEC", help="what the weights take: colour order and range, such as rgb,0..255 or bgr,-1..1"
    )


def _running(made: Parser) -> None:
    made.add_argument("--seed", type=int, default=0, help="of everything that is drawn at random (default: 0)")
    made.add_argument("--steps", type=_positive, metavar="N", help="training steps of each training stage, in place of the recipe's")
    made.add_argument("--device", default="cpu", help="where to train: cpu or cuda (default: cpu)")
    _cache(made)


def _cache(made: Parser) -> None:
    made.add_argument("--cache", type=Path, metavar="FOLDER", help="where results are kept (default: in the user's cache folder)")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("expected names with commas between them")
    return names


def _contract(text: str) -> InputContract:
    try:
        return InputContract.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
