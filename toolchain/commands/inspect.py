"""`toolchain inspect`: what a bundle holds."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from runtime_py.bundle import Bundle
from toolchain.commands.base import Result, table

SUMMARY = "Say what is in a bundle, after checking every byte of it."
EXAMPLES = """  toolchain inspect face.pface
  toolchain inspect face.pface --json"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")


def run(options: Namespace) -> Result:
    """The manifest of a bundle that was checked whole."""
    bundle = Bundle.open(options.bundle)
    manifest = bundle.manifest
    rows = []
    for item in manifest.variants:
        bundle.model(item.name)  # rebuilds a packed one, and checks what comes out
        accuracy = "; ".join(f"{100 * row.value:.2f} % {row.protocol}" for row in item.accuracy) or "not measured"
        rows.append((item.name, f"{item.bytes.raw:,}", f"{item.bytes.gzip:,}", f"{item.bytes.stored:,}", accuracy))
    taken = manifest.preprocessing.input
    facts = (
        f"{options.bundle}: {manifest.name} for {manifest.target.name}, schema {manifest.schema}, every hash checked",
        f"sha256 {bundle.sha256}",
        f"input: {taken.height} x {taken.width} {taken.color}, pixel * {taken.scale:g} + {taken.offset:g}",
        f"embedding: {manifest.embedding.size} numbers, {manifest.embedding.metric}",
        f"default variant: {manifest.default_variant}; detector: {manifest.detector.name if manifest.detector else 'none'}",
    )
    licences = [f"licence of {item.covers}: {item.spdx}. {item.terms}" for item in manifest.licences]
    values = {"sha256": bundle.sha256, "manifest": json.loads(bundle.manifest_text())}
    return Result(values, (*facts, table(("variant", "bytes raw", "gzip", "stored", "accuracy"), rows), *licences))
