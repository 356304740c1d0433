"""Which layers of a net suffer most: one layer at a time is changed alone, and what that does to the embeddings is measured.

The analysis by layer of Nagel et al., "A White Paper on Neural Network Quantization" (arXiv:2106.08295, section 3.7), for any form that
a layer's weights can take, and for int8 with its activations. What comes out is what a recipe's `keep_float` goes by.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from toolchain.compress.clustering import SMALLEST_SCALE, boundaries, by_channel, channel_rms, codebook
from toolchain.compress.layers import WeightedLayer, weighted_layers
from toolchain.data import synthetic
from toolchain.data.faces import Faces
from toolchain.data.protocols import tar_at_far
from toolchain.errors import RecipeError
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


class Form(ABC):
    """What the weights of a layer are made to be."""

    @property
    @abstractmethod
    def name(self) -> str:
        """As the command line writes it."""

    @abstractmethod
    def weights(self, weight: Tensor) -> Tensor:
        """The weight `[O, ...]` in this form, as floats."""


@dataclass(frozen=True)
class Uniform(Form):
    """Whole multiples of a scale per output channel, as many as fit `bits` bits, symmetric about 0 (Nagel et al., section 2.2)."""

    bits: int

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 8:
            raise RecipeError(f"{self.bits}-bit: expected 2-bit to 8-bit")

    @property
    def name(self) -> str:
        return f"{self.bits}-bit"

    def weights(self, weight: Tensor) -> Tensor:
        largest = 2 ** (self.bits - 1) - 1
        step = by_channel(weight.flatten(1).abs().amax(1).clamp_min(SMALLEST_SCALE) / largest, weight)
        return (weight / step).round() * step


@dataclass(frozen=True)
class Levels(Form):
    """At most `count` values a tensor, by k-means (toolchain/compress/clustering.py)."""

    count: int

    def __post_init__(self) -> None:
        if not 2 <= self.count <= 255:
            raise RecipeError(f"palette-{self.count}: expected palette-2 to palette-255")

    @property
    def name(self) -> str:
        return f"palette-{self.count}"

    def weights(self, weight: Tensor) -> Tensor:
        book = codebook(weight, self.count, 0.0)
        step = by_channel(channel_rms(weight).clamp_min(SMALLEST_SCALE) * book.unit, weight)
        return book.levels[torch.bucketize((weight / step).contiguous(), boundaries(book.levels, book.bits, 0.0))] * step


@dataclass(frozen=True)
class Signs(Form):
    """±α, α the mean magnitude of each output channel (XNOR-Net, equation 6)."""

    @property
    def name(self) -> str:
        return "binary"

    def weights(self, weight: Tensor) -> Tensor:
        scale = by_channel(weight.flatten(1).abs().mean(1), weight)
        return torch.where(weight >= 0, scale, -scale)


def form_of(name: str) -> Form:
    """The form that the command line calls `name`. Error: RecipeError where it knows none."""
    head, _, tail = name.rpartition("-")
    if name == Signs().name:
        return Signs()
    if tail == "bit" and head.isdigit():
        return Uniform(int(head))
    if head == "palette" and tail.isdigit():
        return Levels(int(tail))
    raise RecipeError(f"{name}: no such form of weights; expected binary, 2-bit to 8-bit, palette-2 to palette-255, or int8")


def damages(model: Model, changed: Mapping[str, Tensor], images: Images, gauge: Gauge, track: Track) -> tuple[Damage, ...]:
    """What each tensor of `changed`, by the name of its layer, does when it alone stands in place of the layer's weight; the worst
    first. `images` uint8 `[N, H, W, 3]`: those that the gauge has the embeddings of. `model` stays as it is."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    trial = Model(copy.deepcopy(model.net), model.input)
    found = []
    for name in track(tuple(changed)):
        weight = trial.net.get_parameter(f"{name}.weight")
        before = weight.data
        weight.data = changed[name].to(before)
        found.append(gauge.damage(name, weight.numel(), trial.embed(pixels).numpy()))
        weight.data = before
    return worst_first(found)


def worst_first(found: Iterable[Damage]) -> tuple[Damage, ...]:
    return tuple(sorted(found, key=lambda item: (-item.error, item.layer)))


def form_damages(model: Model, form: Form, images: Images, gauge: Gauge, track: Track) -> FormDamage:
    """What `form` does to each conv and linear layer of `model`, whose batch norms are folded. Error: ToolchainError where a weight is
    not finite."""
    model.require_finite(form.name)
    layers = weighted_layers(model.net)
    changed = {layer.name: form.weights(model.net.get_parameter(layer.weight).detach()) for layer in layers}
    return FormDamage(form.name, damages(model, changed, images, gauge, track))


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
    changed = {layer.name: weight for layer, weight in weights.items()}
    return damages(model, changed, images, gauge, lambda names: context.progress.track(names, what))


def some_of(faces: Faces, count: int) -> Faces:
    """At most about `count` faces: whole people, evenly spaced, so that there are pairs of one person among them."""
    people, sizes = np.unique(np.array(faces.identities), return_counts=True)
    share = min(1.0, count / len(faces))
    chosen = people[np.linspace(0, len(people) - 1, max(1, round(share * len(people)))).round().astype(int)]
    return faces.subset(np.flatnonzero(np.isin(np.array(faces.identities), chosen))) if share < 1 else faces
