from __future__ import annotations

import hashlib
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from runtime_py.embedder import Embedder
from runtime_py.image import read_image
from runtime_py.manifest import InputContract, Preprocessing
from tests.face_bundle import CONTRACT, SIZE, variant_of
from tests.tiny_tflite import tiny_tflite
from toolchain.bundling.golden import GoldenVectors, golden_embeddings, golden_photographs, golden_vectors
from toolchain.data.png import png
from toolchain.detector import packaged_detector, template
from toolchain.errors import ConversionError


def preprocessing(contract: InputContract = CONTRACT) -> Preprocessing:
    return Preprocessing(contract, "nhwc", "float32", "area-bilinear", (template(contract.height, contract.width),))


@pytest.fixture(scope="module")
def golden() -> GoldenVectors:
    return golden_vectors(packaged_detector(), preprocessing())


def test_the_same_build_gives_the_same_vectors(golden: GoldenVectors) -> None:
    again = golden_vectors(packaged_detector(), preprocessing())
    assert again.section == golden.section and again.blobs == golden.blobs and np.array_equal(again.crops, golden.crops)


def test_there_is_one_face_and_several_largest_first(golden: GoldenVectors) -> None:
    assert [len(image["faces"]) for image in golden.section["images"]] == [1, 1, 2]
    boxes = [face["box"] for face in golden.section["images"][2]["faces"]]
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in boxes]
    assert areas[0] > areas[1]
    assert {picture.shape[:2] for picture, _ in golden_photographs()} == {(256, 256), (230, 333), (300, 480)}


def test_everything_is_stored_as_stated(golden: GoldenVectors) -> None:
    faces = [face for image in golden.section["images"] for face in image["faces"]]
    assert golden.crops.shape == (4, 112, 112, 3)
    for face, crop in zip(faces, golden.crops, strict=True):
        assert np.array_equal(read_image(golden.blobs[face["crop"]]), crop)
        assert all(round(value, 2) == value for point in face["key_points"] for value in point)
        # float32: pixel * scale, then + offset, each rounded.
        tensor = crop.astype(np.float32) * np.float32(CONTRACT.scale) + np.float32(CONTRACT.offset)
        assert face["tensor_sha256"] == hashlib.sha256(tensor.astype("<f4").tobytes()).hexdigest()
    assert set(golden.roles) == set(golden.blobs) and set(golden.roles.values()) == {"golden-image", "golden-crop"}


def test_tensors_follow_the_contract(golden: GoldenVectors) -> None:
    other = golden_vectors(packaged_detector(), preprocessing(replace(CONTRACT, color="bgr")))
    assert other.blobs == golden.blobs
    assert other.section["images"][0]["faces"][0]["tensor_sha256"] != golden.section["images"][0]["faces"][0]["tensor_sha256"]


def test_embeddings_are_rounded_and_lose_no_likeness(golden: GoldenVectors) -> None:
    tflite = tiny_tflite(112, 112, SIZE, seed=3)
    embedder = Embedder(variant_of("float", tflite, tflite), CONTRACT, tflite)
    rows = np.frombuffer(golden_embeddings(embedder, golden.crops), "<f4").reshape(4, SIZE).astype(np.float64)
    exact = embedder.embed(golden.crops).astype(np.float64)
    # Half a step of 0.0001, and the rounding of float32.
    assert np.abs(rows - exact).max() <= 0.5e-4 + 1e-7
    cosines = (rows * exact).sum(1) / np.linalg.norm(rows, axis=1)
    # An error e across the embedding moves its cosine by e²/2 at most: e² <= 16 * (0.5e-4)².
    assert 1 - cosines.min() <= 16 * 0.5e-4**2


def test_a_detector_that_does_not_find_the_drawn_faces_stops_the_build() -> None:
    found = packaged_detector()
    strict = replace(found, settings=replace(found.settings, min_score=1.0))
    with pytest.raises(ConversionError, match="expected the detector to find 1 drawn faces, got 0"):
        golden_vectors(strict, preprocessing())
    # Anchors two cells away: the faces are found, but not where they were drawn.
    moved = replace(found, settings=replace(found.settings, anchors=replace(found.settings.anchors, offset=2.5)))
    with pytest.raises(ConversionError, match="expected key points within"):
        golden_vectors(moved, preprocessing())


def test_a_png_carries_notes_and_pixels() -> None:
    pixels = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    with Image.open(io.BytesIO(png(pixels, {"faces": "2"}))) as image:
        assert image.info["faces"] == "2" and np.array_equal(np.asarray(image), pixels)
