"""The forms that a layer can take alone: one for each precision, and for each compression stage what it does before it trains.

Where a stage has its mathematics in a pure function, its form is that function, so that the two cannot differ.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from toolchain.compress.binarize import binary_scale
from toolchain.compress.bnn import BinaryActivation
from toolchain.compress.clustering import SMALLEST_SCALE, boundaries, by_channel, channel_rms, codebook
from toolchain.compress.fold_batch_norm import graph_of, with_parameters
from toolchain.compress.latent_weights import signs
from toolchain.compress.layers import weighted_layers
from toolchain.compress.log_min_max import encode
from toolchain.compress.low_rank import decomposable, face_responses, factors
from toolchain.compress.prune import largest
from toolchain.compress.ternary import Ternarize, ternary_signs, twn_scale
from toolchain.compress.xnor import InputScale
from toolchain.encodings.log_min_max import FEWEST_BITS, MOST_BITS
from toolchain.errors import RecipeError
from toolchain.model import Model
from toolchain.sensitivity import KNOWN_FORMS
from toolchain.sensitivity.sensitivity import FormDamage, Gauge, Images, Track, damages, rule_faces, with_weight
from toolchain.stage import Context


class Form(ABC):
    """What a layer is made to be."""

    @property
    @abstractmethod
    def name(self) -> str:
        """As the command line writes it."""

    @abstractmethod
    def layers(self, model: Model, context: Context) -> Mapping[str, nn.Module]:
        """By the name of each layer of `model` that can take this form, what stands in its place. Batch norms are folded."""


class WeightForm(Form):
    """A form of the weights alone, which every conv and linear layer can take."""

    @abstractmethod
    def weights(self, weight: Tensor) -> Tensor:
        """The weight `[O, ...]` in this form, as floats."""

    def layers(self, model: Model, context: Context) -> Mapping[str, nn.Module]:
        found = {layer.name: model.net.get_submodule(layer.name) for layer in weighted_layers(model.net)}
        return {name: with_weight(layer, self.weights(layer.get_parameter("weight").detach())) for name, layer in found.items()}


@dataclass(frozen=True)
class Uniform(WeightForm):
    """Whole multiples of a scale per output channel, as many as fit `bits` bits, symmetric about 0 (Nagel et al., section 2.2)."""

    bits: int

    def __post_init__(self) -> None:
        _expect(self, self.bits, 2, 8)

    @property
    def name(self) -> str:
        return f"{self.bits}-bit"

    def weights(self, weight: Tensor) -> Tensor:
        largest_code = 2 ** (self.bits - 1) - 1
        step = by_channel(weight.flatten(1).abs().amax(1).clamp_min(SMALLEST_SCALE) / largest_code, weight)
        return (weight / step).round() * step


@dataclass(frozen=True)
class LogGrid(WeightForm):
    """Log min-max quantization (toolchain/compress/log_min_max.py), a step standing for its middle."""

    bits: int

    def __post_init__(self) -> None:
        _expect(self, self.bits, FEWEST_BITS, MOST_BITS)

    @property
    def name(self) -> str:
        return f"log-{self.bits}"

    def weights(self, weight: Tensor) -> Tensor:
        return encode(weight, self.bits, centred=True).decode()


@dataclass(frozen=True)
class Levels(WeightForm):
    """At most `count` values a tensor, by k-means (toolchain/compress/clustering.py)."""

    count: int

    def __post_init__(self) -> None:
        _expect(self, self.count, 2, 255)

    @property
    def name(self) -> str:
        return f"palette-{self.count}"

    def weights(self, weight: Tensor) -> Tensor:
        book = codebook(weight, self.count, 0.0)
        step = by_channel(channel_rms(weight).clamp_min(SMALLEST_SCALE) * book.unit, weight)
        return book.levels[torch.bucketize((weight / step).contiguous(), boundaries(book.levels, book.bits, 0.0))] * step


@dataclass(frozen=True)
class Pruned(WeightForm):
    """So many per cent of the layer's weights 0, those of the smallest magnitude (toolchain/compress/prune.py)."""

    percent: int

    def __post_init__(self) -> None:
        _expect(self, self.percent, 1, 99)

    @property
    def name(self) -> str:
        return f"pruned-{self.percent}"

    def weights(self, weight: Tensor) -> Tensor:
        return weight * largest(weight.abs(), 1 - self.percent / 100)


