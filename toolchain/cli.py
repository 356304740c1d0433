"""The command line: each command is a function call of this package, with its errors as one line.

Exit codes: 0 well; 2 an input or setting that makes no sense; 4 a variant missed its gate; 130 stopped by Ctrl-C.
Results go to stdout, as a table or with --json as JSON; progress and errors go to stderr.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import toolchain
from runtime_py.errors import PocketFaceError
from toolchain import commands
from toolchain.errors import ToolchainError

STOPPED = 130


class Parser(argparse.ArgumentParser):
    """argparse, with its errors as one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    name = "toolchain"
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8, a file's name that is no text
    try:
        options = parser().parse_args(arguments)  # imports every command, in which Ctrl-C may fall already
        name = f"toolchain {options.command}"
        if getattr(options, "recipe", "") is None:
            options.recipe = "default" if options.weights is None else "own"
        result = options.run(options)
        print(json.dumps(result.describe(), indent=1) if options.json else result.text())
        sys.stdout.flush()
        if result.failure is not None:
            raise result.failure
    except (ToolchainError, PocketFaceError) as error:
        print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code if isinstance(error, ToolchainError) else 2
    except KeyboardInterrupt:
        print(f"{name}: stopped; nothing half-written was left, run the same command again to go on", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        _give_up_stdout()  # whoever read the output has had enough
    except OSError as error:
        # What no check before it can know of: a folder that may not be entered, a name that is too long, a full disk.
        if error.filename is None:
            _give_up_stdout()
        where = "a file, or the output" if error.filename is None else error.filename
        print(f"{name}: {where}: cannot be read or written ({error.strerror or error}); give another place or make room", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        package = (error.name or "toolchain").partition(".")[0]
        if package in ("toolchain", "runtime_py"):
            raise
        print(f"{name}: needs the package {package}, which is not installed: pip install 'pocketface[toolchain]'", file=sys.stderr)
        return 2
    return 0


def _give_up_stdout() -> None:
    """Keeps the interpreter from complaining once more at its end of what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog="toolchain",
        description="Takes a face embedder to a phone: compress, convert to TFLite, prove, bundle.",
        epilog="toolchain COMMAND --help shows examples.",
    )
    top.add_argument("--version", action="version", version=f"pocketface {toolchain.__version__}")
    chosen = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for name, command in commands.commands():
        form = argparse.RawDescriptionHelpFormatter
        epilog = f"examples:\n{command.EXAMPLES}"
        made = chosen.add_parser(name, help=command.SUMMARY, description=command.SUMMARY, epilog=epilog, formatter_class=form)
        made.set_defaults(run=command.run)
        made.add_argument("--json", action="store_true", help="print the result as JSON")
        made.add_argument("--quiet", action="store_true", help="no progress on stderr")
        command.arguments(made)
    return top


if __name__ == "__main__":
    sys.exit(main())
