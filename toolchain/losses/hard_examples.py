"""Online hard example mining (Shrivastava, Gupta, Girshick, CVPR 2016, section 4): of every batch only the faces of largest loss."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal

from torch import Tensor
from torch.nn import functional

from toolchain.errors import RecipeError
from toolchain.losses.base import ClassificationLoss, Classifier
from toolchain.losses.softmax import Softmax


def hard_example_loss(logits: Tensor, labels: Tensor, keep: float) -> Tensor:
    """The mean cross entropy of the `keep` share (rounded up) of the rows of `logits` `[B, C]` whose loss is largest."""
    losses = functional.cross_entropy(logits, labels, reduction="none")
    kept = math.ceil(Decimal(repr(float(keep))) * len(losses))  # as decimals: by floats 0.07 of 100 is more than 7
    return losses.topk(kept).values.mean()


class HardExamplesHead(Classifier):
    """Another classifier's loss on the hard ones alone."""

    def __init__(self, classifier: Classifier, keep: float) -> None:
        super().__init__()
        self.classifier, self.keep = classifier, keep

    def scores(self, embeddings: Tensor) -> Tensor:
        return self.classifier.scores(embeddings)

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return hard_example_loss(self.classifier.logits(embeddings, labels), labels, self.keep)


@dataclass(frozen=True)
class HardExamples(ClassificationLoss):
    """Cross entropy of the logits of `of`, over the hardest share of each batch."""

    of: ClassificationLoss = field(default_factory=Softmax)
    keep: float = 0.7
    """Share of a batch that is kept."""

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise RecipeError(f"HardExamples.keep: expected more than 0 and at most 1, got {self.keep}")

    def build(self, dim: int, classes: int) -> Classifier:
        return HardExamplesHead(self.of.build(dim, classes), self.keep)
