"""A small face embedder with everything that conversion has to get right, and its conversions, each made once a session."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from runtime_py.bundle import InputContract
from toolchain.compress.calibrate import Calibrate
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.convert.route import Onnx2Tf
from toolchain.data.faces import Faces
from toolchain.encodings import Binary, Encoding, Palette
from toolchain.model import Model
from toolchain.progress import Progress
from toolchain.stage import Context

SIDE = 16
CONTRACT = InputContract(SIDE, SIDE, "bgr", 2 / 255, -1.0)


class TinyNet(nn.Module):
    """Strided conv, depthwise conv, residual 1×1 conv, all with batch norm; PReLU with one slope a channel and with one in all,
    ReLU; flatten of a 4×4 map (TFLite orders it differently) and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8))
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.project = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8))
        self.shrink = nn.Sequential(nn.Conv2d(8, 12, 3, 2, 1), nn.BatchNorm2d(12), nn.PReLU())
        self.linear = nn.Linear(12 * 4 * 4, 10)
        self.norm = nn.BatchNorm1d(10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.project(self.depthwise(x))
        return self.norm(self.linear(torch.flatten(self.shrink(x), 1)))


def tiny_model(seed: int = 0) -> Model:
    """Untrained, with batch norms that do something: drawn statistics and gains."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = TinyNet().eval()
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.uniform_(layer.weight, 0.5, 2.0)
                nn.init.uniform_(layer.bias, -0.5, 0.5)
                assert layer.running_mean is not None and layer.running_var is not None
                nn.init.uniform_(layer.running_mean, -0.5, 0.5)
                nn.init.uniform_(layer.running_var, 0.5, 2.0)
            elif isinstance(layer, nn.PReLU):
                nn.init.uniform_(layer.weight, 0.1, 0.4)
    return Model(net, CONTRACT)


def images(count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Smooth random pictures `[N, SIDE, SIDE, 3]`: bilinear from 4×4, so that nets see structure and not noise alone."""
    drawn = torch.from_numpy(np.random.default_rng(seed).uniform(0, 255, (count, 3, 4, 4))).float()
    return nn.functional.interpolate(drawn, SIDE, mode="bilinear").permute(0, 2, 3, 1).numpy().astype(np.uint8)


def faces(count: int) -> Faces:
    return Faces(images(count), tuple(f"{row // 4}/{row}.png" for row in range(count)))


def context(folder: Path) -> Context:
    return Context(work=folder, faces=faces(64), progress=Progress(quiet=True))


@functools.cache
def session_folder() -> Path:
    kept = tempfile.TemporaryDirectory()
    _FOLDERS.append(kept)
    return Path(kept.name)


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []


@functools.cache
def converter() -> Onnx2Tf:
    return Onnx2Tf(session_folder() / "tflite")


@functools.cache
def folded() -> Model:
    return FoldBatchNorm().apply(tiny_model(), context(session_folder()))


@functools.cache
def calibrated() -> Model:
    return Calibrate(faces=32).apply(folded(), context(session_folder()))


def binary(weight: Tensor) -> Binary:
    return Binary((weight >= 0).numpy(), weight.abs().flatten(1).mean(1).numpy())


def palette(weight: Tensor, levels: int = 16) -> Palette:
    """The nearest of evenly spaced levels of each filter's own int8 grid."""
    grid = np.unique(np.linspace(-127, 127, levels).round()).astype(np.int8)
    scale = (weight.abs().flatten(1).amax(1) / 127).numpy()
    codes = weight.numpy() / scale.reshape(-1, *[1] * (weight.ndim - 1))
    return Palette(grid, np.abs(codes[..., None] - grid.astype(np.float32)).argmin(-1).astype(np.uint8), scale)


@functools.cache
def encoded() -> Model:
    """The stem stays float; a binary depthwise conv, palettes elsewhere, the linear layer behind the flatten too."""
    state = folded().net.state_dict()
    encodings: dict[str, Tensor | Encoding] = {
        "depthwise.0.weight": binary(state["depthwise.0.weight"]),
        "project.0.weight": palette(state["project.0.weight"]),
        "shrink.0.weight": palette(state["shrink.0.weight"], 4),
        "linear.weight": palette(state["linear.weight"]),
    }
    return folded().with_weights(encodings)
