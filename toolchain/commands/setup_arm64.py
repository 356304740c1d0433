"""`toolchain setup-arm64`: what parity on arm64 needs, fetched into the cache."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from toolchain.commands.base import Result, progress_of
from toolchain.errors import RecipeError

SUMMARY = "Fetch an arm64 emulator, Python and TFLite runtimes into the cache, for parity --on arm64 (115 MB; needs Debian, no root)."
EXAMPLES = """  toolchain setup-arm64
  toolchain setup-arm64 --mirror http://mirror.example/debian"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--mirror", metavar="URL", help="a Debian mirror (default: that of this machine's apt configuration)")


def run(options: Namespace) -> Result:
    """The finished setup; on an arm64 machine there is nothing to do."""
    from toolchain.parity import arm64_setup

    if arm64_setup.is_native() and options.mirror is not None:
        raise RecipeError(f"--mirror {options.mirror}: this machine is arm64 itself and fetches nothing; leave it out")
    if arm64_setup.is_native():
        return Result({"native": True}, ("this machine is arm64 itself: parity --on arm64 runs on it as it is",))
    made = arm64_setup.set_up(progress_of(options), options.mirror)
    runtimes = ", ".join(f"{name} {version}" for name, version in made.contents.runtimes.items())
    values = {"native": False, "folder": str(made.folder), **made.contents.describe()}
    return Result(values, (f"{made.folder}: qemu {made.contents.qemu}, {runtimes}",))
