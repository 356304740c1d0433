from __future__ import annotations

import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRt

from runtime_py.embedder import Embedder
from runtime_py.errors import EmbeddingError, ImageArrayError, ModelRunError
from runtime_py.manifest import InputContract, Quantization, TensorSpec, Variant
from runtime_py.tensors import input_table, to_tensor
from tests.face_bundle import CONTRACT, INT8_INPUT, INT8_OUTPUT, SIZE, variant_of
from tests.tiny_tflite import layers, tiny_tflite, with_int8_ends

CROPS = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def tflite() -> bytes:
    return tiny_tflite(112, 112, SIZE, seed=3)


@pytest.fixture(scope="module")
def variant(tflite: bytes) -> Variant:
    return variant_of("float", tflite, tflite)


@pytest.fixture(scope="module")
def embedder(tflite: bytes, variant: Variant) -> Embedder:
    return Embedder(variant, CONTRACT, tflite)


def direct(tflite: bytes, tensor: np.ndarray) -> np.ndarray:
    runs = LiteRt(model_content=tflite, num_threads=1)
    runs.allocate_tensors()
    runs.set_tensor(runs.get_input_details()[0]["index"], tensor)
    runs.invoke()
    return runs.get_tensor(runs.get_output_details()[0]["index"])[0]


# From pixels to tensors


def test_a_tensor_value_is_pixel_times_scale_plus_offset_in_float32() -> None:
    table = input_table(InputContract(scale=1 / 127.5, offset=-1.0))
    assert table.dtype == np.float32
    assert table.tolist() == [float(np.float32(np.float32(pixel) * np.float32(1 / 127.5)) + np.float32(-1.0)) for pixel in range(256)]


def test_bgr_turns_the_channels() -> None:
    contract = InputContract(112, 112, "bgr", 1.0, 0.0)
    assert np.array_equal(to_tensor(CROPS[0], contract, input_table(contract)), CROPS[0, :, :, ::-1].astype(np.float32))


def test_an_integer_tensor_is_rounded_half_up_and_cut() -> None:
    spec = TensorSpec("input", "int8", (1, 112, 112, 3), Quantization(2.0, -100))
    table = input_table(InputContract(scale=1.0, offset=-5.0), spec)
    # (pixel - 5) / 2 - 100: pixel 0 gives -102.5, rounded up; pixel 255 gives 25.
    assert table.dtype == np.int8 and table[:4].tolist() == [-102, -102, -101, -101] and table[255] == 25
    assert input_table(InputContract(scale=100.0, offset=0.0), spec)[255] == 127


# From crops to embeddings


def test_embeddings_are_the_models_output_at_length_one(embedder: Embedder, tflite: bytes) -> None:
    rows = embedder.embed(CROPS)
    assert rows.shape == (3, SIZE) and rows.dtype == np.float32
    for row, crop in zip(rows, CROPS, strict=True):
        expected = direct(tflite, to_tensor(crop, CONTRACT, input_table(CONTRACT))[None]).astype(np.float64)
        # float32 rounding of a component of at most 1: half of 2^-23.
        assert np.abs(row - expected / np.linalg.norm(expected)).max() <= 2**-24
        assert np.array_equal(embedder.embed(crop), row)


def test_no_crops_give_no_embeddings(embedder: Embedder) -> None:
    assert embedder.embed(CROPS[:0]).shape == (0, SIZE)


def test_int8_takes_and_gives_what_its_contract_says(tflite: bytes) -> None:
    int8 = with_int8_ends(tflite, INT8_INPUT, INT8_OUTPUT)
    row = Embedder(variant_of("int8", int8, int8), CONTRACT, int8).embed(CROPS[0])
    # Input scale 2/255 with zero point 0: pixel 0 is -127.5, which rounds up to -127, so integers are pixel - 127 with 255 cut to 127.
    tensor = np.clip(CROPS[0].astype(int) - 127, -128, 127).astype(np.int8)
    raw = direct(int8, tensor[None]).astype(np.float64)
    expected = (raw - INT8_OUTPUT[1]) * INT8_OUTPUT[0]
    assert np.abs(row - expected / np.linalg.norm(expected)).max() <= 2**-24


def test_more_threads_give_the_same_embeddings(tflite: bytes, variant: Variant, embedder: Embedder) -> None:
    # Float sums may be taken in another order: 37,632 terms of at most 0.25, far below 1e-4 of an embedding of length 1.
    assert np.abs(Embedder(variant, CONTRACT, tflite, threads=2).embed(CROPS) - embedder.embed(CROPS)).max() < 1e-4


def test_threads_do_not_disturb_one_another(embedder: Embedder) -> None:
    expected = [embedder.embed(crop) for crop in CROPS]
    wrong = []

    def work(which: int) -> None:
        for _ in range(30):
            if not np.array_equal(embedder.embed(CROPS[which]), expected[which]):
                wrong.append(which)

    threads = [threading.Thread(target=work, args=(which,)) for which in (0, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# What is refused


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((111, 112, 3), np.uint8),
        np.zeros((112, 112), np.uint8),
        np.zeros((112, 112, 4), np.uint8),
        np.zeros((112, 112, 3), np.float32),
        np.full((112, 112, 3), np.nan),
        np.zeros((1, 1, 112, 112, 3), np.uint8),
        np.zeros((3, 112, 112), np.uint8),
    ],
)
def test_arrays_that_are_no_aligned_crops_are_refused(embedder: Embedder, array: np.ndarray) -> None:
    with pytest.raises(ImageArrayError, match=r"aligned uint8 RGB \[112, 112, 3\]"):
        embedder.embed(array)


def test_an_embedding_of_zeros_is_an_error() -> None:
    zeros = layers([112, 112, 3], [np.zeros((SIZE, 37632), np.int8)], seed=None)
    with pytest.raises(EmbeddingError, match="length above 0, got 0.0"):
        Embedder(variant_of("float", zeros, zeros), CONTRACT, zeros).embed(CROPS[0])


def test_an_embedding_that_is_not_finite_is_an_error(tflite: bytes, variant: Variant) -> None:
    for scale in (3e38, 1e300):  # the one overflows to infinity in float32, the other is infinity there
        wild = InputContract(112, 112, "rgb", scale, 0.0)
        with pytest.raises(EmbeddingError, match="finite"), warnings.catch_warnings(action="error"):
            Embedder(variant, wild, tflite).embed(CROPS[0])


def test_a_model_that_is_not_what_its_variant_says_is_refused(tflite: bytes, variant: Variant) -> None:
    stated = replace(variant, output=replace(variant.output, shape=(1, 7)))
    with pytest.raises(ModelRunError, match=r"expected output float32 \[1, 7\], got float32 \[1, 16\]"):
        Embedder(stated, CONTRACT, tflite)
    int8 = with_int8_ends(tflite, INT8_INPUT, INT8_OUTPUT)
    stated = variant_of("int8", int8, int8)
    stated = replace(stated, input=replace(stated.input, quantization=Quantization(0.5, 0)))
    with pytest.raises(ModelRunError, match="expected input with scale 0.5"):
        Embedder(stated, CONTRACT, int8)
    with pytest.raises(ModelRunError, match="cannot run this model"):
        Embedder(variant, CONTRACT, b"not a model at all")
