"""A whole bundle for faces of 112 x 112: the real detector, golden vectors, and a random net in three forms. What the net finds alike is of
no use, but everything from a photograph to an embedding is real."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from runtime_py.embedder import Embedder
from runtime_py.manifest import (
    Bytes,
    InputContract,
    Licence,
    Preprocessing,
    Quantization,
    RecipeRecord,
    Target,
    TensorSpec,
    Threshold,
    Variant,
)
from tests.tiny_tflite import tiny_tflite, with_int8_ends
from toolchain.bundling.golden import golden_embeddings, golden_vectors
from toolchain.detector import packaged_detector, template
from toolchain.pack.packed import pack
from toolchain.pack.writer import write_bundle

SIZE = 16
CONTRACT = InputContract(112, 112, "rgb", 2 / 255, -1.0)
INT8_INPUT, INT8_OUTPUT = (2 / 255, 0), (0.25, 3)
_NO_DATA = "0" * 64


def write_face_bundle(path: Path, detector: bool = True) -> None:
    """Variants `float`, `int8` (input and output are int8) and `packed`; without a detector on demand."""
    model = tiny_tflite(112, 112, SIZE, seed=3)
    preprocessing = Preprocessing(CONTRACT, "nhwc", "float32", "area-bilinear", (template(112, 112),))
    found = packaged_detector()
    golden = golden_vectors(found, preprocessing)
    models = {"float": model, "int8": with_int8_ends(model, INT8_INPUT, INT8_OUTPUT), "packed": model}
    blobs, roles = dict(golden.blobs), dict(golden.roles)
    variants = []
    for name, tflite in models.items():
        stored = pack(tflite, {}) if name == "packed" else tflite
        variant = variant_of(name, tflite, stored)
        blobs[variant.file], roles[variant.file] = stored, "packed-model" if variant.packed else "model"
        blobs[variant.golden] = golden_embeddings(Embedder(variant, CONTRACT, tflite), golden.crops)
        roles[variant.golden] = "golden-embeddings"
        variants.append(variant)
    if detector:
        blobs[found.settings.file], roles[found.settings.file] = found.tflite, "detector"
    manifest = {
        "schema": "1.0",
        "name": "random",
        "target": dataclasses.asdict(Target("linux-x86_64", {"ai-edge-litert": "2.1"})),
        "preprocessing": dataclasses.asdict(preprocessing),
        "embedding": {"size": SIZE, "metric": "cosine", "normalisation": "l2"},
        "default_variant": "float",
        "variants": [dataclasses.asdict(variant) for variant in variants],
        "detector": dataclasses.asdict(found.settings) if detector else None,
        "golden": golden.section,
        "recipe": dataclasses.asdict(RecipeRecord("random", 3, _NO_DATA, {"numpy": "1.26.4"}, {})),
        "licences": [dataclasses.asdict(found.licence), dataclasses.asdict(Licence("the model", "Apache-2.0", "random numbers"))],
        "data": [],
        "files": [{"path": blob, "role": role} for blob, role in roles.items()],
    }
    write_bundle(path, json.loads(json.dumps(manifest)), blobs)


def variant_of(name: str, tflite: bytes, stored: bytes) -> Variant:
    """What a manifest says of it; `int8` has int8 ends, `packed` is packed, `float` has a threshold."""
    kind = "int8" if name == "int8" else "float32"
    runs = Interpreter(model_content=tflite)
    ends = (runs.get_input_details()[0], runs.get_output_details()[0])
    taken, given = (
        TensorSpec(
            end["name"],
            kind,
            tuple(int(size) for size in end["shape"]),
            None if kind == "float32" else Quantization(float(end["quantization"][0]), int(end["quantization"][1])),
        )
        for end in ends
    )
    return Variant(
        name=name,
        file=f"models/{name}",
        packed=name == "packed",
        sha256=hashlib.sha256(tflite).hexdigest(),
        size=len(tflite),
        input=taken,
        output=given,
        bytes=Bytes(len(tflite), len(gzip.compress(tflite, mtime=0)), len(stored)),
        golden=f"golden/{name}.f32",
        golden_min_cosine=0.999,
        parity=(),
        accuracy=(),
        thresholds=(Threshold(0.001, 0.5, 0.0005, 0.002, 1000, 40, _NO_DATA),) if name == "float" else (),
    )