@dataclass(frozen=True)
class Signs(WeightForm):
    """±α, α the mean magnitude of each output channel (XNOR-Net, equation 6)."""

    @property
    def name(self) -> str:
        return "binary"

    def weights(self, weight: Tensor) -> Tensor:
        return signs(weight) * by_channel(binary_scale(weight), weight)


@dataclass(frozen=True)
class ThreeValues(WeightForm):
    """-α, 0 or +α, which trained ternary quantization starts from (toolchain/compress/ternary.py)."""

    @property
    def name(self) -> str:
        return "ternary"

    def weights(self, weight: Tensor) -> Tensor:
        return ternary_signs(weight, Ternarize.threshold) * twn_scale(weight, Ternarize.threshold)


class _Xnor(nn.Module):
    """A convolution of signs by ±α, times K of what it reads (XNOR-Net, equation 11), and its bias."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.signs, self.scale = BinaryActivation(convolution.in_channels), InputScale(convolution)
        weight = Signs().weights(convolution.weight.detach())
        self.convolution, self.bias = with_parameters(convolution, weight, None), convolution.bias

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.convolution(self.signs(x)) * self.scale(x)
        return result if self.bias is None else result + self.bias.view(1, -1, 1, 1)


@dataclass(frozen=True)
class SignsOfBoth(Form):
    """Weights and inputs of a full convolution as signs with scales (toolchain/compress/xnor.py). The first layer, whose inputs are
    pixels, does not take it."""

    @property
    def name(self) -> str:
        return "xnor"

    def layers(self, model: Model, context: Context) -> Mapping[str, nn.Module]:
        inner = {layer.name: model.net.get_submodule(layer.name) for layer in weighted_layers(model.net)[1:]}
        return {name: _Xnor(layer).eval() for name, layer in inner.items() if isinstance(layer, nn.Conv2d) and layer.groups == 1}


@dataclass(frozen=True)
class Rank(Form):
    """A full convolution as two of at most so many per cent of its multiply-adds (toolchain/compress/low_rank.py), by its responses to the
    faces that rules go by. The first layer does not take it."""

    percent: int

    def __post_init__(self) -> None:
        _expect(self, self.percent, 1, 99)

    @property
    def name(self) -> str:
        return f"rank-{self.percent}"

    def layers(self, model: Model, context: Context) -> Mapping[str, nn.Module]:
        net = graph_of(model.net)
        images = torch.from_numpy(rule_faces(model, context)).permute(0, 3, 1, 2)
        found = face_responses(net, decomposable(net), images, model, positions=64, draw=context.generator(self.name))
        made = {}
        for name, item in found.items():
            rank = max(1, self.percent * item.whole // (100 * item.per_rank))
            made[name] = nn.Sequential(*factors(copy.deepcopy(net.get_submodule(name)), item, rank))
        return made


_PLAIN: Mapping[str, Form] = {form.name: form for form in (Signs(), ThreeValues(), SignsOfBoth())}
_NUMBERED: Mapping[str, Callable[[int], Form]] = {"palette": Levels, "log": LogGrid, "pruned": Pruned, "rank": Rank}


def form_of(name: str) -> Form:
    """The form that the command line calls `name`. Error: RecipeError where it knows none."""
    head, _, tail = name.rpartition("-")
    if name in _PLAIN:
        return _PLAIN[name]
    if tail == "bit" and _is_number(head):
        return Uniform(int(head))
    if head in _NUMBERED and _is_number(tail):
        return _NUMBERED[head](int(tail))
    raise RecipeError(f"{name}: no such form of a layer; expected {KNOWN_FORMS}, or int8")


def _is_number(text: str) -> bool:
    """Whether `int` reads it as a bound can be: it refuses more than some thousand digits."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def form_damages(model: Model, form: Form, images: Images, gauge: Gauge, context: Context, track: Track) -> FormDamage:
    """What `form` does to each layer of `model` that can take it; batch norms are folded. Error: ToolchainError where a weight is
    not finite."""
    model.require_finite(form.name)
    return FormDamage(form.name, damages(model, form.layers(model, context), images, gauge, track))


def _expect(form: Form, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        # The form's own name with the number left out: 9-bit, palette-300.
        first, last = (form.name.replace(str(value), str(bound)) for bound in (least, most))
        raise RecipeError(f"{form.name}: expected {first} to {last}")
