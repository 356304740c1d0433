"""Model: a network, how each of its tensors will be stored, and what it takes as input."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import torch
from torch import Tensor, nn

from runtime_py.bundle import InputContract
from toolchain.encodings import Encoding
from toolchain.errors import ToolchainError


@dataclass(frozen=True, eq=False)
class Model:
    """A face embedder at some point of its way to the phone.

    `net` maps images `[N, 3, H, W]` (float, in the range that `input` states) to embeddings `[N, D]`, not
    normalised. Its weights are always *decoded* floats, so that every model can be run and scored.

    Invariant: a tensor named in `encodings` equals its encoding's `decode()`, bit for bit. It is checked when the
    model is made. Stages never change a model; they make a new one by `with_weights` or `with_net`.
    """

    net: nn.Module
    input: InputContract
    encodings: Mapping[str, Encoding] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Activation ranges (minimum, maximum) by the name of the tensor in the fp32 .tflite; empty until calibrated."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "encodings", MappingProxyType(dict(self.encodings)))
        object.__setattr__(self, "ranges", MappingProxyType(dict(self.ranges)))
        state = self.net.state_dict()
        for name, encoding in self.encodings.items():
            if name not in state:
                raise ToolchainError(f"{name}: encoded, but the net has no such tensor; encode tensors by their state_dict names")
            if not torch.equal(state[name].cpu(), encoding.decode()):
                kind = type(encoding).__name__
                raise ToolchainError(f"{name}: its values differ from what its {kind} decodes to; make the model with with_weights()")

    def with_weights(self, weights: Mapping[str, Tensor | Encoding]) -> Model:
        """A copy with some tensors replaced. An `Encoding` also sets how the tensor is stored; a plain tensor drops
        the encoding that it had."""
        net = copy.deepcopy(self.net)
        state = net.state_dict()
        encodings = dict(self.encodings)
        for name, value in weights.items():
            if name not in state:
                raise ToolchainError(f"{name}: the net has no such tensor")
            encodings.pop(name, None)
            tensor = value.decode() if isinstance(value, Encoding) else value
            if tensor.shape != state[name].shape:
                raise ToolchainError(f"{name}: expected shape {tuple(state[name].shape)}, got {tuple(tensor.shape)}")
            state[name].copy_(tensor)
            if isinstance(value, Encoding):
                encodings[name] = value
        return replace(self, net=net, encodings=encodings, ranges={})

    def with_net(self, net: nn.Module) -> Model:
        """A model of another network. Encodings are kept where the tensor of that name is unchanged."""
        state = net.state_dict()
        kept = {
            name: encoding
            for name, encoding in self.encodings.items()
            if name in state and torch.equal(state[name].cpu(), encoding.decode())
        }
        return replace(self, net=net, encodings=kept, ranges={})

    def require_finite(self, needed_by: str) -> None:
        """Error: ToolchainError where a parameter or statistic of the net is NaN or infinite."""
        for name, value in self.net.state_dict().items():
            wrong = int((~value.isfinite()).sum())
            if wrong:
                raise ToolchainError(f"{needed_by}: {name}: expected finite weights, got {wrong} that are not; train the net anew")

    @torch.no_grad()
    def embed(self, images: Tensor, batch: int = 64) -> Tensor:
        """L2-normalised embeddings `[N, D]` of `images` `[N, 3, H, W]` uint8 RGB."""
        net = self.net.eval()
        device = next(net.parameters()).device
        rows = []
        for start in range(0, len(images), batch):
            pixels = to_input(images[start : start + batch].to(device), self.input)
            rows.append(nn.functional.normalize(net(pixels).flatten(1)).cpu())
        return torch.cat(rows)

    def fingerprint(self) -> str:
        """sha256 over the names, shapes and bytes of every tensor, the encodings and the input contract."""
        digest = hashlib.sha256(repr(self.input).encode())
        for name, tensor in sorted(self.net.state_dict().items()):
            array = tensor.detach().cpu().contiguous().numpy()
            digest.update(f"{name}{array.dtype}{array.shape}".encode())
            digest.update(array.tobytes())
            encoding = self.encodings.get(name)
            digest.update(b"dense" if encoding is None else repr(encoding).encode())
        digest.update(repr(sorted(self.ranges.items())).encode())
        return digest.hexdigest()


def to_input(images: Tensor, contract: InputContract) -> Tensor:
    """Pixels `[N, 3, H, W]` uint8 RGB as the float tensor that `contract` states: pixel * scale + offset, in its
    colour order."""
    pixels = images.float() * contract.scale + contract.offset
    return pixels.flip(1) if contract.color == "bgr" else pixels


def trainable_copy(model: Model) -> nn.Module:
    """A deep copy of the net for a stage to train in place; the model itself stays as it is."""
    net = copy.deepcopy(model.net)
    for parameter in net.parameters():
        parameter.requires_grad_(True)
    return net
