"""Measured figures of models, by the sha256 of the .tflite that was measured: what a build may state of a variant.

`toolchain evaluate BUNDLE --record FILE` writes down what it measured; a build whose variant comes out with the same bytes states
the same figures, and needs no faces for it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from runtime_py import typed_json
from runtime_py.manifest import Accuracy, FaceTerms, Threshold, UnsupportedThreshold
from toolchain import files
from toolchain.errors import DataError

SHIPPED = Path(__file__).parents[1] / "weights" / "accuracy.json"
Row = TypeVar("Row", Accuracy, FaceTerms)


@dataclass(frozen=True)
class Measured:
    """What was measured of one model, as a manifest states it."""

    accuracy: tuple[Accuracy, ...] = ()
    face_terms: tuple[FaceTerms, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    thresholds_left_out: tuple[UnsupportedThreshold, ...] = ()

    def updated(self, newer: Measured) -> Measured:
        """With the figures of `newer`: those of the same protocol and data are replaced, and the thresholds, which are one
        calibration, as a whole where `newer` has some or says why not."""
        calibrated = newer if newer.thresholds or newer.thresholds_left_out else self
        return Measured(
            _merged(self.accuracy, newer.accuracy),
            _merged(self.face_terms, newer.face_terms),
            calibrated.thresholds,
            calibrated.thresholds_left_out,
        )


Accuracies = Mapping[str, Measured]


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


def merged(known: Accuracies, newer: Accuracies) -> Accuracies:
    """Both, by `Measured.updated` where they speak of the same model."""
    return {**known, **{sha256: known.get(sha256, Measured()).updated(found) for sha256, found in newer.items()}}


def record(path: Path, measured: Accuracies) -> None:
    """Adds figures to the file, by `merged`."""
    models = merged(read_accuracies(path) if path.exists() else {}, measured)
    values = {sha256: _plain(found) for sha256, found in sorted(models.items())}
    files.write(path, json.dumps({"models": values}, indent=1) + "\n")


def _merged(known: tuple[Row, ...], newer: tuple[Row, ...]) -> tuple[Row, ...]:
    rows = {(row.data_sha256, row.protocol): row for row in known + newer}
    return tuple(rows[key] for key in sorted(rows))


def _plain(found: Measured) -> dict[str, object]:
    """As JSON values, without what is empty or None: both are the defaults."""
    values: dict[str, object] = {}
    for item in dataclasses.fields(found):
        rows = [{name: value for name, value in dataclasses.asdict(row).items() if value is not None} for row in getattr(found, item.name)]
        if rows:
            values[item.name] = rows
    return values
