"""What a bench can time: one network on one runtime, from an input tensor to an output tensor.

Each runner is given the same float32 picture and the same number of threads. Nothing is measured of what a runtime does once, such as
reading the file; that is timed apart where it matters (packed variants).
"""

from __future__ import annotations

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime_py.bundle import Bundle
from runtime_py.interpreter import runtime
from runtime_py.tensors import input_table, to_tensor
from toolchain.convert.route import to_onnx
from toolchain.errors import DataError, RecipeError
from toolchain.model import Model
from toolchain.parity.host import partitions

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


class Runner(ABC):
    """A network that is ready to run on a picture that it was given. `name` tells it apart in a bench; `runtime` is what runs
    it, with its version; `delegated` says in words what accelerates which part of it."""

    name: str
    runtime: str
    delegated: str

    @abstractmethod
    def run(self) -> Floats:
        """One inference on the picture: the output `[D]`, not normalised."""


class TfliteRunner(Runner):
    """A variant of a bundle on the TFLite runtime that a device has."""

    def __init__(self, bundle: Bundle, name: str, picture: Pixels, threads: int) -> None:
        """`picture` uint8 `[H, W, 3]` RGB. Errors: BundleError, ModelRunError."""
        variant, contract = bundle.variant(name), bundle.manifest.preprocessing.input
        distribution, version, interpreter = runtime()
        self.name = name
        self.runtime = f"{distribution} {version}"
        self._interpreter = interpreter(model_content=bundle.model(name), num_threads=threads)
        self._interpreter.allocate_tensors()
        self.delegated = _in_xnnpack(partitions(self._interpreter))
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._quantization = variant.output.quantization
        self._tensor = to_tensor(picture, contract, input_table(contract, variant.input))[None]

    def run(self) -> Floats:
        self._interpreter.set_tensor(self._input, self._tensor)
        self._interpreter.invoke()
        row: npt.NDArray[Any] = self._interpreter.get_tensor(self._output).reshape(-1)
        if self._quantization is None:
            return row
        return ((row.astype(np.float32) - self._quantization.zero_point) * np.float32(self._quantization.scale)).astype(np.float32)


def _in_xnnpack(count: int | None) -> str:
    if count is None:
        return "unknown: this runtime does not list its operators"
    return "XNNPACK, the whole graph in one part" if count == 1 else f"XNNPACK in {count} parts, others outside it"


class OnnxRuntimeRunner(Runner):
    """The comparison model on onnxruntime's CPU provider."""

    def __init__(self, model: Model, tensor: Floats, threads: int) -> None:
        """`tensor` float32 `[1, 3, H, W]`, as the model takes it."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(to_onnx(model), options, providers=["CPUExecutionProvider"])
        self.name = "onnxruntime"
        self.runtime = f"onnxruntime {onnxruntime.__version__}"
        self.delegated = ", ".join(self._session.get_providers())
        self._feed = {self._session.get_inputs()[0].name: tensor}

    def run(self) -> Floats:
        row: Floats = self._session.run(None, self._feed)[0].reshape(-1)
        return row


class OpenVinoRunner(Runner):
    """The comparison model on OpenVINO's CPU plugin, held to float32: by itself it computes in bfloat16 where a processor can."""

    def __init__(self, model: Model, tensor: Floats, threads: int) -> None:
        """`tensor` float32 `[1, 3, H, W]`, as the model takes it."""
        import openvino

        settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(to_onnx(model)), "CPU", settings)
        self.name = "openvino"
        self.runtime = f"openvino {metadata.version('openvino')}"
        self.delegated = f"CPU plugin, {compiled.get_property('INFERENCE_PRECISION_HINT').get_type_name()}"
        self._request = compiled.create_infer_request()
        self._tensor = tensor

    def run(self) -> Floats:
        row: Floats = next(iter(self._request.infer({0: self._tensor}).values())).reshape(-1)
        return row


class NcnnRunner(Runner):
    """The comparison model on ncnn's CPU kernels, held to float32 arithmetic and storage; pnnx takes it there."""

    def __init__(self, model: Model, tensor: Floats, threads: int) -> None:
        """`tensor` float32 `[1, 3, H, W]`, as the model takes it. Error: DataError where pnnx does not take the model."""
        import ncnn
        import pnnx
        import torch

        self._net = ncnn.Net()
        self._net.opt.num_threads = threads
        self._net.opt.use_fp16_packed = self._net.opt.use_fp16_storage = self._net.opt.use_fp16_arithmetic = False
        self._net.opt.use_bf16_storage = False
        self._net.opt.use_vulkan_compute = False
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "net.pt"
            with _quiet():
                pnnx.export(model.net, str(made), torch.from_numpy(tensor), fp16=False)
            files = [made.with_suffix(f".ncnn.{end}") for end in ("param", "bin")]
            if not all(file.is_file() for file in files):
                raise DataError("ncnn: pnnx wrote no ncnn files of the comparison model; leave ncnn out of --against")
            self._net.load_param(str(files[0]))
            self._net.load_model(str(files[1]))
        self.name = "ncnn"
        self.runtime = f"ncnn {metadata.version('ncnn')}"
        self.delegated = "CPU kernels, float32"
        self._tensor = ncnn.Mat(tensor[0]).clone()  # a Mat of its own: by itself it only points into the array
        self._ends = self._net.input_names()[0], self._net.output_names()[0]

    def run(self) -> Floats:
        extractor = self._net.create_extractor()
        extractor.input(self._ends[0], self._tensor)
        _, result = extractor.extract(self._ends[1])
        return np.array(result, np.float32).reshape(-1)


class _quiet:
    """Sends what a native program writes to the console nowhere while the block runs: pnnx tells of its passes."""

    def __enter__(self) -> None:
        self._kept = [os.dup(stream) for stream in (1, 2)]
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        os.close(nowhere)

    def __exit__(self, *error: object) -> None:
        for stream, kept in zip((1, 2), self._kept, strict=True):
            os.dup2(kept, stream)
            os.close(kept)


_MAKERS: dict[str, Callable[[Model, Floats, int], Runner]] = {
    "onnxruntime": OnnxRuntimeRunner,
    "openvino": OpenVinoRunner,
    "ncnn": NcnnRunner,
}
OTHERS = tuple(_MAKERS)


def other_runner(name: str, model: Model, picture: Pixels, threads: int) -> Runner:
    """The comparison `model` on the runtime of that name, on `picture` uint8 `[H, W, 3]` RGB.

    Errors: RecipeError where the runtime is unknown or not installed; DataError where it does not take the model.
    """
    if name not in OTHERS:
        raise RecipeError(f"--against {name}: expected some of {', '.join(OTHERS)}")
    tensor = to_tensor(picture, model.input, input_table(model.input)).transpose(2, 0, 1)[None].astype(np.float32)
    try:
        return _MAKERS[name](model, np.ascontiguousarray(tensor), threads)
    except ImportError as error:
        raise RecipeError(f"--against {name}: {error.name} is not installed; pip install 'pocketface[bench]'") from None
