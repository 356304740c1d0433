"""What the tables of quantized nets share: a trained net with its classifier as one model, whose layers a stage can encode, and what
its weights take."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn
from torch.nn import functional

from toolchain.backbones import Backbone
from toolchain.costs import count_backbone
from toolchain.encodings import Binary, CodebookEncoding, Encoding, LogMinMax
from toolchain.errors import ToolchainError
from toolchain.losses.softmax import SoftmaxHead
from toolchain.model import Model
from toolchain.tables.classification import FEATURE_LENGTH, Trained

AUTHORS_CLASSES = 2360
HALF, SINGLE = 16, 32


class Scores(nn.Module):
    """Images `[N, 3, H, W]` to class scores `[N, C]`: the net, its features on one length, and the classifier as layer `head`."""

    def __init__(self, net: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.net, self.head = net, head

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.head(FEATURE_LENGTH * functional.normalize(self.net(images)))
        return scores


def with_classifier(trained: Trained) -> Model:
    """The net and its classifier as one model, whose "embedding" is the scores: the whole network, as the authors quantize it."""
    assert isinstance(trained.classifier, SoftmaxHead)
    return Model(Scores(trained.net, trained.classifier.linear).eval(), trained.backbone.input)


def fp32_bytes(backbone: Backbone) -> int:
    """Bytes of a net with the authors' classifier in float32."""
    return count_backbone(backbone).with_classifier(backbone.embedding_size, AUTHORS_CLASSES).fp32_bytes


def authors_bytes(model: Model) -> float:
    """Bytes of the parameters of an encoded model of `with_classifier`, as if it had the authors' classes: encoded weights at the bits
    that their codes have, other weights at 32 and biases at 16."""
    return _bytes(model, nominal_bits)


def coded_bytes(model: Model) -> float:
    """The same with encoded weights at the entropy of their tensor's codes."""
    return _bytes(model, lambda encoding: _entropy(_codes(encoding)))


def _bytes(model: Model, bits_of: Callable[[Encoding], float]) -> float:
    bits = 0.0
    for name, value in model.net.named_parameters():
        encoding = model.encodings.get(name)
        each = bits_of(encoding) if encoding is not None else SINGLE if value.ndim > 1 else HALF
        counted = value[0].numel() * AUTHORS_CLASSES if name.startswith("head.") else value.numel()
        bits += counted * each
    return bits / 8


def nominal_bits(encoding: Encoding) -> int:
    """Bits a weight before entropy coding. Error: ToolchainError for an encoding that no table here makes."""
    if isinstance(encoding, LogMinMax):
        return encoding.bits
    if isinstance(encoding, Binary):
        return 1
    raise ToolchainError(f"{type(encoding).__name__}: expected Binary or LogMinMax")


def entropy_bits(model: Model) -> float:
    """Bits a weight that an entropy coder needs for the codes of all encoded weights, Σ n·H₀ / Σ n; NaN where none is encoded."""
    codes = [_codes(encoding) for encoding in model.encodings.values()]
    weights = sum(item.size for item in codes)
    return sum(item.size * _entropy(item) for item in codes) / weights if weights else math.nan


def _entropy(codes: npt.NDArray[Any]) -> float:
    """H₀ in bits."""
    shares = np.unique(codes, return_counts=True)[1] / codes.size
    return -float((shares * np.log2(shares)).sum())


def _codes(encoding: Encoding) -> npt.NDArray[Any]:
    if isinstance(encoding, Binary):
        return encoding.positive
    assert isinstance(encoding, CodebookEncoding)
    return encoding.codebook()[1]
