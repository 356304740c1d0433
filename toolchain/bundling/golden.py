"""Golden vectors: what a right runtime gives, from a drawn photograph to the embedding of each variant.

The photographs are drawn (toolchain.data.synthetic), so a bundle carries no person's picture, and are stored as PNG, since JPEG
decoders differ. What depends on a processor's last bits is rounded to a stated step, so that builds agree: points to 0.01 pixel,
scores to 0.001, components of embeddings to 0.0001 (for 512 components that moves a cosine by less than 1e-6).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime_py.detector import Detection
from runtime_py.embedder import Embedder
from runtime_py.manifest import Preprocessing
from runtime_py.recognizer import Finder
from runtime_py.tensors import input_table, to_tensor
from toolchain.data.png import png
from toolchain.data.synthetic import Identity, View, beside, photograph
from toolchain.detector import PackagedDetector
from toolchain.errors import ConversionError

PIXEL_TOLERANCE = 0.1
"""Detected points. Runtimes' float32 convolutions differ by about 1e-5 of the 256 pixels that the detector sees, which are at most
two pixels of these photographs: 0.005; rounding adds 0.005. The rest is for processors that were not measured."""
CROP_TOLERANCE = 1
"""Grey levels. The resampler is exact in doubles; one level is for a language whose compiler fuses a multiplication and an addition."""

_SEED = 2024
_MOST_AWAY = 0.35  # of the distance between the eyes: more than the key points of any of 120 drawn faces were off
_WHAT_TO_DO = "this machine's TFLite runtime does not compute what it should; install another version of it"

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class GoldenVectors:
    """`section` is the manifest's `golden`; `blobs` its PNG files; `roles` the role of each; `crops` uint8 `[N, H, W, 3]` the aligned
    faces, whose embeddings each variant adds."""

    section: dict[str, Any]
    blobs: dict[str, bytes]
    roles: dict[str, str]
    crops: Pixels


def golden_photographs() -> tuple[tuple[Pixels, tuple[npt.NDArray[np.float64], ...]], ...]:
    """The photographs and the key points that were drawn in each: one face, one that is turned and in a wide picture, and two of
    different size in one picture."""
    persons = [Identity.draw(_SEED, number) for number in range(4)]
    views = [View.draw(_SEED, number, 0) for number in range(4)]
    one = photograph(persons[0], views[0], 256, 256)
    wide = photograph(persons[1], views[1], 230, 333)
    large, small = photograph(persons[2], views[2], 300, 280, 0.27), photograph(persons[3], views[3], 240, 200, 0.22)
    both, points = beside((large, small))
    return (one.image, (one.key_points,)), (wide.image, (wide.key_points,)), (both, points)


def golden_vectors(detector: PackagedDetector, preprocessing: Preprocessing) -> GoldenVectors:
    """Everything up to the input tensor. The crop is aligned on the rounded key points, so that it can be checked by itself.

    Error: ConversionError where the detector does not find the drawn faces where they were drawn: then it does not work here.
    """
    finder = Finder(detector.settings, preprocessing, detector.tflite)
    table = input_table(preprocessing.input)
    images, blobs, roles, crops = [], {}, {}, []
    for number, (picture, drawn) in enumerate(golden_photographs()):
        path = f"golden/photo-{number}.png"
        blobs[path], roles[path] = png(picture), "golden-image"
        faces = []
        for which, found in enumerate(_found(path, finder.detector.find(picture), drawn)):
            crop_path = f"golden/photo-{number}-face-{which}.png"
            key_points = np.round(found.key_points, 2)
            crop = finder.crop(picture, key_points)
            blobs[crop_path], roles[crop_path] = png(crop), "golden-crop"
            crops.append(crop)
            tensor = to_tensor(crop, preprocessing.input, table).astype("<f4")
            faces.append(
                {
                    "box": [round(value, 2) for value in found.box],
                    "score": round(found.score, 3),
                    "key_points": [[float(x), float(y)] for x, y in key_points],
                    "crop": crop_path,
                    "tensor_sha256": hashlib.sha256(tensor.tobytes()).hexdigest(),
                }
            )
        images.append({"image": path, "faces": faces})
    section = {"images": images, "pixel_tolerance": PIXEL_TOLERANCE, "crop_tolerance": CROP_TOLERANCE}
    return GoldenVectors(section, blobs, roles, np.stack(crops))


def golden_embeddings(embedder: Embedder, crops: Pixels) -> bytes:
    """A variant's golden blob: the embeddings `[N, D]` of `crops`, float32 little-endian, components rounded to 0.0001."""
    # Adding 0 turns -0.0 into 0.0, which would be other bytes of the same number.
    return (np.round(embedder.embed(crops).astype(np.float64), 4) + 0.0).astype("<f4").tobytes()


def _found(path: str, found: tuple[Detection, ...], drawn: tuple[npt.NDArray[np.float64], ...]) -> tuple[Detection, ...]:
    if len(found) != len(drawn):
        raise ConversionError(f"{path}: expected the detector to find {len(drawn)} drawn faces, got {len(found)}; {_WHAT_TO_DO}")
    for points in drawn:
        apart = float(np.linalg.norm(points[0] - points[1]))
        away = min(float(np.abs(face.key_points[:4] - points[:4]).max()) for face in found)
        if away > _MOST_AWAY * apart:
            raise ConversionError(
                f"{path}: expected key points within {_MOST_AWAY * apart:.1f} pixels of those drawn, got {away:.1f}; {_WHAT_TO_DO}"
            )
    return found
