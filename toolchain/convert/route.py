"""The way from torch to TFLite: TorchScript's ONNX exporter, onnx2tf, TensorFlow's TFLite converter."""

from __future__ import annotations

import copy
import hashlib
import os
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from toolchain.compress.fold_batch_norm import fold_batch_norms
from toolchain.convert import flatbuffer
from toolchain.errors import ConversionError
from toolchain.kept import KeptBytes
from toolchain.model import Model

OPSET = 17
FORMS = ("float32", "float16")
WORKER = Path(__file__).with_name("tensorflow_worker.py")


class Converter(Protocol):
    """Makes float .tflite files of a model: one signature `serving_default`, input `input` float32 `[1, H, W, 3]` in
    the range that the model's input contract states, output `embedding` float32 `[1, D]`, not normalised.

    The same model gives the same bytes on any machine. Error: ConversionError.
    """

    def float32(self, model: Model) -> bytes:
        """Weights in fp32, computed in fp32."""

    def float16(self, model: Model) -> bytes:
        """Weights stored in fp16, computed in fp32."""


@dataclass(frozen=True)
class Onnx2Tf:
    """The converter of this project. Both forms come from one run of TensorFlow, kept in memory by content, and in
    `cache` where a folder is given, so that variants of the same weights convert once."""

    cache: Path | None = None
    _kept: dict[str, tuple[bytes, bytes]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def float32(self, model: Model) -> bytes:
        return self._both(model)[0]

    def float16(self, model: Model) -> bytes:
        return self._both(model)[1]

    def _both(self, model: Model) -> tuple[bytes, bytes]:
        onnx_bytes = to_onnx(model)
        key = hashlib.sha256(WORKER.read_bytes() + Path(flatbuffer.__file__).read_bytes() + onnx_bytes).hexdigest()
        if key not in self._kept:
            if self.cache is None:
                self._kept[key] = _convert(onnx_bytes)
            else:
                self._kept[key] = _apart(KeptBytes(self.cache).get(key, lambda: _joined(_convert(onnx_bytes))))
        return self._kept[key]


def to_onnx(model: Model) -> bytes:
    """The net as ONNX, batch 1, input `input` `[1, 3, H, W]`, output `embedding` `[1, D]`, batch norm folded.

    By the TorchScript exporter: the files of the newer one change from run to run.
    """
    net: nn.Module = fold_batch_norms(copy.deepcopy(model.net).cpu())
    example = torch.zeros(1, 3, model.input.height, model.input.width)
    _slope_per_channel(net, example)
    with torch.no_grad(), warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        # The exporter warns that it is the older one, and tracing that shapes become constants: both are meant.
        warnings.simplefilter("ignore")
        embedding = net(example)
        if embedding.ndim != 2:
            net = nn.Sequential(net, nn.Flatten(1))
            embedding = net(example)
        if embedding.ndim != 2 or len(embedding) != 1:
            raise ConversionError(f"expected a net that gives [1, D] for one image, got {list(embedding.shape)}")
        path = Path(folder) / "net.onnx"
        try:
            torch.onnx.export(
                net.eval(),
                (example,),
                str(path),
                opset_version=OPSET,
                dynamo=False,
                input_names=[flatbuffer.INPUT],
                output_names=[flatbuffer.OUTPUT],
            )
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
            raise ConversionError(f"torch to ONNX (opset {OPSET}): {_first_line(str(error))}") from None
        return _slopes_of_its_own(path.read_bytes())


@torch.no_grad()
def _slope_per_channel(net: nn.Module, example: Tensor) -> None:
    """Spreads a PReLU's single slope over its channels, in place: the same function, and onnx2tf fails on the former."""
    singles = [layer for layer in net.modules() if isinstance(layer, nn.PReLU) and layer.num_parameters == 1]

    def spread(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.PReLU)
        layer.num_parameters = int(inputs[0].shape[1])
        layer.weight = nn.Parameter(layer.weight.expand(layer.num_parameters).clone())

    hooks = [layer.register_forward_pre_hook(spread) for layer in singles]
    if hooks:
        net(example)
    for hook in hooks:
        hook.remove()


def _slopes_of_its_own(onnx_bytes: bytes) -> bytes:
    """Gives every PReLU slopes of its own. Of equal tensors, as the slopes of an untrained net are, the exporter stores one, and an
    Identity of it for each other layer, which onnx2tf cannot bring to TFLite's order of axes."""
    import onnx

    model = onnx.load_model_from_string(onnx_bytes)
    nodes, held = model.graph.node, {item.name: item for item in model.graph.initializer}
    same = {node.output[0]: node for node in nodes if node.op_type == "Identity" and node.input[0] in held}
    shared = {node.input[1] for node in nodes if node.op_type == "PRelu"} & set(same)
    for name in sorted(shared):
        own = onnx.TensorProto()
        own.CopyFrom(held[same[name].input[0]])
        own.name = name
        model.graph.initializer.append(own)
        nodes.remove(same[name])
    return model.SerializeToString(deterministic=True) if shared else onnx_bytes


def _convert(onnx_bytes: bytes) -> tuple[bytes, bytes]:
    """(float32, float16) from the worker, plain."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "net.onnx").write_bytes(onnx_bytes)  # a copy: onnx2tf overwrites what it reads
        environment = {
            **os.environ,
            "HOME": folder,
            "PYTHONHASHSEED": "0",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_USE_LEGACY_KERAS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "PYTHONWARNINGS": "ignore",
        }
        command = [sys.executable, "-P", str(WORKER), "net.onnx", "."]
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, errors="replace")
        if done.returncode != 0:
            raise ConversionError(f"ONNX to TFLite by onnx2tf: {_last_line(done.stderr or done.stdout)}")
        pair = tuple(flatbuffer.plain((work / f"{name}.tflite").read_bytes()) for name in FORMS)
    return pair[0], pair[1]


def _joined(pair: tuple[bytes, bytes]) -> bytes:
    """Both as one: the length of the first in 8 bytes, then the two."""
    return len(pair[0]).to_bytes(8, "little") + pair[0] + pair[1]


def _apart(joined: bytes) -> tuple[bytes, bytes]:
    """What `_joined` was given."""
    end = 8 + int.from_bytes(joined[:8], "little")
    return joined[8:end], joined[end:]


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else "no message"


def _last_line(text: str) -> str:
    """The last line that names an error, or the last one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line or "error" in line]
    return (errors or lines or ["no message"])[-1]
