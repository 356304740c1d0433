"""Weights files: safetensors of this project's backbones, and any face embedder as ONNX. Nothing that could run code.

A weights file is a safetensors file whose metadata has one entry, `pocketface`, a JSON object:

    version      1
    backbone     its class under "type", its settings beside it
    input        the input contract: height, width, color, scale, offset
    provenance   whatever the trainer recorded: data, licences, protocol, versions

The tensors are those of the backbone's state dict; where channels were pruned they are smaller, and their shapes say how many are
left. The same model gives the same bytes.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor, nn

import toolchain.backbones
from runtime_py import typed_json
from runtime_py.bundle import InputContract
from toolchain import files
from toolchain.backbones import Backbone
from toolchain.compress.channel_groups import channel_groups, with_channels
from toolchain.errors import DataError, RecipeError, ToolchainError
from toolchain.model import Model
from toolchain.stage import describe

VERSION = 1
_ENTRY = "pocketface"
_LFS = b"version https://git-lfs"
_PICKLES = (b"\x80", b"PK\x03\x04")  # a bare pickle; torch's zip of pickles


@dataclass(frozen=True)
class Header:
    """What a weights file says of itself."""

    backbone: Backbone
    input: InputContract
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Entry:
    """The metadata's entry as JSON states it; what `backbone` has beside "type" are the settings of that class."""

    version: int
    backbone: Mapping[str, Any]
    input: InputContract
    provenance: Mapping[str, Any]


def save_model(path: Path, model: Model, provenance: Mapping[str, Any] | None = None) -> None:
    """Writes the weights of a net that `Backbone.build()` made, its channels pruned or not; the file is whole or not there.

    Errors: DataError where it cannot be written; ToolchainError where the net is of no backbone of this project, or carries
    encodings or ranges, which belong to a variant and are kept with it.
    """
    settings = getattr(model.net, "settings", None)
    if not isinstance(settings, Backbone):
        got = type(model.net).__name__
        raise ToolchainError(f"{path}: expected a net that a backbone's build() made, got {got}; save it before folding")
    if model.encodings or model.ranges:
        raise ToolchainError(f"{path}: expected a model without encodings and ranges; save it before it is compressed")
    facts = {
        "version": VERSION,
        "backbone": describe(settings),
        "input": dataclasses.asdict(model.input),
        "provenance": dict(provenance or {}),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.net.state_dict().items()}
    # One entry: safetensors writes several in an order that changes from run to run.
    files.write(path, serialize(tensors, {_ENTRY: json.dumps(facts, sort_keys=True)}))


def load_model(path: Path, contract: InputContract | None = None) -> Model:
    """The model of a weights file: safetensors that `save_model` wrote, or ONNX.

    `contract`: what an ONNX net takes, since its file does not say; of safetensors it must be what the file says, or None.
    Error: DataError for whatever is not such a file, of another shape, or not finite.
    """
    data = _read(path)
    if _is_safetensors(data):
        header = read_header(path)
        if contract is not None and contract != header.input:
            raise DataError(f"{path}: expected the input that the file states, {header.input}, got {contract}; leave --input out")
        return Model(_load_state(path, _built(path, header.backbone)), header.input)
    if contract is None:
        _require_onnx(path, data)
        raise DataError(f"{path}: an ONNX file does not say what its pixels mean; state it, for example --input rgb,0..255 or bgr,-1..1")
    from toolchain.from_onnx import net_from_onnx  # here, since onnx2torch imports all of torchvision: seconds that safetensors need not

    net = net_from_onnx(str(path), data, contract)
    _check_finite(path, net.state_dict())
    return Model(net, contract)


