"""Solves a net's last layer anew, in closed form, so that its embeddings come as near as can be to another model's.

Fine-tuning leaves two errors behind that a linear layer can take back at once: what batch norm's running statistics miss of the
whole data's, and embeddings that share a direction, which makes strangers alike. With features Φ `[N, C]` before the last layer
and wanted embeddings Y `[N, D]`, both less their means, W = Yᵀ Φ (Φᵀ Φ + λ I)⁻¹ is least squares with a penalty on large weights
(A. E. Hoerl, R. W. Kennard, Ridge Regression, Technometrics 12(1), 1970, equation 2.1).
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from toolchain.compress.fold_batch_norm import graph_of, norms_behind
from toolchain.compress.layers import weighted_layers
from toolchain.data.faces import Faces
from toolchain.errors import ToolchainError
from toolchain.model import Model, to_input

_PENALTY = 0.003
"""λ as a share of the features' mean variance, summed over the images."""
_BATCH = 64
_NO_EMBEDDING = "expected a last layer with a bias that gives the embedding, got another; leave out the refit, or Whiten()"


def ridge(features: Tensor, wanted: Tensor, penalty: float = _PENALTY) -> tuple[Tensor, Tensor]:
    """(W `[D, C]`, b `[D]`) such that features `[N, C]` Wᵀ + b is nearest to `wanted` `[N, D]`.

    Error: ToolchainError where the features do not vary, or are not finite.
    """
    x, y = features.double(), wanted.double()
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = x - x_mean, y - y_mean
    gram = x.T @ x
    spread = float(gram.diagonal().mean())
    if not 0 < spread < torch.inf:
        raise ToolchainError("refit: features do not vary; the training collapsed, lower the learning rate or give refit=0")
    gram.diagonal().add_(penalty * gram.diagonal().mean())
    weight = torch.linalg.solve(gram, x.T @ y).T
    return weight.float(), (y_mean - weight @ x_mean).float()


@torch.no_grad()
def refit_last(model: Model, wanted: Model, faces: Faces, count: int) -> Model:
    """`model` with its last layer solved for the embeddings that `wanted` gives `count` of the faces, as `fit_last` says."""
    return fit_last(model, functional.normalize(read_by_last(wanted, faces, count)[1]), faces, count)


@torch.no_grad()
def fit_last(model: Model, targets: Tensor, faces: Faces, count: int) -> Model:
    """`model` with its last layer, and the batch norm behind it where there is one, solved for `targets` `[count, D]`, those of the faces
    that `evenly_spaced` chooses. Error: ToolchainError where the last layer does not give the embedding."""
    features, _ = read_by_last(model, faces, count)
    return with_last(model, *ridge(features.flatten(1), targets), features, faces)


def evenly_spaced(of: int, count: int) -> Tensor:
    """The rows, int64, of `count` of `of` faces, or of all where there are no more."""
    return torch.from_numpy(np.linspace(0, of - 1, min(count, of)).round().astype(np.int64))


@torch.no_grad()
def read_by_last(model: Model, faces: Faces, count: int) -> tuple[Tensor, Tensor]:
    """What the last layer reads `[N, ...]` and the net gives `[N, D]`, not normalised, of `count` of the faces, evenly spaced."""
    net = copy.deepcopy(model.net).eval()
    seen: list[Tensor] = []
    given: list[Tensor] = []
    net.get_submodule(_last(net)[0]).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    chosen = evenly_spaced(len(faces), count).numpy()
    for start in range(0, len(chosen), _BATCH):
        images = torch.from_numpy(np.ascontiguousarray(faces.images[chosen[start : start + _BATCH]])).permute(0, 3, 1, 2)
        given.append(net(to_input(images, model.input)).flatten(1))
    return torch.cat(seen), torch.cat(given)


@torch.no_grad()
def with_last(model: Model, weight: Tensor, bias: Tensor, features: Tensor, faces: Faces) -> Model:
    """`model` with its last layer, and the batch norm behind it where there is one, made to give features Wᵀ + b, of `weight` `[D, C]` and
    `bias` `[D]`. `features` `[N, ...]`: what that layer reads of many faces, for the batch norm's statistics. `faces`: some to see by that
    it does. Error: ToolchainError where it does not."""
    name, norm_name = _last(model.net)
    old, own_bias = model.net.get_parameter(f"{name}.weight"), getattr(model.net.get_submodule(name), "bias", None)
    if old.numel() != weight.numel() or (norm_name is None and own_bias is None):
        raise ToolchainError(f"{name}: {_NO_EMBEDDING}")
    solved = {f"{name}.weight": weight.reshape(old.shape)}
    if norm_name is None:
        solved[f"{name}.bias"] = bias
    else:
        solved |= _added(model.net.get_submodule(norm_name), norm_name, features.flatten(1) @ weight.T, bias)
        if own_bias is not None:
            solved[f"{name}.bias"] = torch.zeros_like(bias)
    result = model.with_weights(solved)
    read, found = read_by_last(result, faces, _BATCH)
    if not torch.allclose(found, read.flatten(1) @ weight.T + bias, atol=1e-3):
        raise ToolchainError(
            f"{name}: expected the last layer to give the embedding, got something behind it; leave out the refit, or Whiten()"
        )
    return result


@torch.no_grad()
def last_map(net: nn.Module, shape: torch.Size) -> tuple[Tensor, Tensor]:
    """(weight `[D, C]`, bias `[D]`) of the affine map that the last layer and the batch norm behind it, if there is one, are together.
    `shape`: of what the layer reads of one face. Error: ToolchainError where it gives a map and not the embedding."""
    name, norm_name = _last(net)
    if net.get_parameter(f"{name}.weight")[0].numel() != shape.numel():
        raise ToolchainError(f"{name}: {_NO_EMBEDDING}")
    parts = [net.get_submodule(part).eval() for part in (name, norm_name) if part is not None]
    count = shape.numel()
    basis = torch.cat([torch.zeros(1, count), torch.eye(count)]).reshape(-1, *shape)
    found = nn.Sequential(*parts)(basis).flatten(1)
    return (found[1:] - found[0]).T, found[0]


def _last(net: nn.Module) -> tuple[str, str | None]:
    """The names of the last layer and of the batch norm behind it."""
    name = weighted_layers(net)[-1].name
    return name, norms_behind(graph_of(net)).get(name)


def _added(norm: nn.Module, name: str, given: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """A batch norm's tensors such that it adds `bias` and else changes nothing. Its statistics are those of what it is `given` `[N, D]`: in
    training it takes a batch's own, and with others it would give something else there."""
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    variance, mean = torch.var_mean(given, 0, unbiased=False)
    values = {"running_mean": mean, "running_var": variance, "weight": (variance + norm.eps).sqrt(), "bias": mean + bias}
    return {f"{name}.{key}": value for key, value in values.items()}
