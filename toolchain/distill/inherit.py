"""Inherit: a narrow MobileFaceNet starts from a wide, trained one instead of from random weights.

Layer by layer, each narrow block is fitted to reproduce what the wide block puts out, on real faces:
- the channels that a block keeps of its expanded ones are chosen by backward elimination, each time dropping the one whose
  loss raises the least-squares error of the block's output least (Optimal Brain Surgeon's saliency, Hassibi and Stork, NIPS
  1992, eq. 5, on the linear projection), and the projection is solved anew for those that stay (channel pruning by
  response reconstruction: He, Zhang, Sun, ICCV 2017, eq. 1);
- between blocks the activations are linear, so there the narrow net keeps the principal directions of the wide one's
  responses instead of single channels (as low-rank decomposition of responses does: Zhang, Zou, He, Sun, 2015, eq. 4);
- a residual block is fitted to what is still missing, so that it mends errors of those before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from toolchain.backbones.conv_norm import ConvNorm
from toolchain.backbones.mobilefacenet import Bottleneck, MobileFaceNetModule
from toolchain.distill.teachers import Teacher, targets
from toolchain.errors import RecipeError
from toolchain.model import Model, to_input, trainable_copy
from toolchain.stage import TRAINS_FREELY, Context, Stage, Trait


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution of the wide net with its bias, and the slopes of the PReLU behind it (None: linear)."""

    weight: Tensor
    bias: Tensor
    stride: int
    padding: int
    groups: int
    slope: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        y = functional.conv2d(x, self.weight, self.bias, self.stride, self.padding, groups=self.groups)
        return y if self.slope is None else functional.prelu(y, self.slope)

    def on(self, to_stream: Tensor, offset: Tensor) -> Layer:
        """The same 1×1 layer for an input of other coordinates: wide input = to_streamᵀ · narrow input + offset."""
        matrix = self.weight.flatten(1)
        return Layer((matrix @ to_stream.T)[:, :, None, None], self.bias + matrix @ offset, 1, 0, 1, self.slope)


def eliminate(gram: Tensor, cross: Tensor, keep: int, ridge: float) -> tuple[Tensor, Tensor]:
    """Which `keep` of H regressors predict T targets best, and their coefficients.

    `gram` `[H, H]` = AᵀA and `cross` `[H, T]` = AᵀY of centred data. Returns (rows int64 `[keep]` ascending, coefficients
    `[keep, T]`). Dropping regressor j from a least-squares fit B with P = gram⁻¹ raises the squared error by |B_j|² / P_jj.
    """
    count = len(gram)
    gram = gram.double() + ridge * gram.diagonal().mean() * torch.eye(count, dtype=torch.float64)
    cross = cross.double()
    inverse = torch.linalg.inv(gram)
    fit = inverse @ cross
    alive = torch.ones(count, dtype=torch.bool)
    for _ in range(count - keep):
        cost = fit.square().sum(1) / inverse.diagonal()
        cost[~alive] = torch.inf
        drop = int(cost.argmin())
        alive[drop] = False
        column = inverse[:, drop] / inverse[drop, drop]
        fit = fit - column[:, None] * fit[drop][None]
        inverse = inverse - column[:, None] * inverse[drop][None]
        inverse[drop, drop] = 1.0  # its row and column are 0 now; the value is never used again
    rows = torch.nonzero(alive).flatten()
    return rows, torch.linalg.solve(gram[rows][:, rows], cross[rows]).float()


def samples(maps: Tensor, count: int) -> Tensor:
    """`[N, C, H, W]` to `[N * count, C]`: the values at `count` positions an image, the same positions for maps of one size."""
    images, channels, height, width = maps.shape
    where = torch.randint(height * width, (images, count), generator=torch.Generator().manual_seed(height * width))
    flat = maps.flatten(2).gather(2, where[:, None].expand(images, channels, count))
    return flat.transpose(1, 2).reshape(-1, channels)


def layers_of(net: fx.GraphModule) -> list[Layer]:
    """The convolutions of a net in graph order, batch norm folded already, each with its PReLU."""
    found: list[Layer] = []
    modules = dict(net.named_modules())
    for node in net.graph.nodes:
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, nn.Conv2d):
            bias = torch.zeros(module.out_channels) if module.bias is None else module.bias
            stride, padding = module.stride[0], int(module.padding[0])
            found.append(Layer(module.weight.detach(), bias.detach(), stride, padding, module.groups, None))
        elif isinstance(module, nn.PReLU) and found:
            last = found[-1]
            found[-1] = Layer(last.weight, last.bias, last.stride, last.padding, last.groups, module.weight.detach())
    return found


