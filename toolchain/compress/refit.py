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

from toolchain.compress.fold_batch_norm import graph_of, norms_behind
from toolchain.compress.layers import weighted_layers
from toolchain.data.faces import Faces
from toolchain.errors import ToolchainError
from toolchain.model import Model, to_input

_PENALTY = 0.003
"""λ as a share of the features' mean variance, summed over the images."""
_BATCH = 64


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
    """`model` with its last layer, and the batch norm behind it where there is one, solved for the embeddings that `wanted`
    gives `count` of the faces, evenly spaced. Error: ToolchainError where the last layer does not give the embedding."""
    net = copy.deepcopy(model.net).eval()
    name = weighted_layers(net)[-1].name
    layer = net.get_submodule(name)
    norm_name = norms_behind(graph_of(net)).get(name)
    chosen = np.linspace(0, len(faces) - 1, min(count, len(faces))).round().astype(int)
    seen: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].flatten(1)))
    targets = []
    for start in range(0, len(chosen), _BATCH):
        images = torch.from_numpy(np.ascontiguousarray(faces.images[chosen[start : start + _BATCH]])).permute(0, 3, 1, 2)
        net(to_input(images, model.input))
        targets.append(wanted.embed(images))
    hook.remove()
    weight, bias = ridge(torch.cat(seen), torch.cat(targets))
    old = net.get_parameter(f"{name}.weight")
    if old.numel() != weight.numel() or (norm_name is None and getattr(layer, "bias", None) is None):
        raise ToolchainError(f"{name}: expected a last layer with a bias that gives the embedding, got another; leave out the refit")
    solved = {f"{name}.weight": weight.reshape(old.shape)}
    if norm_name is None:
        solved[f"{name}.bias"] = bias
    else:
        solved |= _neutral(net.get_submodule(norm_name), norm_name, bias)
        if getattr(layer, "bias", None) is not None:
            solved[f"{name}.bias"] = torch.zeros_like(bias)
    result = model.with_weights(solved)
    found = result.net.eval()(to_input(images, model.input)).flatten(1)
    if not torch.allclose(found, seen[-1] @ weight.T + bias, atol=1e-3):
        raise ToolchainError(f"{name}: expected the last layer to give the embedding, got something behind it; leave out the refit")
    return result


def _neutral(norm: nn.Module, name: str, bias: Tensor) -> dict[str, Tensor]:
    """A batch norm's tensors such that it adds `bias` and else changes nothing."""
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    ones = torch.ones_like(bias)
    values = {"running_mean": 0 * ones, "running_var": ones, "weight": ones * (1 + norm.eps) ** 0.5, "bias": bias}
    return {f"{name}.{key}": value for key, value in values.items()}
