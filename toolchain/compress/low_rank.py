"""Low rank: a convolution becomes one with fewer filters and a 1×1 convolution, from the responses that it gives to real faces.

Zhang, Zou, Ming, He, Sun ("Efficient and Accurate Approximations of Nonlinear Convolutional Networks", CVPR 2015; "Accelerating Very
Deep Convolutional Networks for Classification and Detection", TPAMI 2016, section 3.1). Responses y `[d]` at sampled positions lie near
a subspace. With their mean ȳ and the eigenvectors U of their covariance, M = U_d' U_d'ᵀ projects on the first d' of them, and
y ≈ M (y - ȳ) + ȳ of least squared error (equation 2 there). Since y = W x + b₀, that is

    d' filters W' = U_d'ᵀ W, then the 1×1 convolution U_d' with the bias ȳ - M ȳ + M b₀.

The ranks follow from a share of each layer's energy (the sum of its eigenvalues), or from multiply-adds that the whole net may have:
the product over layers of the kept energies is made large greedily, by always giving up the eigenvector whose relative loss of energy
is least for each multiply-add that it saves (section 3.3 of the second paper). A layer of which no rank is kept that makes it cheaper
stays as it was; so do the first layer, depthwise and grouped convolutions, and linear layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, fx, nn

from toolchain.compress.fold_batch_norm import calls, graph_of, set_module, with_parameters
from toolchain.compress.layers import weighted_layers
from toolchain.costs import count
from toolchain.errors import DataError, RecipeError, ToolchainError
from toolchain.model import Model, to_input
from toolchain.stage import Context, Stage, Trait

_BATCH = 32


@dataclass(frozen=True, eq=False)
class Responses:
    """What a layer of d filters gave: `mean` float64 `[d]`, `energies` `[d]` descending (eigenvalues of the covariance, not negative),
    `directions` `[d, d]`, its eigenvectors as columns; `whole`: the layer's multiply-adds an image, `per_rank`: those of each filter that
    is kept, with its column of the 1×1 convolution."""

    mean: Tensor
    energies: Tensor
    directions: Tensor
    whole: int
    per_rank: int


def spectrum(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """(energies `[d]` descending, directions `[d, d]` as columns) of a symmetric matrix `[d, d]`, float64; each direction's sign is the one
    whose largest component is positive, so that the same matrix gives the same result.

    Error: ToolchainError where it is not finite.
    """
    if not bool(covariance.isfinite().all()):
        raise ToolchainError("LowRank: expected finite responses, got NaN or infinity; the net before it is damaged, or its input")
    energies, directions = torch.linalg.eigh(covariance.double())
    energies, directions = energies.flip(0).clamp_min(0), directions.flip(1)
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    return energies, directions * torch.where(largest < 0, -1.0, 1.0)


def decomposed(weight: Tensor, bias: Tensor | None, mean: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(W' `[d', ...]`, U `[d, d']`, bias `[d]`) in the place of `weight` `[d, ...]` and `bias` `[d]`.

    `mean` `[d]` and `directions` `[d, d']` are of the responses. Computed in float64 and rounded once."""
    u, old = directions.double(), torch.zeros_like(mean) if bias is None else bias.detach().double()
    filters = (u.T @ weight.detach().double().flatten(1)).reshape(-1, *weight.shape[1:])
    shift = mean + u @ (u.T @ (old - mean))
    return filters.to(weight.dtype), u.to(weight.dtype), shift.to(weight.dtype)


def rank_by_energy(energies: Tensor, share: float) -> int:
    """The least rank, from 1, whose energies `[d]` come to `share` of all; 1 where there is no energy at all."""
    total = energies.cumsum(0)
    # A rounding of the sum must not ask for the last, empty directions.
    return 1 + int((total < (share - 1e-12) * total[-1]).sum())


def ranks_by_budget(energies: Sequence[Tensor], per_rank: Sequence[int], whole: Sequence[int], budget: int) -> list[int]:
    """A rank for each layer such that all together, each at what is less of `whole` and rank · `per_rank`, come to `budget` multiply-adds
    or fewer. Greedy: one rank less where (energy lost / energy kept) / multiply-adds is least; of equal ones, in the first layer.

    Error: RecipeError where even ranks of 1 cost more.
    """
    ranks = [len(item) for item in energies]
    kept = [float(item.sum()) for item in energies]

    def cost() -> int:
        return sum(min(full, rank * each) for full, rank, each in zip(whole, ranks, per_rank, strict=True))

    def loss(layer: int) -> float:
        lost = float(energies[layer][ranks[layer] - 1])
        return (lost / kept[layer] if kept[layer] > 0 else 0.0) / per_rank[layer]

    while cost() > budget:
        candidates = [layer for layer, rank in enumerate(ranks) if rank > 1]
        if not candidates:
            raise RecipeError(
                f"LowRank: expected a budget that ranks of 1 can keep to, {cost():,} multiply-adds, got {budget:,}; allow more"
            )
        layer = min(candidates, key=loss)
        ranks[layer] -= 1
        kept[layer] -= float(energies[layer][ranks[layer]])
    return ranks