def _set(unit: ConvNorm, layer: Layer, rows: Tensor | None, x: Tensor) -> Tensor:
    """Gives a conv-norm-activation unit the rows of a wide layer, with batch norm set to leave the result as it is; returns
    the unit's output on `x`."""
    chosen = slice(None) if rows is None else rows
    unit[0].weight.copy_(layer.weight[chosen])  # type: ignore[operator]
    if len(unit) > 2:
        assert layer.slope is not None
        unit[2].weight.copy_(layer.slope[chosen])  # type: ignore[operator]
    y = unit[0](x)
    _set_norm(unit[1], y, layer.bias[chosen])
    result: Tensor = unit.eval()(x)
    return result


def _set_norm(norm: nn.Module, y: Tensor, bias: Tensor) -> None:
    """Batch norm with the statistics of `y` whose effect is to add `bias`."""
    assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
    variance, mean = torch.var_mean(y, (0, 2, 3), unbiased=False)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.copy_(mean + bias)


@dataclass(eq=False)
class _Stream:
    """The linear activations between blocks: the wide net's, the narrow net's, and how to get from the latter to the former
    (wide ≈ to_wideᵀ · narrow + offset)."""

    wide: Tensor
    narrow: Tensor
    to_wide: Tensor
    offset: Tensor


def _stem(net: MobileFaceNetModule, first: Layer, second: Layer, expand: Layer, x: Tensor, ridge: float) -> _Stream:
    """The stem's channels are those from which the next layer's inputs can be predicted best."""
    wide = second(first(x))
    y = samples(wide, 48)
    mean = y.mean(0)
    centred = y - mean
    rows, _ = eliminate(centred.T @ centred, centred.T @ (centred @ expand.weight.flatten(1).T), _outputs(net.stem), ridge)
    narrow = _set(net.stem_depthwise, second, rows, _set(net.stem, first, rows, x))
    a = samples(narrow, 48)
    gram = (a - a.mean(0)).T @ (a - a.mean(0))
    regular = gram + ridge * gram.diagonal().mean() * torch.eye(len(gram))
    to_wide = torch.linalg.solve(regular, (a - a.mean(0)).T @ centred)
    return _Stream(wide, narrow, to_wide, mean - a.mean(0) @ to_wide)


def _block(block: Bottleneck, layers: tuple[Layer, Layer, Layer], stream: _Stream, ridge: float) -> _Stream:
    """Fits one bottleneck; the channels compete on the narrow net's own input, so that its errors are known."""
    expand, depthwise, project = layers
    wide = project(depthwise(expand(stream.wide))) + (stream.wide if block.residual else 0)
    expand = expand.on(stream.to_wide, stream.offset)
    candidates = depthwise(expand(stream.narrow))
    y = samples(wide, 12)
    if block.residual:
        # The directions are orthonormal (or, behind the stem, none of the blocks is residual), so this inverts to_wide.
        directions, offset = stream.to_wide.T, stream.offset
        goal = y @ directions - samples(stream.narrow, 12)
    else:
        centred = y - y.mean(0)
        size = _outputs(block.project)
        directions = torch.linalg.eigh(centred.T @ centred)[1][:, -size:].flip(1)
        offset = y.mean(0) - y.mean(0) @ directions @ directions.T
        goal = y @ directions
    a = samples(candidates, 12)
    centred = a - a.mean(0)
    rows, fit = eliminate(centred.T @ centred, centred.T @ (goal - goal.mean(0)), _outputs(block.expand), ridge)
    bias = goal.mean(0) - a.mean(0)[rows] @ fit
    hidden = _set(block.depthwise, depthwise, rows, _set(block.expand, expand, rows, stream.narrow))
    narrow = _set(block.project, Layer(fit.T[:, :, None, None], bias, 1, 0, 1, None), None, hidden)
    return _Stream(wide, narrow + stream.narrow if block.residual else narrow, directions.T, offset)


