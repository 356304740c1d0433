"""Results of long work, kept by what they were made from: training stages as safetensors, conversions as plain files.

A key is a sha256 over everything that a result depends on, so a change of any of it makes a new key and nothing stale is
ever found. Two places are looked at: one that comes with the package (read only; what the default model needs, so that a
build needs no face image) and the user's own.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize

import toolchain.encodings
from toolchain import files
from toolchain.encodings import Encoding
from toolchain.errors import DataError, ToolchainError
from toolchain.model import Model
from toolchain.stage import Context, Stage

SHIPPED = Path(__file__).parent / "weights" / "kept"


def cache_folder() -> Path:
    """Where results are kept unless told otherwise: `pocketface` in the user's cache folder ($XDG_CACHE_HOME)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pocketface"


def key_of(**made_from: Any) -> str:
    """sha256 of named JSON values."""
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Kept:
    """Runs training stages, or gives back what an earlier run of the same stage on the same model and images gave."""

    own: Path
    shipped: Path = SHIPPED

    def find(self, stage: Stage, model: Model, context: Context) -> Model | None:
        """The kept result of `stage` on `model`: the package's, found by stage and model alone, or the user's, found by
        images, seed and the files that the stage reads too. None where there is none. Error: DataError where the package's is damaged,
        or such a file is missing."""
        shipped = self.shipped / f"{shipped_key(stage, model)}.safetensors"
        if shipped.exists():
            return read_result(shipped, stage.prepared(model))
        own = self.own / f"{own_key(stage, model, context)}.safetensors"
        if not own.exists():
            return None
        try:
            return read_result(own, stage.prepared(model))
        except DataError as error:
            context.progress.say(f"{error}; it is made again")
            return None

    def apply(self, stage: Stage, model: Model, context: Context) -> Model:
        """`stage.apply(model, context)`, or its kept result. What is newly made is kept."""
        if not stage.trains:
            return stage.apply(model, context)
        found = self.find(stage, model, context)
        if found is not None:
            return found
        key = own_key(stage, model, context)
        # Checkpoints lie under the result's key, so that a stopped run goes on and no other run picks them up.
        result = stage.apply(model, replace(context, work=context.work / key[:24], cache=context.shared))
        write_result(self.own / f"{key}.safetensors", stage.prepared(model), result)
        return result


def shipped_key(stage: Stage, model: Model) -> str:
    """The key of a result that comes with the package."""
    return key_of(stage=stage.describe(), model=model.fingerprint())


def own_key(stage: Stage, model: Model, context: Context) -> str:
    """The key of a user's own result. Error: DataError where a file that the stage reads is missing."""
    given = [None if faces is None else faces.fingerprint() for faces in (context.faces, context.aside)]
    read = stage.reads()
    made_from = {"stage": stage.describe(), "model": model.fingerprint(), "faces": given, "seed": context.seed}
    return key_of(**made_from, **({"reads": read} if read else {}))


def write_result(path: Path, before: Model, after: Model) -> None:
    """Keeps what `after` changed of `before`: float tensors that differ and have no encoding, each encoding's arrays, and the
    ranges. Error: DataError where `after` is another net than `before`: what is kept are values, not layers."""
    old, new = before.net.state_dict(), after.net.state_dict()
    shapes = [{name: tuple(tensor.shape) for name, tensor in state.items()} for state in (old, new)]
    if shapes[0] != shapes[1]:
        raise DataError(f"{path.name}: a training stage gave a net of other tensors than it prepared; values are kept, not layers")
    arrays: dict[str, np.ndarray] = {}
    for name, tensor in new.items():
        encoding = after.encodings.get(name)
        if encoding is not None:
            arrays.update({f"encoding.{name}.{item}": array for item, array in _arrays(encoding).items()})
        elif not torch.equal(tensor.cpu(), old[name].cpu()) or name in before.encodings:
            arrays[f"tensor.{name}"] = tensor.detach().cpu().contiguous().numpy()
    facts = {
        "encodings": {name: type(encoding).__name__ for name, encoding in after.encodings.items()},
        "ranges": {name: list(bounds) for name, bounds in after.ranges.items()},
        "model": after.fingerprint(),
    }
    # One entry: safetensors writes several in an order that changes from run to run.
    files.write(path, serialize(arrays, {"kept": json.dumps(facts, sort_keys=True)}))


def read_result(path: Path, before: Model) -> Model:
    """The model that `write_result` kept, made from `before`. Error: DataError where the file is damaged or was made from
    another model: the result's fingerprint is checked."""
    try:
        with safe_open(path, "np") as file:
            facts = json.loads((file.metadata() or {})["kept"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}
        ranges = {name: (float(low), float(high)) for name, (low, high) in facts["ranges"].items()}
        values: dict[str, torch.Tensor | Encoding] = {
            name.removeprefix("tensor."): torch.from_numpy(array) for name, array in arrays.items() if name.startswith("tensor.")
        }
        values.update({name: _encoding(kind, name, arrays) for name, kind in facts["encodings"].items()})
        after = replace(before.with_weights(values), ranges=ranges)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, ToolchainError) as error:
        raise DataError(f"{path}: expected a kept result, got a damaged file ({error})") from None
    if after.fingerprint() != facts.get("model"):
        raise DataError(f"{path}: this kept result is damaged or belongs to another model")
    return after


def _arrays(encoding: Encoding) -> Mapping[str, np.ndarray]:
    assert is_dataclass(encoding)
    return {item.name: np.array(getattr(encoding, item.name), order="C") for item in fields(encoding)}


def _encoding(kind: str, name: str, arrays: Mapping[str, np.ndarray]) -> Encoding:
    """The encoding of class `kind`, one of those in toolchain.encodings."""
    made = getattr(toolchain.encodings, kind, None)
    if not (isinstance(made, type) and issubclass(made, Encoding) and is_dataclass(made)):
        raise ValueError(f"unknown encoding {kind}")
    prefix = f"encoding.{name}."
    values = {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}
    return made(**{field: array if array.ndim else array.item() for field, array in values.items()})


@dataclass(frozen=True)
class KeptBytes:
    """Bytes by the key of what they were made from, each file with the sha256 of what follows in front."""

    folder: Path

    def get(self, key: str, make: Callable[[], bytes]) -> bytes:
        """What is kept under `key`, or what `make` gives, which is then kept."""
        path = self.folder / key
        if path.is_file():
            held = path.read_bytes()
            if held[:32] == hashlib.sha256(held[32:]).digest():
                return held[32:]
        made = make()
        files.write(path, hashlib.sha256(made).digest() + made)
        return made
