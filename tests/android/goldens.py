"""Writes what the Python runtime makes of photographs by a bundle, step by step, for the Java SDK's tests to compare with.

    python -m tests.android.goldens FOLDER BUNDLE...
    mvn -f android_demo/pom.xml -pl sdk test -Dpocketface.goldens=FOLDER

FOLDER gets copies of the bundles, photographs and crops as PNG, embeddings as float32, and `goldens.json`:

    {"bundles": [{"file", "photographs": [{"image", "faces": [{"box", "score", "key_points", "crop"}]}],
                  "variants": [{"name", "model_sha256", "tensor_sha256": [one a face], "embeddings"}],
                  "checks": [[name of a check of the self-test, whether it passed]]}]}

FOLDER/people gets people files: see tests/android/people.py.

Nothing in it is rounded: floats are written as their shortest decimal form, from which every language reads the same double.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from runtime_py.bundle import Bundle
from runtime_py.embedder import Embedder
from runtime_py.image import Pixels
from runtime_py.recognizer import Face, finder
from runtime_py.selftest import selftest
from tests.android.people import write_people
from toolchain.bundling.golden import golden_photographs
from toolchain.data.png import png
from toolchain.data.synthetic import Identity, View, beside, photograph

_SEED = 77


def photographs() -> dict[str, Pixels]:
    """Drawn pictures that meet every branch of the way from a photograph to a crop: those of a bundle's golden vectors; a face so near
    that the crop is reduced before it is sampled, in a picture whose sides are no multiple of the reduction; faces that the picture's
    edge cuts; a picture smaller than the detector's input; one with no face."""
    persons = [Identity.draw(_SEED, number) for number in range(5)]
    views = [View.draw(_SEED, number, 0) for number in range(5)]
    near = photograph(persons[0], views[0], 1103, 907, 0.33).image
    large, small = photograph(persons[1], views[1], 260, 220, 0.3), photograph(persons[2], views[2], 150, 140, 0.26)
    both, _ = beside((large, small))
    pictures = {f"golden-{number}": picture for number, (picture, _) in enumerate(golden_photographs())}
    pictures |= {
        "near": near,
        "two": both,
        "cut": photograph(persons[3], views[3], 300, 300, 0.4).image[40:290, 62:],
        "small": photograph(persons[4], views[4], 97, 61, 0.3).image,
        "noise": np.random.default_rng(_SEED).integers(0, 256, (120, 160, 3), dtype=np.uint8),
    }
    return {name: np.ascontiguousarray(picture) for name, picture in pictures.items()}


def write_goldens(folder: Path, bundles: list[Path]) -> None:
    """Writes `folder`, which must not be there, for `bundles` of distinct names."""
    folder.mkdir(parents=True)
    pictures = photographs()
    for name, picture in pictures.items():
        (folder / f"{name}.png").write_bytes(png(picture))
    goldens = {"bundles": [_bundle(folder, path, pictures) for path in bundles]}
    (folder / "goldens.json").write_text(json.dumps(goldens, indent=1))
    write_people(folder)


def _bundle(folder: Path, path: Path, pictures: dict[str, Pixels]) -> dict[str, Any]:
    bundle = Bundle.open(path)
    shutil.copyfile(path, folder / path.name)
    found = finder(bundle)
    seen: list[Pixels] = []
    pages = []
    for name, picture in pictures.items():
        faces = []
        for number, face in enumerate(found.faces(picture)):
            crop = f"{path.stem}-{name}-{number}.png"
            (folder / crop).write_bytes(png(face.crop))
            seen.append(face.crop)
            faces.append(_face(face, crop))
        pages.append({"image": f"{name}.png", "faces": faces})
    variants = [_variant(folder, path.stem, bundle, name, np.stack(seen)) for name in bundle.variants]
    checks = [[check.name, check.passed] for check in selftest(bundle)]
    return {"file": path.name, "photographs": pages, "variants": variants, "checks": checks}


def _face(face: Face, crop: str) -> dict[str, Any]:
    detection = face.detection
    return {"box": list(detection.box), "score": detection.score, "key_points": detection.key_points.tolist(), "crop": crop}


def _variant(folder: Path, stem: str, bundle: Bundle, name: str, crops: Pixels) -> dict[str, Any]:
    model = bundle.model(name)
    embedder = Embedder(bundle.variant(name), bundle.manifest.preprocessing.input, model)
    tensors = [embedder.tensor(crop) for crop in crops]
    embeddings = f"{stem}-{name}.f32"
    (folder / embeddings).write_bytes(embedder.embed(crops).astype("<f4").tobytes())
    return {
        "name": name,
        "model_sha256": hashlib.sha256(model).hexdigest(),
        "tensor_sha256": [hashlib.sha256(np.ascontiguousarray(tensor).tobytes()).hexdigest() for tensor in tensors],
        "embeddings": embeddings,
    }


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python -m tests.android.goldens FOLDER BUNDLE...")
    write_goldens(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
