"""Where weights come from: what a bundle states of their licences and data.

`save_model` writes it into the weights file, under "provenance": `licences` and `data` as in the manifest. The model card
lies beside the file, `net.md` for `net.safetensors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from runtime_py import typed_json
from runtime_py.manifest import DataSource, Licence
from runtime_py.typed_json import Items
from toolchain.errors import DataError
from toolchain.load import find_header


@dataclass(frozen=True)
class Provenance:
    """What a manifest says of a model's weights."""

    licences: Annotated[tuple[Licence, ...], Items(1)]
    data: tuple[DataSource, ...] = ()


UNSTATED = Provenance(
    (
        Licence(
            covers="the model's weights",
            spdx="LicenseRef-unstated",
            terms="Whoever built this bundle brought the weights in and stated no licence; ask them before you use it.",
        ),
    ),
)


def provenance(weights: Path | None) -> Provenance:
    """What a weights file states of itself; UNSTATED where it states nothing (an ONNX file, a model that was trained just
    now). Error: DataError where what it states cannot be read."""
    header = None if weights is None else find_header(weights)
    if header is None or "licences" not in header.provenance:
        return UNSTATED
    try:
        return typed_json.read(Provenance, dict(header.provenance), "provenance", ignore_unknown=True)
    except typed_json.TypedJsonError as error:
        raise DataError(f"{weights}: {error}; save the weights with licences and data as the manifest has them") from None


def model_card(weights: Path | None) -> bytes | None:
    """The model card beside the weights; None where there is none."""
    path = None if weights is None else weights.with_suffix(".md")
    return path.read_bytes() if path is not None and path.is_file() else None
