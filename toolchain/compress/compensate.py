"""Rounding that makes up for itself: what a rounded weight does to a layer's results is taken over by the weights not yet rounded.

Optimal Brain Compression (Frantar, Singh, Alistarh, NeurIPS 2022, equations 2 and 3) for one layer: of the filters W and the inputs X
that real images give, the error to keep small is ‖W X - Ŵ X‖². With H = X Xᵀ, rounding column j of W by e = w_j - ŵ_j is made up for
best by taking e · [H⁻¹]_{j, j+1:} / [H⁻¹]_jj off the columns behind it. GPTQ (Frantar et al., ICLR 2023, section 3.3) reads all
of these rows off one Cholesky factor of H⁻¹, since the same order of columns does for every filter.

The layers are gone through in the order in which the net runs them. Behind the first one a layer reads X̂, what the layers rounded so far
give, and not X, so its filters are first solved anew, for Ŵ X̂ nearest to W X by ridge regression towards W, and its bias takes up what
is left of the mean. Only forward passes are needed: a few hundred images, seconds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from toolchain.compress.layers import margins
from toolchain.errors import ToolchainError

_DAMPING = 0.01
"""What is added to H's diagonal at least, as a share of its mean: GPTQ's own choice."""
_BATCH = 32

Nearest = Callable[[Tensor], Tensor]
"""Rounds weights `[O, n]`, a row an output channel."""


@dataclass(frozen=True, eq=False)
class Responses:
    """Second moments of a layer's inputs about their means, over images and places, of each of its groups of channels.

    `gram` `[G, I, I]`: X̂ X̂ᵀ / N, damped; `change` `[G, I, I]`: (X - X̂) X̂ᵀ / N; `mean` and `mean_rounded` `[G, I]`: of X and of X̂.
    I: what one filter reads; N: images times places.
    """

    gram: Tensor
    change: Tensor
    mean: Tensor
    mean_rounded: Tensor


def damped(gram: Tensor, samples: int) -> Tensor:
    """`gram` `[G, I, I]` from `samples` inputs with a share of its mean diagonal added to each diagonal: the more, the fewer samples
    there are for I unknowns. Of the last layers, which see one place an image, a few hundred images tell little."""
    share = _DAMPING + gram.shape[1] / samples
    mean = gram.diagonal(dim1=1, dim2=2).mean(1).clamp_min(1e-12)
    return gram + share * mean[:, None, None] * torch.eye(gram.shape[1], dtype=gram.dtype)


def solved(weight: Tensor, responses: Responses) -> Tensor:
    """The filters `[G, O, I]` whose results on X̂ are nearest to those of `weight` on X."""
    return weight + torch.linalg.solve(responses.gram, weight @ responses.change, left=False)


def compensated(weight: Tensor, gram: Tensor, nearest: Nearest) -> Tensor:
    """Filters `[G, O, I]` before rounding, such that `nearest` of them has little error in the results: each column as it was when its
    turn came. `gram` `[G, I, I]`, damped. The columns with the largest inputs come first (GPTQ's code does so too).

    Error: torch.linalg.LinAlgError where the inputs hardly vary.
    """
    groups, outputs, inputs = weight.shape
    order = gram.diagonal(dim1=1, dim2=2).argsort(1, descending=True)
    rest = weight.gather(2, order[:, None].expand_as(weight)).clone()
    ordered = gram.gather(1, order[:, :, None].expand_as(gram)).gather(2, order[:, None].expand_as(gram))
    factor = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(ordered)), upper=True)
    for column in range(inputs):
        wanted = rest[:, :, column]
        rounded = nearest(wanted.reshape(groups * outputs, 1).float()).reshape(groups, outputs).to(rest.dtype)
        error = (wanted - rounded) / factor[:, column, column, None]
        rest[:, :, column + 1 :] -= error[:, :, None] * factor[:, None, column, column + 1 :]
    return torch.empty_like(rest).scatter_(2, order[:, None].expand_as(rest), rest)


Choose = Callable[[str, Tensor], Nearest]
"""By the name of a layer and its filters, solved anew, `[O, ...]`, how they are to be rounded."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """What came out for a layer: `weight` before rounding, and the `bias` that goes with it once it is rounded, None where the layer
    has none."""

    weight: Tensor
    bias: Tensor | None


@torch.no_grad()
def compensate(net: fx.GraphModule, layers: tuple[str, ...], images: Tensor, choose: Choose) -> Mapping[str, Chosen]:
    """What becomes of each of `layers` of `net`, by its name. `images` float `[N, 3, H, W]`, as the net takes them. `net` stays as it
    is."""
    walk = _Walk(net, layers, choose)
    walk.run(_Pair(images, images))
    return walk.chosen


@dataclass(frozen=True, eq=False)
class _Pair:
    """What a node of the graph gives in the net as it was, and in the one that is rounded so far."""

    exact: Any
    rounded: Any


class _Walk(fx.Interpreter):
    """Runs a net and its rounded copy side by side, a node at a time; a layer of the copy is rounded when its inputs are there."""

    def __init__(self, net: fx.GraphModule, layers: tuple[str, ...], choose: Choose) -> None:
        super().__init__(net.eval())
        self.extra_traceback = False  # an error's message stays one line
        self.copy = copy.deepcopy(net).eval()
        self.layers, self.choose = layers, choose
        self.chosen: dict[str, Chosen] = {}

    def call_module(self, target: Any, args: Any, kwargs: Any) -> _Pair:
        exact, rounded = _sides(args)
        layer = self.copy.get_submodule(target)
        if target in self.layers and target not in self.chosen:
            self.chosen[target] = self._round(target, layer, exact[0], rounded[0])
        return _Pair(_batched(self.submodules[target], exact), _batched(layer, rounded))

    def _round(self, name: str, layer: nn.Module, exact: Tensor, rounded: Tensor) -> Chosen:
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
        responses = _responses(layer, exact, rounded, groups)
        weight = layer.weight.double().reshape(groups, len(layer.weight) // groups, -1)
        try:
            again = solved(weight, responses)
            nearest = self.choose(name, again.reshape(layer.weight.shape).float())
            before = compensated(again, responses.gram, nearest)
        except torch.linalg.LinAlgError:
            raise ToolchainError(f"{name}: its inputs do not vary over {len(exact)} faces; give more faces, or other ones") from None
        result = nearest(before.reshape(len(layer.weight), -1).float()).reshape(weight.shape)
        moved = weight @ responses.mean[:, :, None] - result.double() @ responses.mean_rounded[:, :, None]
        layer.weight.data = result.reshape(layer.weight.shape)
        if layer.bias is not None:
            layer.bias.data = layer.bias.data + moved.reshape(-1).float()
        return Chosen(before.reshape(layer.weight.shape).float(), None if layer.bias is None else layer.bias.data)

    def call_function(self, target: Any, args: Any, kwargs: Any) -> _Pair:
        exact, rounded = _sides(args)
        return _Pair(target(*exact, **_sides(kwargs)[0]), target(*rounded, **_sides(kwargs)[1]))

    def call_method(self, target: Any, args: Any, kwargs: Any) -> _Pair:
        exact, rounded = _sides(args)
        return _Pair(getattr(exact[0], target)(*exact[1:], **kwargs), getattr(rounded[0], target)(*rounded[1:], **kwargs))


def _sides(given: Any) -> tuple[Any, Any]:
    """The exact and the rounded values of arguments in which pairs may stand anywhere."""
    if isinstance(given, _Pair):
        return given.exact, given.rounded
    if isinstance(given, tuple | list):
        sides = [_sides(item) for item in given]
        return type(given)(side[0] for side in sides), type(given)(side[1] for side in sides)
    if isinstance(given, dict):
        return {key: _sides(item)[0] for key, item in given.items()}, {key: _sides(item)[1] for key, item in given.items()}
    return given, given


def _batched(layer: nn.Module, args: Any) -> Tensor:
    """The layer's result, a few images at a time: a convolution of a wide batch takes memory of its own."""
    return torch.cat([layer(part, *args[1:]) for part in args[0].split(_BATCH)])


def _responses(layer: nn.Conv2d | nn.Linear, exact: Tensor, rounded: Tensor, groups: int) -> Responses:
    sums: list[Tensor] = [torch.zeros(())] * 4
    count = 0
    for first, second in zip(exact.split(_BATCH), rounded.split(_BATCH), strict=True):
        x, y = _columns(layer, first, groups), _columns(layer, second, groups)
        count += x.shape[2]
        found = (y @ y.transpose(1, 2), x @ y.transpose(1, 2), x.sum(2), y.sum(2))
        sums = [total + part.double() for total, part in zip(sums, found, strict=True)]
    gram, cross, mean, mean_rounded = (total / count for total in sums)
    about_means = gram - mean_rounded[:, :, None] * mean_rounded[:, None]
    change = cross - mean[:, :, None] * mean_rounded[:, None] - about_means
    return Responses(damped(about_means, count), change, mean, mean_rounded)


def _columns(layer: nn.Conv2d | nn.Linear, inputs: Tensor, groups: int) -> Tensor:
    """What the filters of each group read: `[G, I, images * places]`."""
    if isinstance(layer, nn.Linear):
        return inputs.flatten(1).T[None]
    kernel = layer.kernel_size
    inputs = functional.pad(inputs, margins(layer), "constant" if layer.padding_mode == "zeros" else layer.padding_mode)
    if max(kernel) == 1:
        read = inputs[:, :, :: layer.stride[0], :: layer.stride[1]].flatten(2)
    else:
        read = functional.unfold(inputs, kernel, layer.dilation, 0, layer.stride)
    images, _, places = read.shape
    return read.reshape(images, groups, -1, places).permute(1, 2, 0, 3).reshape(groups, -1, images * places)
