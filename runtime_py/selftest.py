"""Runs a bundle's golden vectors: does this machine compute what the machine that built the bundle did?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from runtime_py.bundle import Bundle
from runtime_py.embedder import Embedder
from runtime_py.errors import PocketFaceError
from runtime_py.image import Pixels, describe_array, read_image
from runtime_py.manifest import GoldenFace, GoldenImage
from runtime_py.recognizer import Finder, finder
from runtime_py.tensors import input_table, to_tensor


@dataclass(frozen=True)
class Check:
    """One thing that was checked, whether it held, and the figure that says so."""

    name: str
    passed: bool
    detail: str


def selftest(bundle: Bundle, threads: int = 1) -> tuple[Check, ...]:
    """Every golden vector: the detector finds the faces where they are, the crop aligned on the stored key points is the stored
    crop, the tensor of the stored crop is the stated one, and each variant's embeddings of the stored crops are the stored ones.

    What cannot be run at all is a check that failed, not an error.
    """
    golden = bundle.manifest.golden
    checks: list[Check] = []
    try:
        found = finder(bundle, threads) if bundle.manifest.detector is not None else None
    except PocketFaceError as error:
        checks.append(Check("detector", False, str(error)))
        found = None
    if found is not None:
        for image in golden.images:
            checks += _check_image(bundle, image, found)
    faces = [face for image in golden.images for face in image.faces]
    try:
        crops = [read_image(bytes(bundle.blob(face.crop)), face.crop) for face in faces]
    except PocketFaceError as error:
        return (*checks, Check("crops", False, str(error)))
    checks += [_check_tensor(bundle, face, crop) for face, crop in zip(faces, crops, strict=True)]
    checks += [_check_variant(bundle, name, crops, threads) for name in bundle.variants]
    return tuple(checks)


def _check_image(bundle: Bundle, image: GoldenImage, found: Finder) -> list[Check]:
    """Boxes and key points, then the crop on the stored key points, of each face of a photograph."""
    golden = bundle.manifest.golden
    try:
        photograph = read_image(bytes(bundle.blob(image.image)), image.image)
        detections = found.detector.find(photograph)
    except PocketFaceError as error:
        return [Check(f"detect {image.image}", False, str(error))]
    if len(detections) != len(image.faces):
        return [Check(f"detect {image.image}", False, f"expected {len(image.faces)} faces, found {len(detections)}")]
    checks = []
    for number, (face, detection) in enumerate(zip(image.faces, detections, strict=True)):
        stated = np.concatenate([np.reshape(face.box, (2, 2)), np.array(face.key_points)])
        seen = np.concatenate([np.reshape(detection.box, (2, 2)), detection.key_points])
        away = float(np.abs(stated - seen).max()) if stated.shape == seen.shape else float("inf")
        detail = f"points within {away:.4f} pixels (at most {golden.pixel_tolerance:g})"
        checks.append(Check(f"detect {image.image}#{number}", away <= golden.pixel_tolerance, detail))
        checks.append(_check_crop(bundle, face, photograph, found))
    return checks


def _check_crop(bundle: Bundle, face: GoldenFace, photograph: Pixels, found: Finder) -> Check:
    golden = bundle.manifest.golden
    try:
        stored = read_image(bytes(bundle.blob(face.crop)), face.crop)
        crop = found.crop(photograph, np.array(face.key_points, np.float64))
    except PocketFaceError as error:
        return Check(f"align {face.crop}", False, str(error))
    if crop.shape != stored.shape:
        return Check(f"align {face.crop}", False, f"expected {describe_array(stored)}, got {describe_array(crop)}")
    away = int(np.abs(crop.astype(np.int16) - stored).max())
    return Check(f"align {face.crop}", away <= golden.crop_tolerance, f"crop within {away} grey levels (at most {golden.crop_tolerance})")


def _check_tensor(bundle: Bundle, face: GoldenFace, crop: Pixels) -> Check:
    contract = bundle.manifest.preprocessing.input
    tensor = to_tensor(crop, contract, input_table(contract))
    digest = hashlib.sha256(tensor.astype("<f4").tobytes()).hexdigest()
    return Check(f"tensor {face.crop}", digest == face.tensor_sha256, f"sha256 {digest[:16]}… (expected {face.tensor_sha256[:16]}…)")


def _check_variant(bundle: Bundle, name: str, crops: list[Pixels], threads: int) -> Check:
    variant = bundle.variant(name)
    try:
        embedder = Embedder(variant, bundle.manifest.preprocessing.input, bundle.model(name), threads)
        seen = np.array([embedder.embed(crop) for crop in crops], np.float64).reshape(len(crops), -1)
    except PocketFaceError as error:
        return Check(f"embed {name}", False, str(error))
    stated = np.frombuffer(bundle.blob(variant.golden), "<f4").reshape(len(crops), -1).astype(np.float64)
    lengths = np.sqrt((stated * stated).sum(axis=1)) * np.sqrt((seen * seen).sum(axis=1))
    least = float(((stated * seen).sum(axis=1) / np.maximum(lengths, 1e-12)).min(initial=1.0))
    passed = bool(least >= variant.golden_min_cosine)  # False for NaN
    return Check(f"embed {name}", passed, f"cosine at least {least:.6f} over {len(crops)} faces (bound {variant.golden_min_cosine:g})")
