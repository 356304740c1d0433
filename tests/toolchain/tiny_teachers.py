"""Teachers for tests: small nets of our own as ONNX files."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from runtime_py.bundle import InputContract
from toolchain.distill import Teacher

CONTRACT = InputContract.parse("rgb,-1..1")


def exported(net: nn.Module, path: Path) -> Teacher:
    """The net as an ONNX teacher."""
    net.eval()
    image = torch.zeros(1, 3, 112, 112)
    torch.onnx.export(net, (image,), str(path), opset_version=17, dynamo=False, dynamic_axes={"input": [0]}, input_names=["input"])
    return Teacher(path, CONTRACT)


def settled(net: nn.Module, seed: int) -> nn.Module:
    """Batch norm statistics of real inputs, as a trained net has them."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        for _ in range(3):
            net.train()(torch.rand(8, 3, 112, 112, generator=generator) * 2 - 1)
    return net.eval()