def _head(net: MobileFaceNetModule, head: Layer, pool: Layer, stream: _Stream, wanted: Tensor, ridge: float) -> None:
    """The last channels are those from which the wanted embeddings `[N, D]` can be predicted best."""
    head = head.on(stream.to_wide, stream.offset)
    pooled = pool(head(stream.narrow)).flatten(1)
    centred, mean = pooled - pooled.mean(0), wanted.mean(0)
    rows, fit = eliminate(centred.T @ centred, centred.T @ (wanted - mean), net.linear.in_channels, ridge)
    x = _set(net.head, head, rows, stream.narrow)
    net.pool.weight.copy_(pool.weight[rows])
    _set_norm(net.pool_norm, net.pool(x), pool.bias[rows])
    x = net.pool_norm.eval()(net.pool(x))
    net.linear.weight.copy_(fit.T[:, :, None, None])
    _set_norm(net.norm, net.linear(x), mean - x.flatten(1).mean(0) @ fit)


@dataclass(frozen=True)
class Inherit(Stage):
    """Starts a half-width (or narrower) PReLU MobileFaceNet from a wide one with PReLU; the last layer is fitted to the
    embeddings of `teachers`."""

    trains: ClassVar[bool] = True
    refuses: ClassVar[Mapping[Trait, str]] = TRAINS_FREELY

    wide: Teacher
    teachers: tuple[Teacher, ...]
    faces: int = 800
    """How many faces the layers are fitted on."""
    ridge: float = 1e-3
    """Added to the diagonal of each least-squares problem, as a share of its mean."""

    def __post_init__(self) -> None:
        if not self.teachers:
            raise RecipeError("Inherit: expected at least one teacher")
        if self.faces < 2 or not 0 < self.ridge < math.inf:
            raise RecipeError(f"Inherit: expected faces >= 2 and ridge > 0, got {self.faces} and {self.ridge}")

    def reads(self) -> tuple[str, ...]:
        return tuple(sha256 for teacher in (self.wide, *self.teachers) for sha256 in teacher.reads())

    @torch.no_grad()
    def transform(self, model: Model, context: Context) -> Model:
        faces = context.training_faces("Inherit")
        net = trainable_copy(model).eval()
        if not isinstance(net, MobileFaceNetModule) or not isinstance(net.stem[-1], nn.PReLU):
            raise RecipeError("Inherit: expected a MobileFaceNet with PReLU to start")
        # Two layers of stem, three a block, head and pool; what follows them is fitted anew.
        count = 4 + 3 * len(net.blocks)
        wide = layers_of(self.wide.net())[:count]  # type: ignore[arg-type]
        if len(wide) != count or wide[-1].groups != len(wide[-1].weight):
            raise RecipeError(f"Inherit: expected {self.wide.path.name} to be MobileFaceNet of {count} convolutions before its last layer")
        dim = net.linear.out_channels
        wanted = targets(self.teachers, faces, dim, context).embeddings
        rows = torch.randperm(len(faces), generator=context.generator("inherit"))[: self.faces].sort().values
        pixels = torch.from_numpy(np.ascontiguousarray(faces.images[rows.numpy()])).permute(0, 3, 1, 2)
        x = to_input(pixels, model.input)
        first = wide[0]
        # The wide net's own scaling of pixels, moved into its first layer.
        first = Layer(first.weight * self._scale(pixels, x), first.bias, first.stride, first.padding, first.groups, first.slope)
        stream = _stem(net, first, wide[1], wide[2], x, self.ridge)
        for block, layers in zip(net.blocks, _triples(wide[2:-2]), strict=True):
            assert isinstance(block, Bottleneck)
            stream = _block(block, layers, stream, self.ridge)
        _head(net, wide[-2], wide[-1], stream, wanted[rows], 3 * self.ridge)
        return model.with_net(net)

    def _scale(self, pixels: Tensor, x: Tensor) -> float:
        """The factor from the narrow net's input to what the wide net's first convolution sees."""
        wide = self.wide.net()
        seen: list[Tensor] = []
        first = next(module for module in wide.modules() if isinstance(module, nn.Conv2d))
        handle = first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        wide(to_input(pixels[:8], self.wide.input))
        handle.remove()
        factor = float((seen[0] * x[:8]).sum() / x[:8].square().sum())
        if (seen[0] - factor * x[:8]).abs().max() > 1e-3:
            raise RecipeError("Inherit: expected both nets' inputs to be centred alike; give the narrow net an input like rgb,-1..1")
        return factor


def _outputs(unit: nn.Sequential) -> int:
    convolution = unit[0]
    assert isinstance(convolution, nn.Conv2d)
    return convolution.out_channels


def _triples(layers: list[Layer]) -> Iterator[tuple[Layer, Layer, Layer]]:
    for start in range(0, len(layers), 3):
        yield layers[start], layers[start + 1], layers[start + 2]
