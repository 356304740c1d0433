"""What the stages share that fine-tune constrained weights: a trainable net, self-distillation, the faces to judge by."""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from toolchain.compress.layers import WeightedLayer, parametrization, rounded_to_half, use_fast_prelu, weighted_layers
from toolchain.distill.self_distillation import SelfDistillation
from toolchain.encodings import Encoding
from toolchain.model import Model, trainable_copy
from toolchain.stage import Context
from toolchain.training.loop import TrainSettings, fit

_JUDGED_FACES = 512


class EncodedWeights(nn.Module, ABC):
    """A parametrization of a layer's weight whose every value can be stored as an encoding."""

    @abstractmethod
    def encoding(self, latent: Tensor) -> Encoding:
        """What `forward` gives for the latent weights, as it is stored."""


def encoded(
    model: Model,
    layers: Sequence[WeightedLayer],
    made: Callable[[WeightedLayer, Tensor], EncodedWeights],
    settings: TrainSettings | None,
    map_weight: float,
    context: Context,
    name: str,
) -> Model:
    """`model` with the weights of `layers` encoded as `made(layer, weight)` says and fine-tuned by `fine_tune`, or, without `settings`,
    as they are at the start. Weights that are encoded already stay; all other parameters become values that fp16 holds."""

    def constrain(net: nn.Module) -> None:
        for layer in layers:
            weights = made(layer, net.get_parameter(layer.weight).detach())
            parametrize.register_parametrization(net.get_submodule(layer.name), "weight", weights)
        for parameter, value in net.named_parameters():
            value.requires_grad_(parameter not in model.encodings)

    if settings is None:
        net = model.with_weights({}).net.cpu()
        constrain(net)
    else:
        net = fine_tune(model, constrain, settings, map_weight, context, name)
    encodings = encodings_of(net, layers)
    return model.with_weights({**half_rounded_rest(net, model, set(encodings)), **encodings})


def encodings_of(net: nn.Module, layers: Sequence[WeightedLayer]) -> dict[str, Tensor | Encoding]:
    """The encodings of those weights of `net` that EncodedWeights constrain, by the weights' names."""
    found: dict[str, Tensor | Encoding] = {}
    for layer in layers:
        weights, latent = parametrization(net, layer)
        assert isinstance(weights, EncodedWeights)
        found[layer.weight] = weights.encoding(latent)
    return found


def fine_tune(
    model: Model,
    constrain: Callable[[nn.Module], Callable[[int], None] | None],
    settings: TrainSettings,
    map_weight: float,
    context: Context,
    name: str,
    start: Model | None = None,
) -> nn.Module:
    """A copy of the model's net, or of that of `start`, which has other layers of the same names, constrained by `constrain` (in
    place; it may return a schedule by step) and trained to give what the model gives. Its weights are the constrained ones'
    parametrizations; every other parameter is trained freely."""
    faces = context.training_faces(name.capitalize())
    net = trainable_copy(model if start is None else start)
    use_fast_prelu(net, torch.zeros(1, 3, model.input.height, model.input.width))
    at_step = constrain(net)
    objective = SelfDistillation(copy.deepcopy(model.net), matched_layers(model.net), map_weight, at_step)
    fit(net, objective, faces, model.input, settings, context, name, _judge(model, context))
    return net


def matched_layers(net: nn.Module, count: int = 6) -> tuple[str, ...]:
    """The names of `count` layers, evenly spread over the net, whose inputs are matched: not the first, and none that is
    depthwise, since the maps between two pointwise layers are the net's main road."""
    mixing = [layer.name for layer in weighted_layers(net)[1:] if not layer.depthwise]
    spaced = np.linspace(0, len(mixing) - 1, min(count, len(mixing))).round().astype(int)
    return tuple(mixing[index] for index in sorted(set(spaced.tolist())))


def _judge(model: Model, context: Context) -> Callable[[nn.Module], dict[str, float]] | None:
    """The mean cosine to the model's own embeddings of faces kept aside; None where there are none."""
    if context.aside is None:
        return None
    chosen = np.linspace(0, len(context.aside) - 1, min(_JUDGED_FACES, len(context.aside))).round().astype(int)
    images = torch.from_numpy(np.ascontiguousarray(context.aside.images[chosen])).permute(0, 3, 1, 2)
    wanted = model.embed(images)

    def judge(net: nn.Module) -> dict[str, float]:
        embeddings = dataclasses.replace(model, net=net, encodings={}).embed(images)
        return {"aside_cosine": float((embeddings * wanted).sum(1).mean())}

    return judge


def trained_rest(net: nn.Module, model: Model, encoded: set[str]) -> dict[str, Tensor]:
    """The parameters and buffers of `net` that `model` has under the same name and that are not in `encoded`: with the encoded
    weights, all that fine-tuning changed."""
    known = {name for name, _ in (*model.net.named_parameters(), *model.net.named_buffers())} - encoded - set(model.encodings)
    return {name: value.detach() for name, value in sorted(net.state_dict().items()) if name in known}


def half_rounded_rest(net: nn.Module, model: Model, encoded: set[str]) -> dict[str, Tensor]:
    """`trained_rest` with its parameters, but not its buffers, rounded to values that fp16 holds."""
    buffers = {name for name, _ in model.net.named_buffers()}
    rest = trained_rest(net, model, encoded)
    return {name: value if name in buffers else rounded_to_half(value) for name, value in rest.items()}