def read_header(path: Path) -> Header:
    """What a safetensors weights file says of itself. Error: DataError where it is none that `save_model` wrote."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: expected safetensors, got a damaged file ({error})") from None
    if _ENTRY not in metadata:
        raise DataError(f"{path}: safetensors without the entry {_ENTRY} that names its backbone; bring the net as ONNX with --input")
    try:
        facts = typed_json.parse(metadata[_ENTRY].encode())
        if facts["version"] != VERSION:
            raise DataError(f"{path}: expected weights file version {VERSION}, got {facts['version']}; use the release that wrote it")
        entry = typed_json.read(_Entry, facts, _ENTRY)
        return Header(_backbone(entry.backbone), entry.input, entry.provenance)
    except (ValueError, KeyError, TypeError, RecipeError) as error:
        raise DataError(f"{path}: the entry {_ENTRY} cannot be understood ({type(error).__name__}: {error})") from None


def find_header(path: Path) -> Header | None:
    """The same of any weights file; None of ONNX, which says nothing. Error: DataError, also where it cannot be read."""
    return read_header(path) if _is_safetensors(_read(path)) else None


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if data.startswith(_LFS):
        raise DataError(f"{path}: a Git-LFS pointer, not the weights; fetch them with git lfs pull")
    # A safetensors file starts with its header's length, one in 32 of which has a pickle's first byte.
    if data.startswith(_PICKLES) and not _is_safetensors(data):
        raise DataError(f"{path}: a pickle (.pt, .pth), which could run any code; save it as safetensors or export it to ONNX")
    return data


def _is_safetensors(data: bytes) -> bool:
    """By content: 8 bytes of header length, then JSON. An ONNX file starts with protobuf tags."""
    return len(data) > 9 and int.from_bytes(data[:8], "little") <= len(data) - 8 and data[8:9] == b"{"


def _require_onnx(path: Path, data: bytes) -> None:
    from toolchain import onnx_session  # here, since onnxruntime takes long to import and safetensors need it not

    try:
        onnx_session.parse(str(path), data)
    except DataError:
        raise DataError(f"{path}: expected weights, got a file that is neither safetensors nor ONNX; it is damaged, or another") from None


def _backbone(settings: Mapping[str, Any]) -> Backbone:
    made = getattr(toolchain.backbones, str(settings["type"]), None)
    if not (isinstance(made, type) and issubclass(made, Backbone) and made is not Backbone):
        raise ValueError(f"unknown backbone {settings['type']}")
    return typed_json.read(made, {name: value for name, value in settings.items() if name != "type"}, "backbone")


def _built(path: Path, backbone: Backbone) -> nn.Module:
    try:
        return backbone.build()
    except (RuntimeError, TypeError, ValueError, MemoryError) as error:  # sizes that no net can have
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: its backbone cannot be built, {backbone}: {reason}; the file is damaged") from None


def _load_state(path: Path, net: nn.Module) -> nn.Module:
    """`net` with the file's tensors, in evaluation mode. Errors name the first tensor that is missing, unknown or of another shape."""
    with safe_open(path, "pt") as file:
        held = {name: file.get_tensor(name) for name in file.keys()}
    net = _pruned_like(net, held)
    state = net.state_dict()
    for name in sorted(set(state) ^ set(held)):
        raise DataError(f"{path}: {name} is {'missing' if name in state else 'no tensor of this backbone'}; the file is of another net")
    for name, tensor in state.items():
        if held[name].shape != tensor.shape or held[name].dtype != tensor.dtype:
            got = f"{held[name].dtype} {list(held[name].shape)}"
            raise DataError(f"{path}: {name}: expected {tensor.dtype} {list(tensor.shape)}, got {got}")
    _check_finite(path, held)
    net.load_state_dict(held)
    return net.eval()


def _pruned_like(net: nn.Module, held: Mapping[str, Tensor]) -> nn.Module:
    """`net` with as many channels as `held` has, where it has fewer in some layers, and `net` itself where that cannot be told: the
    shapes are checked afterwards."""
    state = net.state_dict()
    if set(state) != set(held) or all(held[name].shape == tensor.shape for name, tensor in state.items()):
        return net
    try:
        groups = channel_groups(net)
    except ToolchainError:
        return net
    left = [(group, list(held[group.axes[0].tensor].shape[group.axes[0].axis :])) for group in groups]
    if any(not sizes or not 1 <= sizes[0] <= group.size for group, sizes in left):
        return net
    return with_channels(net, [(group, torch.arange(sizes[0])) for group, sizes in left])


def _check_finite(path: Path, state: Mapping[str, Tensor]) -> None:
    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise DataError(f"{path}: {name} holds values that are not finite; the net was saved after its training diverged")
