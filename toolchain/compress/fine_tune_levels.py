"""FineTuneLevels: trains one set of weights to serve several widths at once.

Channel prioritisation (Tang, Su, Lin, Chang, National Taiwan University, 2018), steps 4 to 6: all of batch norm is frozen, gains,
shifts and statistics, and the loss is the sum of the losses at the utilisation levels, each computed by the first channels of every layer.
Frozen batch norm is what makes a level a prefix: folded into the convolutions, its factors and shifts are the whole net's.

The classifier and the centres are one for all levels, so that the levels' embeddings fall into one space. Beside that each lower
level may be drawn to the widest one's embedding of the same image by 1 − cos, which is not the authors'; a phone enrols at one level
and matches at another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from toolchain.compress.channel_groups import prefix
from toolchain.compress.narrow import narrowed
from toolchain.errors import RecipeError
from toolchain.losses.base import Loss
from toolchain.losses.supervised import supervised
from toolchain.model import Model, trainable_copy
from toolchain.stage import TRAINS_FREELY, Context, Stage, Trait
from toolchain.training.loop import Batch, Phase, TrainSettings, fit
from toolchain.training.shared_batch_norm import SharedBatchNorm

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, SharedBatchNorm)


class _Level:
    """A narrower net that computes with a prefix of another's tensors. (No module, so that it is neither trained nor kept.)"""

    def __init__(self, net: nn.Module, utilisation: float) -> None:
        self.net = narrowed(net, utilisation)
        self.like = {name: tensor for name, tensor in self.net.state_dict().items() if tensor.ndim}

    def embed(self, whole: nn.Module, images: Tensor) -> Tensor:
        """Embeddings `[B, D]` by the first channels of `whole`, which the gradient goes to."""
        self.net.train(whole.training)
        _freeze_norms(self.net)
        tensors = {**dict(whole.named_parameters()), **dict(whole.named_buffers())}
        result: Tensor = functional_call(self.net, prefix(tensors, self.like), (images,))
        return result


class SummedLevels(nn.Module):
    """The sum over the levels of the criterion's loss, and of what the lower ones' embeddings differ from the widest's."""

    def __init__(self, net: nn.Module, criterion: nn.Module, utilisations: tuple[float, ...], match_weight: float) -> None:
        """`net`, on the device where it is trained, of which the `utilisations` below 1 are trained too. Its batch norm is frozen, in
        place."""
        super().__init__()
        self.criterion, self.match_weight = criterion, match_weight
        for module in net.modules():
            if isinstance(module, _NORMS):
                module.requires_grad_(False)
        self._levels = tuple(_Level(net, utilisation) for utilisation in utilisations if utilisation < 1)

    def forward(self, net: nn.Module, batch: Batch) -> Tensor:
        _freeze_norms(net)
        widest = net(batch.images)
        loss: Tensor = self.criterion(widest, batch.labels)
        for level in self._levels:
            embeddings = level.embed(net, batch.images)
            differ = 1 - functional.cosine_similarity(embeddings.float(), widest.detach().float()).mean()
            loss = loss + self.criterion(embeddings, batch.labels) + self.match_weight * differ
        return loss


def _freeze_norms(net: nn.Module) -> None:
    """Batch norm computes with its running statistics and leaves them as they are."""
    for module in net.modules():
        if isinstance(module, _NORMS):
            module.eval()


@dataclass(frozen=True)
class FineTuneLevels(Stage):
    """Fine-tunes all weights but batch norm's by the summed losses of the `utilisations`."""

    trains: ClassVar[bool] = True
    refuses: ClassVar[Mapping[Trait, str]] = TRAINS_FREELY

    loss: Loss
    settings: TrainSettings = TrainSettings((Phase(500, learning_rate=5e-4),))
    utilisations: tuple[float, ...] = (1.0, 0.75, 0.5)
    """The levels, the widest, which is 1, first."""
    match_weight: float = 1.0
    """What 1 − cos to the widest level's embedding counts for each lower level; the authors have none."""

    def __post_init__(self) -> None:
        falling = all(a > b > 0 for a, b in zip(self.utilisations, self.utilisations[1:], strict=False))
        if len(self.utilisations) < 2 or self.utilisations[0] != 1 or not falling:
            raise RecipeError(f"FineTuneLevels.utilisations: expected 1 and then smaller shares above 0, got {self.utilisations}")
        if not 0 <= self.match_weight < math.inf:
            raise RecipeError(f"FineTuneLevels.match_weight: expected 0 or more, got {self.match_weight}")

    def transform(self, model: Model, context: Context) -> Model:
        task = supervised("FineTuneLevels", self.loss, model, context)
        net = trainable_copy(model)
        objective = SummedLevels(net.to(context.device), task.criterion, self.utilisations, self.match_weight)
        fit(net, objective, task.faces, model.input, self.settings, context, "levels", order=task.order)
        return model.with_net(net)
