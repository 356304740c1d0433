"""A whole bundle that is small enough to damage in every place: a real .tflite of 8x8 pixels to 4 numbers, plain and packed, and one with
a level of half its width."""

from __future__ import annotations

import hashlib
import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.tiny_tflite import tiny_tflite, wide_and_half
from toolchain.pack.packed import pack
from toolchain.pack.prefixes import cut
from toolchain.pack.writer import write_bundle

HEIGHT = WIDTH = 8
EMBEDDING = 4


@pytest.fixture(scope="session")
def tflite() -> bytes:
    return tiny_tflite(HEIGHT, WIDTH, EMBEDDING, seed=0)


@pytest.fixture(scope="session")
def blobs(tflite: bytes) -> dict[str, bytes]:
    pixels = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    picture = io.BytesIO()
    Image.fromarray(pixels).save(picture, "PNG")
    wide, half = wide_and_half()
    return {
        "models/plain.tflite": tflite,
        "models/small.packed": pack(tflite, {}),
        "models/wide.tflite": wide,
        "models/half.packed": cut(half, wide),
        "golden/image.png": picture.getvalue(),
        "golden/crop.png": picture.getvalue(),
        "golden/embeddings.f32": np.array([1, 0, 0, 0], "<f4").tobytes(),
    }


ROLES = {
    "models/plain.tflite": "model",
    "models/small.packed": "packed-model",
    "models/wide.tflite": "model",
    "models/half.packed": "packed-model",
    "golden/image.png": "golden-image",
    "golden/crop.png": "golden-crop",
    "golden/embeddings.f32": "golden-embeddings",
}


@pytest.fixture()
def manifest(blobs: dict[str, bytes]) -> dict[str, Any]:
    """What write_bundle takes: every optional field is there, so that a test of the schema meets each of them."""
    data = "d" * 64
    return {
        "schema": "1.1",
        "name": "tiny",
        "target": {"name": "linux-x86_64", "minimum": {"ai-edge-litert": "2.1"}},
        "preprocessing": {
            "input": {"height": HEIGHT, "width": WIDTH, "color": "rgb", "scale": 2 / 255, "offset": -1.0},
            "layout": "nhwc",
            "dtype": "float32",
            "resampling": "area-bilinear",
            "templates": [
                {"name": "eyes", "points": [{"name": "left-eye", "x": 2.0, "y": 3.0}, {"name": "right-eye", "x": 5.0, "y": 3.0}]},
            ],
        },
        "embedding": {"size": EMBEDDING, "metric": "cosine", "normalisation": "l2"},
        "default_variant": "plain",
        "variants": [
            _variant("plain", "models/plain.tflite", blobs["models/plain.tflite"], blobs),
            _variant("small", "models/small.packed", blobs["models/plain.tflite"], blobs),
            _variant("wide", "models/wide.tflite", blobs["models/wide.tflite"], blobs),
            _variant("half", "models/half.packed", wide_and_half()[1], blobs),
        ],
        "detector": None,
        "golden": {
            "images": [
                {
                    "image": "golden/image.png",
                    "faces": [
                        {
                            "box": [0.0, 0.0, 8.0, 8.0],
                            "score": 0.9,
                            "key_points": [[2.0, 3.0], [5.0, 3.0]],
                            "crop": "golden/crop.png",
                            "tensor_sha256": data,
                        }
                    ],
                }
            ],
            "pixel_tolerance": 0.5,
            "crop_tolerance": 1,
        },
        "recipe": {"name": "tiny", "seed": 0, "weights_sha256": data, "packages": {"numpy": "1.26.4"}, "description": {"stages": []}},
        "licences": [{"covers": "the model", "spdx": "Apache-2.0", "terms": "none"}],
        "data": [{"name": "noise", "use": "training", "licence": "CC0-1.0", "sha256": data}],
        "files": [{"path": path, "role": role} for path, role in ROLES.items()],
        "levels": [_LEVELS],
    }


_THRESHOLD = {
    "fmr": 0.001,
    "similarity": 0.3,
    "fmr_low": 0.0005,
    "fmr_high": 0.002,
    "comparisons": 10000,
    "independent": 40,
    "data_sha256": "d" * 64,
}
_LEVELS = {
    "whole": "wide",
    "levels": [{"name": "100", "variant": "wide", "utilisation": 1}, {"name": "50", "variant": "half", "utilisation": 0.5}],
    "matching": [
        {
            "enrolled": "100",
            "probe": "50",
            "protocol": "all pairs",
            "data_sha256": "d" * 64,
            "rates": [{"far": 0.001, "tar": 0.9}],
            "thresholds": [{**_THRESHOLD, "similarity": 0.4}],
            "thresholds_left_out": [{"fmr": 0.0001, "reason": "too few faces"}],
        }
    ],
}


def _variant(name: str, file: str, model: bytes, blobs: dict[str, bytes]) -> dict[str, Any]:
    return {
        "name": name,
        "file": file,
        "packed": file.endswith(".packed"),
        "sha256": hashlib.sha256(model).hexdigest(),
        "size": len(model),
        "input": {"name": "input", "dtype": "float32", "shape": [1, HEIGHT, WIDTH, 3], "quantization": None},
        "output": {"name": "embedding", "dtype": "float32", "shape": [1, EMBEDDING]},
        "bytes": {"raw": len(model), "gzip": len(zlib.compress(model, 9)), "stored": len(blobs[file])},
        "golden": "golden/embeddings.f32",
        "golden_min_cosine": 0.999,
        "parity": [{"runtime": "litert 2.3.0", "against": "torch", "faces": 256, "max_abs": 1e-5, "min_cosine": 1.0, "p1_cosine": 1.0}],
        "accuracy": [{"protocol": "lfw-view2", "data_sha256": "d" * 64, "value": 0.99, "std": 0.005}],
        "thresholds": [_THRESHOLD],
    }


@pytest.fixture()
def bundle_path(tmp_path: Path, manifest: dict[str, Any], blobs: dict[str, bytes]) -> Path:
    path = tmp_path / "tiny.pface"
    write_bundle(path, manifest, blobs)
    return path


@pytest.fixture()
def bundle_bytes(bundle_path: Path) -> bytes:
    return bundle_path.read_bytes()
