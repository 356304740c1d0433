"""Which layers of a net suffer most: one layer at a time is changed alone, and what that does to the embeddings is measured.

The analysis by layer of Nagel et al., "A White Paper on Neural Network Quantization" (arXiv:2106.08295, section 3.7), for any form that
a layer can take (toolchain/sensitivity/forms.py), and for int8 with its activations. What comes out is what a recipe's `keep_float` goes
by.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from toolchain.compress.fold_batch_norm import set_module
from toolchain.compress.layers import WeightedLayer
from toolchain.data import synthetic
from toolchain.data.faces import Faces
from toolchain.data.protocols import tar_at_far
from toolchain.evaluation.bootstrap import Comparisons
from toolchain.model import Model
from toolchain.stage import Context

FAR = 1e-3
"""The false accept rate that the true accept rate is told at."""
RULE_FACES = 64
"""How many faces a rule of `keep_float` goes by."""

Floats = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8]
Track = Callable[[Sequence[str]], Iterable[str]]


@dataclass(frozen=True)
class Damage:
    """What a change of one layer alone does. `error`: 1 - mean cosine of the embeddings to those without it; `tar`: the true accept
    rate at FAR with it, None where the faces are not labelled or too few; `weights`: how many the layer has."""

    layer: str
    weights: int
    error: float
    tar: float | None = None


@dataclass(frozen=True)
class FormDamage:
    """What one form does to each layer, the worst first."""

    form: str
    layers: tuple[Damage, ...]


@dataclass(frozen=True)
class Sensitivity:
    """What each of `forms` does to each layer, on `faces` faces: drawn ones, which have a cosine alone, or given ones, on which the
    net itself has the true accept rate `tar`."""

    faces: int
    drawn: bool
    tar: float | None
    forms: tuple[FormDamage, ...]


class Gauge:
    """Faces to judge by: how far embeddings of them are from those of the unchanged net, `reference` float32 `[N, D]`."""

    def __init__(self, reference: Floats, identities: Sequence[str] = ()) -> None:
        """`identities`: of each face, where they are known."""
        self.reference = reference
        self.comparisons = Comparisons.of(identities) if len(set(identities)) > 1 else None
        self.tar = self._tar(reference)

    def damage(self, layer: str, weights: int, embeddings: Floats) -> Damage:
        error = 1.0 - float((embeddings * self.reference).sum(1).mean())
        if not math.isfinite(error):  # as if all were turned around: nothing is worse, and NaN has no place in an order
            return Damage(layer, weights, 2.0, None if self.tar is None else 0.0)
        return Damage(layer, weights, error, self._tar(embeddings))

    def _tar(self, embeddings: Floats) -> float | None:
        if self.comparisons is None or not self.comparisons.same.any():
            return None
        found = tar_at_far(self.comparisons.scores(embeddings), self.comparisons.same, FAR)
        return None if found is None else found.tar


def damages(model: Model, changed: Mapping[str, nn.Module], images: Images, gauge: Gauge, track: Track) -> tuple[Damage, ...]:
    """What each module of `changed`, by the name of a layer, does when it alone stands in that layer's place; the worst first.
    `images` uint8 `[N, H, W, 3]`: those that the gauge has the embeddings of. `model` stays as it is."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    trial = Model(copy.deepcopy(model.net), model.input)
    found = []
    for name in track(tuple(changed)):
        layer = trial.net.get_submodule(name)
        set_module(trial.net, name, changed[name])
        found.append(gauge.damage(name, layer.get_parameter("weight").numel(), trial.embed(pixels).numpy()))
        set_module(trial.net, name, layer)
    return worst_first(found)


def with_weight(layer: nn.Module, weight: Tensor) -> nn.Module:
    """A copy of a conv or linear layer with another weight of the same shape."""
    made = copy.deepcopy(layer)
    made.get_parameter("weight").data.copy_(weight)
    return made


def worst_first(found: Iterable[Damage]) -> tuple[Damage, ...]:
    return tuple(sorted(found, key=lambda item: (-item.error, item.layer)))


def rule_faces(model: Model, context: Context) -> Images:
    """What a rule of `keep_float` goes by: training faces, evenly spaced, or drawn ones where there are none."""
    if context.faces is not None:
        rows = np.linspace(0, len(context.faces) - 1, min(RULE_FACES, len(context.faces))).round().astype(int)
        return np.ascontiguousarray(context.faces.images[rows])
    return synthetic.faces(RULE_FACES // 4, 4, model.input.height, model.input.width).images


def rule_damages(model: Model, weights: Mapping[WeightedLayer, Tensor], context: Context, what: str) -> tuple[Damage, ...]:
    """What each layer suffers when its weight alone is as in `weights`."""
    images = rule_faces(model, context)
    gauge = Gauge(model.embed(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy())
    changed = {layer.name: with_weight(model.net.get_submodule(layer.name), weight) for layer, weight in weights.items()}
    return damages(model, changed, images, gauge, lambda names: context.progress.track(names, what))


def some_of(faces: Faces, count: int) -> Faces:
    """At most about `count` faces: whole people, evenly spaced, so that there are pairs of one person among them."""
    people, sizes = np.unique(np.array(faces.identities), return_counts=True)
    share = min(1.0, count / len(faces))
    chosen = people[np.linspace(0, len(people) - 1, max(1, round(share * len(people)))).round().astype(int)]
    return faces.subset(np.flatnonzero(np.isin(np.array(faces.identities), chosen))) if share < 1 else faces
