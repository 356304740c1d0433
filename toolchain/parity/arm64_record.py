"""Recorded arm64 parity of models, by the sha256 of the .tflite that was measured: what a build may state of a variant without
measuring it anew, which takes minutes.

`toolchain parity BUNDLE --on arm64 --record FILE` writes down what it measured; a build whose variant comes out with the same bytes
states the same figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import toolchain
from runtime_py import typed_json
from runtime_py.manifest import Parity
from toolchain import files
from toolchain.errors import DataError

SHIPPED = Path(toolchain.__file__).parent / "weights" / "arm64.json"
Recorded = Mapping[str, tuple[Parity, ...]]


@dataclass(frozen=True)
class _File:
    models: Recorded


def read(path: Path) -> Recorded:
    """The figures in a file that `record` wrote. Error: DataError where it is missing or not of that form."""
    try:
        return typed_json.read(_File, typed_json.parse(path.read_bytes()), "arm64 parity").models
    except OSError as error:
        raise DataError(f"{path}: expected recorded arm64 parity, cannot read it ({error.strerror})") from None
    except typed_json.TypedJsonError as error:
        raise DataError(f"{path}: expected figures as `toolchain parity --on arm64 --record` writes them: {error}") from None


def shipped() -> Recorded:
    """The figures that come with the package."""
    return read(SHIPPED) if SHIPPED.exists() else {}


def record(path: Path, measured: Mapping[str, Sequence[Parity]]) -> None:
    """Adds figures to the file: all of a model's are replaced, those of other models kept."""
    known = {**(read(path) if path.exists() else {}), **measured}
    values = {sha256: [asdict(row) for row in rows] for sha256, rows in sorted(known.items())}
    files.write(path, json.dumps({"models": values}, indent=1) + "\n")
