"""`toolchain bench-jvm`: the Android SDK on the desktop's JVM beside runtime_py."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from toolchain.commands.base import Result, positive, progress_of, table, threads

SUMMARY = "Time each step of recognition by the Android SDK on this machine's JVM and by runtime_py, in turns."
EXAMPLES = """  toolchain bench-jvm face.pface
  toolchain bench-jvm face.pface --variant int8 --rounds 15 --json"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="the bundle (.pface)")
    parser.add_argument("--variant", metavar="NAME", help="which variant embeds (default: the bundle's default)")
    parser.add_argument("--threads", type=threads, default=1, metavar="N", help="threads that an inference may use (default: 1)")
    parser.add_argument("--rounds", type=positive, default=9, metavar="N", help="turns of both sides at each step (default: 9)")


def run(options: Namespace) -> Result:
    """Milliseconds of both, and their ratio."""
    from toolchain.android.jvm_bench import benchmark

    done = benchmark(options.bundle, options.variant, options.threads, options.rounds, progress_of(options))
    rows = [
        (
            f"{step.step}: {step.meaning}",
            f"{step.jvm_ms:.3f}",
            "" if step.python_ms is None else f"{step.python_ms:.3f}",
            "" if step.ratio is None else f"{step.ratio:.2f}",
        )
        for step in done.steps
    ]
    sides = f"variant {done.variant}, {done.threads} thread(s); JVM: {done.jvm_runtime}; runtime_py: {done.python_runtime}"
    return Result(done.describe(), (table(("step", "SDK on the JVM, ms", "runtime_py, ms", "ratio"), rows), sides))
