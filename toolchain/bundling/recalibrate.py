"""A bundle with thresholds of one's own: calibrated on faces like those that it will see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runtime_py.bundle import Bundle
from toolchain.bundling.assemble import plain
from toolchain.data.faces import Faces
from toolchain.errors import DataError, RecipeError
from toolchain.evaluation.accuracies import Measured
from toolchain.evaluation.cross_level import match_levels
from toolchain.evaluation.evaluate import of_bundle
from toolchain.evaluation.measure import Measurement
from toolchain.kept import KeptBytes
from toolchain.pack.writer import write_bundle
from toolchain.progress import Progress


def recalibrate(bundle: Bundle, faces: Faces, out: Path, progress: Progress, kept: KeptBytes) -> dict[str, Measured]:
    """Calibrates every variant, and each two levels of one net, on `faces` and writes the bundle with these thresholds in place of
    its own to `out`; every blob and all else of the manifest stay as they are. Returns the new thresholds by variant.

    Errors: RecipeError where `out` is the bundle itself; DataError where the faces support no threshold of some variant, since a
    bundle without any would be worse than the one at hand.
    """
    if out.exists() and out.samefile(bundle.source):
        raise RecipeError(f"{out}: expected another file than the bundle itself, which stays as it is; give another --out")
    measurement = Measurement(faces)
    found = {}
    levels = {level.variant for levels in bundle.manifest.levels for level in levels.levels}
    of_levels = {}
    for name, rows in of_bundle(bundle, "all", faces, progress, kept):
        progress.say(f"{name}: thresholds")
        if name in levels:
            of_levels[name] = rows
        found[name] = measurement.thresholds(rows)
        if not found[name].thresholds:
            reasons = "; ".join(f"FMR {row.fmr:g}: {row.reason}" for row in found[name].thresholds_left_out)
            raise DataError(f"{name}: these faces support no threshold: {reasons}; give images of more people")
    manifest: dict[str, Any] = json.loads(bundle.manifest_text())
    for section in manifest["variants"]:
        section["thresholds"] = plain(found[section["name"]].thresholds)
        section["thresholds_left_out"] = plain(found[section["name"]].thresholds_left_out)
    for section, stated in zip(manifest.get("levels", ()), bundle.manifest.levels, strict=True):
        section["matching"] = plain(match_levels(stated, of_levels, measurement))
    write_bundle(out, manifest, {file.path: bytes(bundle.blob(file.path)) for file in bundle.manifest.files})
    return found
