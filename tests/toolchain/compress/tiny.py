"""A net of every kind of layer that the compression stages know, in miniature, and a few faces for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from runtime_py.bundle import InputContract
from toolchain.compress.insert_batch_norm import InsertBatchNorm
from toolchain.data.faces import Faces
from toolchain.model import Model
from toolchain.progress import Progress
from toolchain.stage import Context

SIZE = 32


def tiny_net(batch_norm: bool = False) -> nn.Module:
    """Conv, depthwise conv, pointwise convs and a linear layer, with PReLU: 1,744 weights."""
    torch.manual_seed(0)
    norm = [nn.BatchNorm2d(16)] if batch_norm else []
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.PReLU(8),
        nn.Conv2d(8, 8, 3, 2, 1, groups=8), nn.PReLU(8),
        nn.Conv2d(8, 16, 1), *norm, nn.PReLU(16),
        nn.Conv2d(16, 32, 1), nn.PReLU(32),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 24),
    ).eval()  # fmt: skip


def tiny_model(batch_norm: bool = False) -> Model:
    return Model(tiny_net(batch_norm), InputContract(SIZE, SIZE, "rgb", 2 / 255, -1.0))


def normed_model(work: Path) -> Model:
    """The tiny model with batch norm behind its layers."""
    return InsertBatchNorm(faces=64).apply(tiny_model(), context(work))


def blobs(count: int = 64, seed: int = 0) -> Faces:
    """Smooth coloured images of 16 "identities"."""
    draw = np.random.default_rng(seed)
    coarse = torch.from_numpy(draw.uniform(0, 255, (count, 3, 4, 4))).float()
    images = nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bicubic").clamp(0, 255).byte()
    return Faces(np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy()), tuple(f"{index % 16:02d}/{index}.png" for index in range(count)))


def context(work: Path, faces: bool = True) -> Context:
    return Context(work, faces=blobs() if faces else None, progress=Progress(quiet=True))


def mean_cosine(model: Model, other: Model) -> float:
    """Over images that no test trains on."""
    images = torch.from_numpy(blobs(64, seed=1).images).permute(0, 3, 1, 2)
    return float((model.embed(images) * other.embed(images)).sum(1).mean())
