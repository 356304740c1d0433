"""Measured accuracies of models, by the sha256 of the .tflite that was measured: what a build may state of a variant.

A build measures nothing on faces that it does not have. `toolchain evaluate BUNDLE --record FILE` writes down what it
measured; a build whose variant comes out with the same bytes states the same figures.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime_py import typed_json
from runtime_py.manifest import Accuracy
from toolchain import files
from toolchain.errors import DataError

SHIPPED = Path(__file__).parent / "weights" / "accuracy.json"
Accuracies = Mapping[str, tuple[Accuracy, ...]]


@dataclass(frozen=True)
class _File:
    models: Accuracies


def read_accuracies(path: Path) -> Accuracies:
    """The figures in a file that `record` wrote. Error: DataError where it is missing or not of that form."""
    try:
        return typed_json.read(_File, typed_json.parse(path.read_bytes()), "accuracies").models
    except OSError as error:
        raise DataError(f"{path}: expected recorded accuracies, cannot read them ({error.strerror})") from None
    except typed_json.TypedJsonError as error:
        raise DataError(f"{path}: expected accuracies as `toolchain evaluate --record` writes them: {error}") from None


def record(path: Path, measured: Mapping[str, Sequence[Accuracy]]) -> None:
    """Adds figures to the file: those of the same model, data and protocol are replaced, all others kept."""
    known = {sha256: list(rows) for sha256, rows in read_accuracies(path).items()} if path.exists() else {}
    for sha256, rows in measured.items():
        new = {(row.protocol, row.data_sha256) for row in rows}
        kept = [row for row in known.get(sha256, []) if (row.protocol, row.data_sha256) not in new]
        known[sha256] = sorted([*kept, *rows], key=lambda row: (row.data_sha256, row.protocol))
    values = {sha256: [_json(row) for row in rows] for sha256, rows in sorted(known.items())}
    files.write(path, json.dumps({"models": values}, indent=1) + "\n")


def _json(row: Accuracy) -> dict[str, object]:
    return {name: value for name, value in dataclasses.asdict(row).items() if value is not None}