@torch.no_grad()
def responses(
    net: nn.Module, names: Sequence[str], images: Sequence[Tensor], positions: int, draw: torch.Generator
) -> dict[str, Responses]:
    """What each named convolution of `net` gives, its bias included, at `positions` places of the map drawn for each image of the
    batches `images` (float `[B, 3, H, W]`, as the net takes them). Positions may repeat."""
    gathered: dict[str, list[Tensor]] = {name: [] for name in names}
    sizes: dict[str, int] = {}

    def watch(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(layer: nn.Module, inputs: Any, output: Tensor) -> None:
            flat = output.flatten(2)  # [B, d, positions of the map]
            sizes[name] = flat.shape[2]
            chosen = torch.randint(flat.shape[2], (len(flat), 1, positions), generator=draw).to(flat.device)
            gathered[name].append(flat.gather(2, chosen.expand(-1, flat.shape[1], -1)).transpose(1, 2).flatten(0, 1).cpu())

        return hook

    hooks = [net.get_submodule(name).register_forward_hook(watch(name)) for name in names]
    try:
        for batch in images:
            net(batch)
    finally:
        for item in hooks:
            item.remove()
    return {name: _analysed(net.get_submodule(name), torch.cat(gathered[name]).double(), sizes[name]) for name in names}


def decomposable(net: fx.GraphModule) -> list[str]:
    """The names of the convolutions of one group, behind the first layer, that are used once."""
    inner = [(layer.name, net.get_submodule(layer.name)) for layer in weighted_layers(net)[1:] if calls(net, layer.name) == 1]
    return [name for name, layer in inner if isinstance(layer, nn.Conv2d) and layer.groups == 1]


def face_responses(
    net: nn.Module, names: Sequence[str], images: Tensor, model: Model, positions: int, draw: torch.Generator
) -> dict[str, Responses]:
    """`responses` of `net` to `images` uint8 `[N, 3, h, w]`, as `model`, which it is the net of, takes them."""
    device = next(net.parameters()).device
    return responses(net, names, [_as_input(part.to(device), model) for part in images.split(_BATCH)], positions, draw)


def _analysed(layer: nn.Module, seen: Tensor, size: int) -> Responses:
    """Of responses `[N, d]`, on maps of `size` positions."""
    assert isinstance(layer, nn.Conv2d)
    mean = seen.mean(0)
    centred = seen - mean
    filters, each = len(layer.weight), layer.weight[0].numel()
    return Responses(mean, *spectrum(centred.T @ centred / len(seen)), filters * each * size, (each + filters) * size)


def decompose(net: fx.GraphModule, chosen: Mapping[str, tuple[Responses, int]]) -> None:
    """Puts, in place, two convolutions where each named one was: under its name that of its rank's filters, behind it the 1×1 one."""
    for node in list(net.graph.nodes):
        if node.op != "call_module" or node.target not in chosen:
            continue
        name = f"{node.target}_mixing"
        filters, mixing = factors(net.get_submodule(node.target), *chosen[node.target])
        set_module(net, node.target, filters)
        set_module(net, name, mixing)
        with net.graph.inserting_after(node):
            behind = net.graph.call_module(name, (node,))
        node.replace_all_uses_with(behind, delete_user_cb=lambda user, behind=behind: user is not behind)
    net.recompile()


def factors(layer: nn.Module, found: Responses, rank: int) -> tuple[nn.Module, nn.Module]:
    """(the convolution of `rank` filters, the 1×1 convolution) that take the place of the convolution `layer`, which gave `found`."""
    assert isinstance(layer, nn.Conv2d)
    filters, mixing, bias = decomposed(layer.weight, layer.bias, found.mean, found.directions[:, :rank])
    mixed = nn.Conv2d(rank, len(bias), 1).eval()
    mixed.weight, mixed.bias = nn.Parameter(mixing[:, :, None, None].contiguous()), nn.Parameter(bias)
    return with_parameters(_of_width(layer, rank), filters, None), mixed


def _of_width(layer: nn.Conv2d, filters: int) -> nn.Conv2d:
    """A convolution of `layer`'s settings with so many filters, of any values."""
    made = nn.Conv2d(
        layer.in_channels,
        filters,
        layer.kernel_size,  # type: ignore[arg-type]
        layer.stride,  # type: ignore[arg-type]
        layer.padding,  # type: ignore[arg-type]
        layer.dilation,  # type: ignore[arg-type]
        padding_mode=layer.padding_mode,
    )
    return made


def _as_input(images: Tensor, model: Model) -> Tensor:
    """`images` uint8 `[B, 3, h, w]` as `model` takes them, at its own size: multiply-adds are counted on the maps that come out."""
    sized, size = images.float(), (model.input.height, model.input.width)
    if images.shape[2:] != size:
        sized = nn.functional.interpolate(sized, size=size, mode="bilinear", antialias=True, align_corners=False).clamp(0, 255)
    return to_input(sized, model.input)


@dataclass(frozen=True)
class LowRank(Stage):
    """Replaces convolutions by two of lower rank, from what they give for a few training faces. Trains nothing: let a stage that
    trains follow, before or after FoldBatchNorm."""

    refuses: ClassVar[Mapping[Trait, str]] = {
        Trait.PRUNED: "a product of two matrices has no zeros where its factors had none; put LowRank() before Prune()",
        Trait.ENCODED: "new layers take the place of those that are encoded; put LowRank() before what encodes",
    }
    gives: ClassVar[frozenset[Trait]] = frozenset({Trait.UNNORMED})

    multiply_adds: float | None = 0.5
    """The share of the net's multiply-adds that is left. None: `energy` decides."""
    energy: float | None = None
    """The share of its responses' energy that each layer keeps. None: `multiply_adds` decides."""
    faces: int = 256
    """How many training faces the responses are measured on, evenly spread over them."""
    positions: int = 16
    """At how many places of each face's map. (The papers: 10 of 3,000 images.)"""

    def __post_init__(self) -> None:
        if (self.multiply_adds is None) == (self.energy is None):
            raise RecipeError(
                f"LowRank: expected either multiply_adds or energy, got {self.multiply_adds} and {self.energy}; set one to None"
            )
        for name in ("multiply_adds", "energy"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise RecipeError(f"LowRank.{name}: expected a share above 0 and up to 1, got {value}")
        if self.faces < 1 or self.positions < 1:
            raise RecipeError(f"LowRank: expected faces >= 1 and positions >= 1, got {self.faces} and {self.positions}")

    @property
    def needs_faces(self) -> bool:
        return True

    def transform(self, model: Model, context: Context) -> Model:
        faces = context.training_faces("LowRank")
        if not len(faces):
            raise DataError("LowRank: expected one face or more, got none")
        net = graph_of(model.net)
        names = decomposable(net)
        if not names:
            got = len(weighted_layers(net)) - 1
            raise RecipeError(f"LowRank: expected a convolution of one group behind the first layer, got {got} layers, none such")
        rows = np.unique(np.linspace(0, len(faces) - 1, self.faces).round().astype(int))
        images = torch.from_numpy(np.ascontiguousarray(faces.images[rows])).permute(0, 3, 1, 2)
        found = face_responses(net, names, images, model, self.positions, context.generator("LowRank"))
        ranks = self._ranks(net, model, found)
        cheaper = {name: (item, ranks[name]) for name, item in found.items() if ranks[name] * item.per_rank < item.whole}
        decompose(net, cheaper)
        return model.with_net(net)

    def _ranks(self, net: nn.Module, model: Model, found: Mapping[str, Responses]) -> dict[str, int]:
        if self.energy is not None:
            return {name: rank_by_energy(item.energies, self.energy) for name, item in found.items()}
        assert self.multiply_adds is not None
        total = count(net, model.input.height, model.input.width).multiply_adds
        rest = total - sum(item.whole for item in found.values())
        items = found.values()
        least = (rest + sum(min(item.whole, item.per_rank) for item in items)) / total
        if self.multiply_adds < least:
            # Rounded up, so that the share named is one that does.
            said = f"expected at least {math.ceil(1000 * least) / 1000} of {total:,}"
            raise RecipeError(f"LowRank.multiply_adds: {said}, which ranks of 1 come to, got {self.multiply_adds}")
        columns = [item.energies for item in items], [item.per_rank for item in items], [item.whole for item in items]
        return dict(zip(found, ranks_by_budget(*columns, int(self.multiply_adds * total) - rest), strict=True))
