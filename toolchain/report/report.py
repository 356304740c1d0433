"""What is known of a bundle, in figures: `report.json`, and beside it the same as a page and a model card.

Whatever depends on the machine or the moment stands here and not in the bundle: times, memory, what was installed, what was run and
what could not be. Nothing is filled in: what was not measured is empty, and the page says how to get it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime_py import typed_json
from runtime_py.bundle import Bundle
from runtime_py.manifest import (
    Accuracy,
    Bytes,
    DataSource,
    FaceTerms,
    Licence,
    Parity,
    RecipeRecord,
    Threshold,
    UnsupportedThreshold,
    Variant,
)
from toolchain.report.anchors import ANCHORS, Anchor
from toolchain.report.curves import WORST, Curves, FaceCosine
from toolchain.sensitivity.sensitivity import Sensitivity

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class VariantReport:
    """One variant.

    `resident`: bytes of memory while it runs (toolchain.bench.resident). `parity`: the figures on each runtime, LiteRT first: exact
    with the median milliseconds of single images on one thread where this machine built the bundle (toolchain.bundling.variants.figures),
    else the rounded ones of the manifest. `cosines`: LiteRT's to torch, one a face of `Report.parity_faces`. `seconds`: what
    the build spent on it.
    """

    name: str
    sha256: str
    bytes: Bytes
    packed: bool
    parity: tuple[Mapping[str, Any], ...]
    accuracy: tuple[Accuracy, ...]
    thresholds: tuple[Threshold, ...] = ()
    thresholds_left_out: tuple[UnsupportedThreshold, ...] = ()
    face_terms: tuple[FaceTerms, ...] = ()
    missed_gates: tuple[str, ...] = ()
    resident: int | None = None
    cosines: tuple[float, ...] = ()
    seconds: float | None = None
    arm64: tuple[Parity, ...] = ()
    """Agreement on arm64 processors, as recorded or measured; empty where that check was not run."""

    @property
    def arm64_cosine(self) -> float | None:
        """The least cosine to torch over the arm64 processors that were checked; None where none was."""
        return min((row.min_cosine for row in self.arm64 if row.against.startswith("torch")), default=None)

    @property
    def milliseconds(self) -> float | None:
        """Of an image on LiteRT, one thread, the machine that built the bundle; None where it was not measured."""
        return self.parity[0].get("ms") if self.parity else None

    def accuracy_text(self) -> str:
        """The accuracy by folds where there is one, else the first figure."""
        rows = sorted(self.accuracy, key=lambda row: row.std is None)
        if not rows:
            return NOT_MEASURED
        spread = "" if rows[0].std is None else f" ± {100 * rows[0].std:.2f}"
        return f"{100 * rows[0].value:.2f}{spread} %"

    def worst(self, faces: tuple[str, ...]) -> tuple[FaceCosine, ...]:
        """The faces with the least cosine to torch, the least first."""
        rows = [FaceCosine(face, cosine) for face, cosine in zip(faces, self.cosines, strict=False)]
        return tuple(sorted(rows, key=lambda row: row.cosine)[:WORST])


@dataclass(frozen=True)
class Report:
    """All of it. `left_out` says why a variant is not in the bundle, `not_run` in one line each what could not be checked;
    `seconds` is the build's time by step; `curves` and `sensitivity` are there where they were asked for."""

    bundle: str
    sha256: str
    size: int
    name: str
    target: str
    minimum: Mapping[str, str]
    default_variant: str
    variants: tuple[VariantReport, ...]
    recipe: RecipeRecord
    licences: tuple[Licence, ...]
    data: tuple[DataSource, ...]
    machine: Mapping[str, Any]
    packages: Mapping[str, str]
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)
    not_run: tuple[str, ...] = ()
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    parity_faces: tuple[str, ...] = ()
    curves: Curves | None = None
    sensitivity: Sensitivity | None = None
    anchors: tuple[Anchor, ...] = ANCHORS

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        values: dict[str, Any] = _plain(self)
        return values

    @property
    def default(self) -> VariantReport:
        return next(item for item in self.variants if item.name == self.default_variant)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def of_bundle(bundle: Bundle, machine: Mapping[str, Any], packages: Mapping[str, str]) -> Report:
    """What the bundle says of itself."""
    manifest = bundle.manifest
    return Report(
        bundle=Path(bundle.source).name,
        sha256=bundle.sha256,
        size=Path(bundle.source).stat().st_size,
        name=manifest.name,
        target=manifest.target.name,
        minimum=manifest.target.minimum,
        default_variant=manifest.default_variant,
        variants=tuple(_variant(item) for item in manifest.variants),
        recipe=manifest.recipe,
        licences=manifest.licences,
        data=manifest.data,
        machine=machine,
        packages=packages,
    )


def _variant(item: Variant) -> VariantReport:
    parity = []
    for row in (row for row in item.parity if not _on_arm64(row)):
        runtime, _, version = row.runtime.partition(" ")
        figures = {"max_abs": row.max_abs, "min_cosine": row.min_cosine, "p1_cosine": row.p1_cosine}
        parity.append({"runtime": runtime, "version": version, "faces": row.faces, **figures})
    return VariantReport(
        name=item.name,
        sha256=item.sha256,
        bytes=item.bytes,
        packed=item.packed,
        parity=tuple(parity),
        accuracy=item.accuracy,
        thresholds=item.thresholds,
        thresholds_left_out=item.thresholds_left_out,
        face_terms=item.face_terms,
        missed_gates=item.missed_gates,
        arm64=tuple(row for row in item.parity if _on_arm64(row)),
    )


def _on_arm64(row: Parity) -> bool:
    """The suite names a runtime by its version and the machine that it ran on (toolchain.parity.machines)."""
    return " on arm64" in row.runtime


def recorded(folder: Path, sha256: str) -> Report | None:
    """The report that `folder` holds, where it is of the bundle of that sha256; None where it is of another, of another release's
    form, or none."""
    try:
        found = typed_json.read(Report, typed_json.parse((folder / "report.json").read_bytes()), "report")
    except (OSError, typed_json.TypedJsonError):
        return None
    return found if found.sha256 == sha256 else None


def as_json(report: Report) -> str:
    """`report.json`."""
    return json.dumps(report.describe(), indent=1) + "\n"
