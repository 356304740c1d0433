"""Writes what the tests of the demo app's screens need: bundles and camera pictures.

    python -m tests.android.screens FOLDER BUNDLE
    mvn -f android_demo/pom.xml test -Dpocketface.screens=FOLDER

BUNDLE is one of the default model. FOLDER gets `assets/model.pface`, the bundle with thresholds that tell the drawn people below apart;
`unstated.pface`, the same without thresholds; `level.pface`, whose default variant is a level; `damaged.pface`, with one bit turned; and
PNGs of 240 x 320 pixels, upright as the app makes them: `person-P-V.png`, view V of drawn person P; `two.png`, two of them; `nobody.png`;
`dark.png` and `blurred.png`, of person 0.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from runtime_py.image import Pixels
from runtime_py.manifest import Threshold
from toolchain.data.png import png
from toolchain.data.synthetic import Identity, View, beside, photograph
from toolchain.pack.writer import write_bundle

HEIGHT, WIDTH = 320, 240
VIEWS = (6, 1)
"""Of each person."""
_SEED, _SPREAD = 77, 0.35
"""Little turned, so that every view passes the app's gate."""

THRESHOLDS = ((0.01, 0.88), (0.001, 0.90), (0.0001, 0.92))
"""(false match rate, similarity). The default model is 0.94 or more sure of two of these views of one drawn person, and 0.86 or less of
two people; the rates are illustrations."""

WHOLE, LEVEL = "fp32", "fp16"
ACROSS = 0.01
"""What a comparison of the level with the whole net asks for in addition."""


def write_screens(folder: Path, source: Path) -> None:
    """Writes `folder`, which must not be there."""
    (folder / "assets").mkdir(parents=True)
    stated, unstated = folder / "assets" / "model.pface", folder / "unstated.pface"
    _write(stated, source, tuple(Threshold(fmr, least, fmr / 2, 2 * fmr, 100_000, 1_000, "0" * 64) for fmr, least in THRESHOLDS))
    _write(unstated, source, ())
    _write_level(folder / "level.pface", stated)
    damaged = bytearray(stated.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / "damaged.pface").write_bytes(damaged)
    for name, picture in pictures().items():
        (folder / f"{name}.png").write_bytes(png(picture))


def pictures() -> dict[str, Pixels]:
    """What the camera sees, `[320, 240, 3]` each, by name."""
    people = [Identity.draw(_SEED, number) for number in range(len(VIEWS))]
    views = [[View.draw(_SEED, number, which, _SPREAD) for which in range(count)] for number, count in enumerate(VIEWS)]
    seen = {
        f"person-{number}-{which}": photograph(people[number], views[number][which], HEIGHT, WIDTH, 0.33).image
        for number, count in enumerate(VIEWS)
        for which in range(count)
    }
    half = [photograph(people[number], views[number][0], HEIGHT, WIDTH // 2, 0.4) for number in range(len(people))]
    seen["two"] = beside(half)[0]
    seen["nobody"] = np.random.default_rng(_SEED).normal((150, 160, 170), 6, (HEIGHT, WIDTH, 3)).round().astype(np.uint8)
    first = seen["person-0-0"]
    seen["dark"] = (first // 6).astype(np.uint8)
    seen["blurred"] = np.asarray(Image.fromarray(first).filter(ImageFilter.GaussianBlur(4)))
    return {name: np.ascontiguousarray(picture) for name, picture in seen.items()}


def _write_level(path: Path, source: Path) -> None:
    """A bundle of one net at two levels, the narrower one the default. In truth they are equally wide, and the level's stored form takes
    nothing from the whole net: who recognises by it must be asked for the templates and thresholds of both all the same."""
    manifest, blobs = _read(source)
    variants = {variant["name"]: variant for variant in manifest["variants"]}
    level, whole = variants[LEVEL], variants[WHOLE]
    model = blobs.pop(level["file"])
    structure = bytes(4) + model
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = deflater.compress(structure) + deflater.flush()
    digests = bytes.fromhex(whole["sha256"]) + bytes.fromhex(level["sha256"])
    stored = struct.pack("<4sHHIII", b"PFPK", 256, 0, len(model), len(structure), len(deflated)) + digests + deflated
    next(file for file in manifest["files"] if file["path"] == level["file"]).update(path="models/level.packed", role="packed-model")
    level.update(file="models/level.packed", packed=True)
    level["bytes"]["stored"] = len(stored)
    across = [{**threshold, "similarity": threshold["similarity"] + ACROSS} for threshold in level["thresholds"]]
    pair = {"enrolled": "100", "probe": "50", "protocol": "drawn", "data_sha256": "0" * 64, "rates": []}
    manifest["default_variant"] = LEVEL
    manifest["levels"] = [
        {
            "whole": WHOLE,
            "levels": [{"name": "100", "variant": WHOLE, "utilisation": 1.0}, {"name": "50", "variant": LEVEL, "utilisation": 0.5}],
            "matching": [{**pair, "thresholds": across, "thresholds_left_out": []}],
        }
    ]
    write_bundle(path, manifest, {**blobs, level["file"]: stored})


def _read(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    with zipfile.ZipFile(path) as container:
        manifest = json.loads(container.read("manifest.json"))
        return manifest, {file["path"]: container.read(file["path"]) for file in manifest["files"]}


def _write(path: Path, source: Path, thresholds: tuple[Threshold, ...]) -> None:
    manifest, blobs = _read(source)
    for variant in manifest["variants"]:
        variant["thresholds"] = [dataclasses.asdict(threshold) for threshold in thresholds]
        variant["thresholds_left_out"] = []
    write_bundle(path, manifest, blobs)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m tests.android.screens FOLDER BUNDLE")
    write_screens(Path(sys.argv[1]), Path(sys.argv[2]))
