"""From aligned crops to embeddings of length 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime_py.errors import EmbeddingError, ImageArrayError, ModelRunError
from runtime_py.image import Pixels, describe_array
from runtime_py.interpreter import Interpreter, shape_of
from runtime_py.manifest import InputContract, TensorSpec, Variant
from runtime_py.tensors import input_table, to_tensor

Embeddings = npt.NDArray[np.float32]


class Embedder:
    """One variant of a model. May be shared between threads."""

    def __init__(self, variant: Variant, contract: InputContract, tflite: bytes, threads: int = 1) -> None:
        """Errors: ModelRunError where the model's tensors are not those that the variant states; RuntimeMissingError."""
        self.variant = variant
        self.contract = contract
        self.interpreter = Interpreter(tflite, f"variant {variant.name}", threads)
        if len(self.interpreter.outputs) != 1:
            raise ModelRunError(f"variant {variant.name}: expected a model of one output, got {len(self.interpreter.outputs)}")
        _check(variant, "input", variant.input, self.interpreter.inputs[0])
        _check(variant, "output", variant.output, self.interpreter.outputs[0])
        self._table = input_table(contract, variant.input)

    def embed(self, crops: npt.NDArray[np.generic]) -> Embeddings:
        """Embeddings `[N, D]` of crops `[N, H, W, 3]`, or `[D]` of one `[H, W, 3]`: uint8 RGB, aligned, of the model's size.

        Errors: ImageArrayError for any other array; EmbeddingError where the model gives NaN, infinity or zeros.
        """
        pixels = self._checked(crops)
        if pixels.ndim == 3:
            return self._embed(pixels)
        rows = [self._embed(crop) for crop in pixels]
        return np.stack(rows) if rows else np.zeros((0, self.variant.output.shape[-1]), np.float32)

    def tensor(self, crop: Pixels) -> npt.NDArray[Any]:
        """The model's input `[1, H, W, 3]` for a crop `[H, W, 3]`."""
        return to_tensor(crop, self.contract, self._table)[None]

    def _embed(self, crop: Pixels) -> Embeddings:
        output = self.interpreter.run(self.tensor(crop))[0].reshape(-1)
        quantization = self.variant.output.quantization
        values = output.astype(np.float64)
        if quantization is not None:
            values = (values - quantization.zero_point) * quantization.scale
        length = math.sqrt(float((values * values).sum()))
        if not math.isfinite(length) or length < _LEAST_LENGTH:
            raise EmbeddingError(
                f"variant {self.variant.name}: expected an embedding of finite length above 0, got {length}; run selftest on the bundle"
            )
        return (values / length).astype(np.float32)

    def _checked(self, crops: npt.NDArray[np.generic]) -> Pixels:
        height, width = self.contract.height, self.contract.width
        fits = isinstance(crops, np.ndarray) and crops.dtype == np.uint8 and crops.ndim in (3, 4) and crops.shape[-3:] == (height, width, 3)
        if not fits:
            raise ImageArrayError(
                f"embed: expected aligned uint8 RGB [{height}, {width}, 3] or [N, {height}, {width}, 3], got {describe_array(crops)}; "
                "align a photograph with faces() first"
            )
        return crops.view(np.uint8)


_LEAST_LENGTH = 1e-12


def _check(variant: Variant, what: str, spec: TensorSpec, details: dict[str, Any]) -> None:
    """The runtime's view of a tensor is the manifest's."""
    dtype, shape = np.dtype(details["dtype"]).name, shape_of(details)
    if (dtype, shape) != (spec.dtype, spec.shape):
        raise ModelRunError(
            f"variant {variant.name}: expected {what} {spec.dtype} {list(spec.shape)}, got {dtype} {list(shape)}; build the bundle again"
        )
    if spec.quantization is not None:
        scale, zero_point = details["quantization"]
        # The runtime holds the scale as float32; the manifest may hold it with fewer or more digits.
        if np.float32(scale) != np.float32(spec.quantization.scale) or zero_point != spec.quantization.zero_point:
            raise ModelRunError(
                f"variant {variant.name}: expected {what} with scale {spec.quantization.scale} and zero point "
                f"{spec.quantization.zero_point}, got {scale} and {zero_point}; build the bundle again"
            )
