"""`toolchain bench-threads`: whether many threads get what one gets."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from runtime_py.bundle import Bundle
from toolchain.commands.base import Result, positive, progress_of, threads
from toolchain.errors import GateError

SUMMARY = "Let many threads share a recognizer and a gallery, and hold every answer to what one thread gives, bit for bit."
EXAMPLES = """  toolchain bench-threads face.pface
  toolchain bench-threads face.pface --variant int8 --threads 8 --seconds 60"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle (.pface) with a detector")
    parser.add_argument("--variant", metavar="NAME", help="which variant embeds (default: the bundle's default)")
    parser.add_argument("--threads", type=threads, default=8, metavar="N", help="how many share it (default: 8)")
    parser.add_argument("--seconds", type=positive, default=60, metavar="N", help="for how long (default: 60)")
    parser.add_argument("--people", type=positive, default=200, metavar="N", help="drawn people in the gallery (default: 200)")


def run(options: Namespace) -> Result:
    """Photographs that were identified, and how many otherwise than by one thread; exit code 4 where any was."""
    from toolchain.bench.threads import bench_threads

    bundle = Bundle.open(options.bundle)
    found = bench_threads(bundle, options.variant, options.threads, options.seconds, options.people, progress_of(options))
    line = (
        f"{found.checked} photographs by {found.threads} threads in {found.seconds} s: {found.mismatches} mismatches "
        f"(variant {found.variant}, {found.runtime}, {found.people} people)"
    )
    failure = None
    if found.mismatches:
        failure = GateError(f"expected what one thread gives, got {found.mismatches} mismatches; first error: {found.first_error}")
    return Result(found.describe(), (line,), failure)
