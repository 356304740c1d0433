"""Insert batch norms that change nothing, into a net whose own were folded when it was exported.

Batch norm (Ioffe and Szegedy, ICML 2015, section 3.1) gives y = γ (x − μ) / √(σ² + ε) + β. With μ and σ² measured on faces,
γ = √(σ² + ε) and β = μ + b for a layer x = W u of bias b, y is x + b, as before. What it is for: nets of binary weights are
trained with batch norm behind every layer (BinaryConnect, section 2.5; XNOR-Net, section 3.2), since it takes up at once what
other weights do to the mean and the spread of a map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, fx, nn

from toolchain.compress.fold_batch_norm import calls, graph_of, norms_behind, set_module, with_parameters
from toolchain.compress.layers import weighted_layers
from toolchain.errors import DataError, RecipeError, ToolchainError
from toolchain.model import Model, to_input
from toolchain.stage import Context, Stage, Trait

_BATCH = 32


def neutral_norm(mean: Tensor, variance: Tensor, bias: Tensor | None, maps: bool) -> nn.BatchNorm1d | nn.BatchNorm2d:
    """The batch norm that adds `bias` `[C]` and else changes nothing, with these running statistics `[C]`, in evaluation mode.
    `maps`: for `[N, C, H, W]` instead of `[N, C]`."""
    norm = nn.BatchNorm2d(len(mean)) if maps else nn.BatchNorm1d(len(mean))
    assert norm.running_mean is not None and norm.running_var is not None
    with torch.no_grad():
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((norm.running_var.double() + norm.eps).sqrt())
        norm.bias.copy_(norm.running_mean if bias is None else norm.running_mean.double() + bias.double())
    return norm.eval()


@torch.no_grad()
def output_statistics(net: nn.Module, names: Sequence[str], batches: Sequence[Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """The mean and variance `[C]`, float64, of what each named conv or linear layer gives for `batches`, less its bias."""
    sums = {name: torch.zeros(3, 1, dtype=torch.float64) for name in names}

    def watch(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(layer: nn.Module, inputs: Any, output: Tensor) -> None:
            if output.ndim != (4 if isinstance(layer, nn.Conv2d) else 2):
                raise ToolchainError(f"InsertBatchNorm: {name}: expected outputs [N, C] or [N, C, H, W], got {list(output.shape)}")
            values = output.transpose(0, 1).flatten(1).double()
            count = torch.full((len(values),), values.shape[1], dtype=torch.float64)
            sums[name] = sums[name] + torch.stack([count, values.sum(1), values.square().sum(1)])

        return hook

    hooks = [net.get_submodule(name).register_forward_hook(watch(name)) for name in names]
    for images in batches:
        net(images)
    for hook in hooks:
        hook.remove()
    found = {}
    for name, (count, total, squares) in sums.items():
        mean, bias = total / count, getattr(net.get_submodule(name), "bias", None)
        found[name] = (mean if bias is None else mean - bias.double(), (squares / count - mean**2).clamp_min(0))
    return found


def insert_norms(net: fx.GraphModule, norms: dict[str, nn.BatchNorm1d | nn.BatchNorm2d]) -> None:
    """Puts each norm, in place, behind the layer by whose name it goes, whose bias it takes on."""
    modules = dict(net.named_modules())
    for node in list(net.graph.nodes):
        if node.op != "call_module" or node.target not in norms:
            continue
        layer, name = modules[node.target], f"{node.target}_norm"
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        set_module(net, node.target, with_parameters(layer, layer.weight.detach(), None))
        set_module(net, name, norms[node.target])
        with net.graph.inserting_after(node):
            norm = net.graph.call_module(name, (node,))
        node.replace_all_uses_with(norm, delete_user_cb=lambda user, norm=norm: user is not norm)
    net.recompile()


@dataclass(frozen=True)
class InsertBatchNorm(Stage):
    """Puts a batch norm behind every conv and linear layer that has none, but the last; the embeddings stay as they are.

    For Binarize, on a net that was exported without. Needs a few faces to measure, and trains nothing.
    """

    refuses: ClassVar[Mapping[Trait, str]] = {Trait.ENCODED: "put InsertBatchNorm() before what encodes"}
    gives: ClassVar[frozenset[Trait]] = frozenset({Trait.BATCH_NORM})
    takes: ClassVar[frozenset[Trait]] = frozenset({Trait.UNNORMED})

    faces: int = 256
    """How many of the training faces are measured, evenly spread over them."""

    def __post_init__(self) -> None:
        if self.faces < 2:
            raise RecipeError(f"InsertBatchNorm.faces: expected 2 or more, got {self.faces}")

    @property
    def needs_faces(self) -> bool:
        return True

    def transform(self, model: Model, context: Context) -> Model:
        faces = context.training_faces("InsertBatchNorm")
        if len(faces) < 2:
            raise DataError(f"InsertBatchNorm: expected 2 faces or more, got {len(faces)}")
        net = graph_of(model.net)
        has_one = norms_behind(net)
        names = [layer.name for layer in weighted_layers(net)[:-1] if layer.name not in has_one and calls(net, layer.name) == 1]
        rows = np.unique(np.linspace(0, len(faces) - 1, self.faces).round().astype(int))
        images = torch.from_numpy(np.ascontiguousarray(faces.images[rows])).permute(0, 3, 1, 2)
        device = next(net.parameters()).device
        batches = [to_input(part.to(device), model.input) for part in images.split(_BATCH)]
        found = output_statistics(net, names, batches)
        layers = {name: net.get_submodule(name) for name in names}
        norms = {name: neutral_norm(*found[name], layer.bias, isinstance(layer, nn.Conv2d)) for name, layer in layers.items()}  # type: ignore[arg-type]
        insert_norms(net, norms)
        return model.with_net(net)
