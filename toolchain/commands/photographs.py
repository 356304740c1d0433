"""`toolchain photographs`: from whole photographs to names, and what alignment costs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from runtime_py.bundle import Bundle
from toolchain.commands.base import Result, add_input, progress_of, table

SUMMARY = "Say how well people are found and named on whole photographs, how long that takes, and what alignment costs."
EXAMPLES = """  toolchain photographs face.pface photographs/                 # photographs/<person>/<image>
  toolchain photographs face.pface photos.tar --crops aligned.tar --weights strong.onnx --input rgb,0..255
  toolchain photographs face.pface photos.tar --detector yunet.onnx"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle (.pface) with a detector")
    parser.add_argument("photographs", nargs="+", type=Path, metavar="PATH", help="folders or tars of <person>/<image>, two people or more")
    parser.add_argument(
        "--crops",
        nargs="+",
        type=Path,
        default=[],
        metavar="PATH",
        help="aligned crops of some of them under the same names, to compare with",
    )
    parser.add_argument("--variant", metavar="NAME", help="which variant embeds (default: the bundle's default)")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="another embedder in its place: ONNX or safetensors")
    add_input(parser)
    parser.add_argument("--detector", type=Path, metavar="FILE", help="a YuNet model (.onnx) to try as well; pocketface[camera]")


def run(options: Namespace) -> Result:
    """A row for each way to find and align."""
    from runtime_py.opencv import opencv
    from runtime_py.yunet import YuNet
    from toolchain.evaluation.photographs import by_model, by_variant, report
    from toolchain.load import load_model

    bundle = Bundle.open(options.bundle)
    embed = by_variant(bundle, options.variant)
    if options.weights is not None:
        embed = by_model(options.weights.name, load_model(options.weights, options.input))
    others = []
    if options.detector is not None:
        opencv().setNumThreads(1)
        others.append((options.detector.name, YuNet(options.detector, bundle.manifest.preprocessing)))
    found = report(bundle, embed, options.photographs, options.crops, others, progress_of(options))
    columns = ("faces by", "found", "ms", "half of the photographs", "rank-1", "cosine to the reference", "its median", "compared")
    rows = [
        (
            way.name,
            f"{way.found} of {found.photographs}",
            f"{way.milliseconds.median:.1f}",
            f"{way.milliseconds.low:.1f} to {way.milliseconds.high:.1f}",
            "" if way.rank1 is None else f"{100 * way.rank1:.1f} % ({way.right} of {way.asked})",
            "" if way.likeness_mean is None else f"{way.likeness_mean:.4f}",
            "" if way.likeness_median is None else f"{way.likeness_median:.4f}",
            str(way.compared),
        )
        for way in found.ways
    ]
    facts = (
        f"{found.people} people, the first photograph of each enrolled; embedded by {found.embedder}; {found.machine['processor']}",
        "ms: finding and aligning, a photograph, one thread",
    )
    return Result(found.describe(), (table(columns, rows), *facts))
