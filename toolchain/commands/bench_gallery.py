"""`toolchain bench-gallery`: how fast the gallery's exact search is beside faiss's."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace

from toolchain.commands.base import Result, comma_separated, positive, progress_of, table

SUMMARY = "Time the gallery's exact search beside faiss IndexFlatIP, one thread, in turns; weigh its memory; count what int8 loses."
EXAMPLES = """  toolchain bench-gallery
  toolchain bench-gallery --templates 1000000 --sizes 128 --int8 --rounds 10 --probes 300"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--templates", type=positive, default=100_000, metavar="N", help="a person each, drawn (default: 100000)")
    parser.add_argument("--sizes", type=_sizes, default=(128, 256), metavar="A,B", help="numbers in a template (default: 128,256)")
    parser.add_argument("--top", type=positive, default=10, metavar="K", help="people that a search gives (default: 10)")
    parser.add_argument("--int8", action="store_true", help="templates of a byte a number too")
    parser.add_argument(
        "--probes",
        type=positive,
        default=100,
        metavar="N",
        help="searches that rank-1 is counted over; each probe is as like its own template as the nearest stranger is expected to be "
        "(default: 100)",
    )
    parser.add_argument("--rounds", type=positive, default=30, metavar="N", help="turns of five searches that each has (default: 30)")


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(positive(name) for name in comma_separated(text))
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"expected numbers with commas between them: {error}") from None


def run(options: Namespace) -> Result:
    """Milliseconds, ratios to faiss, memory, rank-1."""
    from toolchain.bench.gallery import bench_gallery

    found = bench_gallery(options.templates, options.sizes, options.top, options.rounds, options.int8, options.probes, progress_of(options))
    columns = ("numbers", "search", "ms", "ratio to faiss", "half of the rounds", "memory over float32", "rank-1", "other than faiss")
    rows = [
        (
            str(row.size),
            row.name,
            f"{row.milliseconds.median:.2f}",
            f"{row.ratio.median:.2f}",
            f"{row.ratio.low:.2f} to {row.ratio.high:.2f}",
            "" if row.memory is None else f"{row.memory:.3f}",
            f"{100 * row.rank1:.1f} %",
            f"{row.otherwise} of {found.probes}",
        )
        for row in found.rows
    ]
    likeness = ", ".join(f"{value:.3f} of {size} numbers" for size, value in found.likeness.items())
    facts = (
        f"{found.templates} templates, top {found.top}, one thread, {found.rounds} rounds in turns; faiss {found.faiss}; "
        f"{found.machine['processor']}",
        f"rank-1: of probes whose cosine to their own template is {likeness}, about that of the nearest stranger: the hardest case",
    )
    return Result(found.describe(), (table(columns, rows), *facts))
