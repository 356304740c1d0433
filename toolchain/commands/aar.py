"""`toolchain aar`: the SDK as an Android library."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from toolchain.commands.base import Result, add_cache, cache_of, progress_of

SUMMARY = "Write the Android SDK as a library (AAR and POM) into a Maven repository's folder."
EXAMPLES = """  toolchain aar --out repository/"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the repository: it is made, or added to")
    add_cache(parser)


def run(options: Namespace) -> Result:
    """The AAR and its POM."""
    from toolchain.android.aar import build_aar

    report = build_aar(options.out, cache_of(options) / "android", progress_of(options))
    libraries = f"{report.classes} classes, libraries for {' and '.join(report.abis)}"
    written = f"{report.aar} ({report.size:,} bytes, sha256 {report.sha256}): {libraries}"
    proofs = [f"{proof.name}: {proof.found}" for proof in report.proofs]
    use = f'in build.gradle.kts: maven {{ url = uri("{report.folder}") }} and implementation("{report.coordinates}")'
    return Result(report.describe(), (written, *proofs, use))
