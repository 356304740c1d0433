"""`toolchain inspect`: what a bundle holds."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from runtime_py.bundle import Bundle
from toolchain.commands.base import Result, add_cache, cache_of, table

SUMMARY = "Say what is in a bundle, after checking every byte of it."
EXAMPLES = """  toolchain inspect face.pface
  toolchain inspect face.pface --json"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    add_cache(parser)


def run(options: Namespace) -> Result:
    """The manifest of a bundle that was checked whole, and what each variant takes of memory, measured here or kept."""
    from toolchain.bench.resident import kept_resident_bytes
    from toolchain.kept import KeptBytes

    bundle = Bundle.open(options.bundle)
    manifest = bundle.manifest
    results = KeptBytes(cache_of(options) / "bytes")
    resident = {}
    rows = []
    for item in manifest.variants:
        bundle.model(item.name)  # rebuilds a packed one, and checks what comes out
        accuracy = "; ".join(f"{100 * row.value:.2f} % {row.protocol}" for row in item.accuracy) or "not measured"
        resident[item.name] = found = kept_resident_bytes(bundle, item.name, results)
        sizes = (item.bytes.raw, item.bytes.gzip, item.bytes.stored, found)
        rows.append((item.name, *("not measured" if size is None else f"{size:,}" for size in sizes), accuracy))
    taken = manifest.preprocessing.input
    facts = (
        f"{options.bundle}: {manifest.name} for {manifest.target.name}, schema {manifest.schema}, every hash checked",
        f"sha256 {bundle.sha256}",
        f"input: {taken.height} x {taken.width} {taken.color}, pixel * {taken.scale:g} + {taken.offset:g}",
        f"embedding: {manifest.embedding.size} numbers, {manifest.embedding.metric}",
        f"default variant: {manifest.default_variant}; detector: {manifest.detector.name if manifest.detector else 'none'}",
    )
    licences = [f"licence of {item.covers}: {item.spdx}. {item.terms}" for item in manifest.licences]
    values = {"sha256": bundle.sha256, "manifest": json.loads(bundle.manifest_text()), "resident": resident}
    return Result(values, (*facts, table(("variant", "bytes raw", "gzip", "stored", "resident", "accuracy"), rows), *licences))
