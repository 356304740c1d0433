"""Loss: frozen settings of a training criterion on embeddings and identities; Criterion and Classifier: what they build."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


class Criterion(nn.Module, ABC):
    """`(embeddings [B, dim], labels int64 [B]) -> scalar`, with parameters of its own (class centres) if any.

    It is computed in float32 whatever the net's precision: cosines near 1, and softmax over many classes, need its digits.
    """

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.loss(embeddings if embeddings.dtype == torch.float64 else embeddings.float(), labels)

    @abstractmethod
    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The scalar, of float32 or float64 `embeddings` `[B, dim]`."""


class Classifier(Criterion):
    """A criterion that scores every class; unless it says otherwise its loss is the cross entropy of `logits`."""

    @abstractmethod
    def scores(self, embeddings: Tensor) -> Tensor:
        """`[B, C]`, the largest where the class is most likely: what a trained net is judged by."""

    @property
    def knows_length(self) -> bool:
        """True where the scores depend on an embedding's length, as those of one that this builds on do: they say little of an
        embedding that was scaled to length 1."""
        return any(part.knows_length for part in self.children() if isinstance(part, Classifier))

    def logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """`[B, C]`: `scores`, with the loss's margin at each row's right class, where it has one."""
        return self.scores(embeddings)

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(self.logits(embeddings, labels), labels)


class CosineClassifier(Classifier):
    """Class centres `[C, D]`; the scores are s·cos θ, θ the angle between an embedding and a centre (NormFace: Wang et al.,
    ACM MM 2017, section 3.3). Subclasses put a margin into the right class's logit."""

    def __init__(self, dim: int, classes: int, scale: float) -> None:
        super().__init__()
        self.centres = nn.Parameter(nn.init.normal_(torch.empty(classes, dim), std=0.01))
        self.scale = scale

    def cosines(self, embeddings: Tensor) -> Tensor:
        """cos θ `[B, C]`."""
        return functional.normalize(embeddings) @ functional.normalize(self.centres).T

    def scores(self, embeddings: Tensor) -> Tensor:
        return self.scale * self.cosines(embeddings)


@dataclass(frozen=True)
class Loss(ABC):
    """Frozen settings, checked in `__post_init__`."""

    @property
    def images_per_identity(self) -> int:
        """How many images of an identity a batch must hold together, where it has so many; 1: any batch will do."""
        return 1

    @abstractmethod
    def build(self, dim: int, classes: int) -> Criterion:
        """A new criterion for embeddings of `dim` numbers and `classes` identities, initialised from torch's global generator."""


@dataclass(frozen=True)
class ClassificationLoss(Loss, ABC):
    """A loss on class scores, which mining and centre loss can build on."""

    @abstractmethod
    def build(self, dim: int, classes: int) -> Classifier:
        """A new classifier."""
