"""From finished variants to a manifest and its blobs. Nothing here depends on the machine or the moment, but for parity and
golden embeddings, which are rounded so that machines agree."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime_py import manifest
from runtime_py.embedder import Embedder
from runtime_py.interpreter import Interpreter, shape_of
from toolchain.bundling.golden import golden_embeddings, golden_vectors
from toolchain.bundling.provenance import Provenance
from toolchain.bundling.variants import Made
from toolchain.convert.level import Level
from toolchain.detector import packaged_detector, template
from toolchain.evaluation.accuracies import Accuracies, Measured
from toolchain.machine import conversion_versions
from toolchain.parity import host
from toolchain.recipe import Variant
from toolchain.rounding import rounded_down, rounded_up
from toolchain.targets import Target


@dataclass(frozen=True)
class Stated:
    """What is known of the weights beside themselves: measured figures, licences and data, the model card, and the gates that
    variants missed, by name, where they were allowed to. `arm64`: parity on arm64 by the sha256 of the .tflite. `matching`: how well levels
    of a net match each other, by the name of the whole net's variant."""

    accuracies: Accuracies
    provenance: Provenance
    card: bytes | None
    missed: Mapping[str, tuple[str, ...]]
    arm64: Mapping[str, tuple[manifest.Parity, ...]]
    matching: Mapping[str, tuple[manifest.CrossLevel, ...]] = field(default_factory=dict)


def plain(value: Any) -> Any:
    """A manifest's dataclasses as JSON values; a field that has its default None is left out, as the schema has it."""
    if dataclasses.is_dataclass(value):
        fields = {item.name: (getattr(value, item.name), item.default) for item in dataclasses.fields(value)}
        return {name: plain(held) for name, (held, default) in fields.items() if not (held is None and default is None)}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def sizes(made: Made) -> manifest.Bytes:
    """Bytes of the .tflite, of the same through gzip level 9, and of what is stored."""
    return manifest.Bytes(len(made.tflite), len(gzip.compress(made.tflite, 9, mtime=0)), len(made.stored))


def parities(made: Made) -> tuple[manifest.Parity, ...]:
    """Agreement with torch on each runtime that was compared, rounded to the unfavourable side: cosines down to 4 decimals,
    the largest difference up to one digit."""
    against = f"torch {conversion_versions()['torch']}"
    return tuple(
        manifest.Parity(
            f"{item.runtime} {item.version}",
            against,
            item.faces,
            rounded_up(item.max_abs),
            rounded_down(item.min_cosine),
            rounded_down(item.p1_cosine),
        )
        for item in made.parity
        if isinstance(item, host.Parity)
    )


def tensors(made: Made) -> tuple[manifest.TensorSpec, manifest.TensorSpec]:
    """(input, output) as they are in the .tflite."""
    interpreter = Interpreter(made.tflite, f"variant {made.variant.name}")
    return _spec(interpreter.inputs[0]), _spec(interpreter.outputs[0])


def _spec(details: dict[str, Any]) -> manifest.TensorSpec:
    dtype = details["dtype"].__name__
    scale, zero_point = details["quantization"]
    quantization = None if dtype == "float32" else manifest.Quantization(float(scale), int(zero_point))
    return manifest.TensorSpec(details["name"], dtype, shape_of(details), quantization)


def variant(made: Made, recorded: Accuracies) -> manifest.Variant:
    """The manifest's section of a variant."""
    taken, given = tensors(made)
    known = recorded.get(made.sha256, Measured())
    return manifest.Variant(
        name=made.variant.name,
        file=f"models/{made.variant.name}.{'packed' if made.variant.packed else 'tflite'}",
        packed=made.variant.packed,
        sha256=made.sha256,
        size=len(made.tflite),
        input=taken,
        output=given,
        bytes=sizes(made),
        golden=f"golden/{made.variant.name}.f32",
        golden_min_cosine=golden_bound(made),
        parity=parities(made),
        accuracy=known.accuracy,
        thresholds=known.thresholds,
        thresholds_left_out=known.thresholds_left_out,
        face_terms=known.face_terms,
    )


def golden_bound(made: Made) -> float:
    """The cosine with its golden embeddings that a right runtime reaches. Floats summed in another order stay above 0.9999 by
    far. Where activations are rounded to int8 a processor's last bit can move a step: dynamic range kept 0.9997 between x86 and
    arm64, and 0.99 leaves room for others, while a wrong colour order or scale falls far below it."""
    return min(0.9999, max(0.99, made.variant.gate.min_cosine or 0.0))


def level_sets(variants: Sequence[Variant], matching: Mapping[str, tuple[manifest.CrossLevel, ...]]) -> tuple[manifest.LevelSet, ...]:
    """The levels among `variants`, a set for each whole net."""
    found = []
    for whole in variants:
        lower = [item for item in variants if isinstance(item, Level) and item.whole.name == whole.name]
        if lower:
            lower.sort(key=lambda item: -item.utilisation)
            levels = [manifest.Level(item.level, item.name, item.utilisation) for item in lower]
            found.append(manifest.LevelSet(whole.name, (manifest.Level("100", whole.name, 1.0), *levels), matching.get(whole.name, ())))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Parts:
    """What `write_bundle` takes, the manifest as JSON `values` and the blobs; and the manifest's variants as they are."""

    values: dict[str, Any]
    blobs: dict[str, bytes]
    variants: tuple[manifest.Variant, ...]


def assemble(record: manifest.RecipeRecord, name: str, target: Target, default: str, made: Sequence[Made], stated: Stated) -> Parts:
    """A bundle of finished variants, with the detector and golden vectors.

    Errors: DataError where the detector's package is missing; ConversionError where it does not find the drawn faces.
    """
    detector = packaged_detector()
    contract = made[0].model.input
    preprocessing = manifest.Preprocessing(contract, "nhwc", "float32", "area-bilinear", (template(contract.height, contract.width),))
    golden = golden_vectors(detector, preprocessing)
    blobs: dict[str, bytes] = {detector.settings.file: detector.tflite, **golden.blobs}
    roles: dict[str, str] = {detector.settings.file: "detector", **golden.roles}
    sections = []
    for item in made:
        section = variant(item, stated.accuracies)
        parity = (*section.parity, *stated.arm64.get(section.sha256, ()))
        section = dataclasses.replace(section, parity=parity, missed_gates=stated.missed.get(section.name, ()))
        embeddings = golden_embeddings(Embedder(section, contract, item.tflite), golden.crops)
        blobs |= {section.file: item.stored, section.golden: embeddings}
        roles |= {section.file: "packed-model" if section.packed else "model", section.golden: "golden-embeddings"}
        sections.append(section)
    if stated.card is not None:
        blobs["model-card.md"], roles["model-card.md"] = stated.card, "model-card"
    size = sections[0].output.shape[-1]
    levels = level_sets([item.variant for item in made], stated.matching)
    values = {
        "schema": f"{manifest.SCHEMA_MAJOR}.{manifest.SCHEMA_MINOR}",
        "name": name,
        "target": {"name": target.name, "minimum": dict(target.minimum)},
        "preprocessing": plain(preprocessing),
        "embedding": plain(manifest.Embedding(size, "cosine", "l2")),
        "default_variant": default,
        "variants": plain(sections),
        "detector": plain(detector.settings),
        "golden": golden.section,
        "recipe": plain(record),
        "licences": plain([*stated.provenance.licences, detector.licence]),
        "data": plain(stated.provenance.data),
        **({"levels": plain(levels)} if levels else {}),
        "files": [{"path": path, "role": role} for path, role in roles.items()],
    }
    return Parts(values, blobs, tuple(sections))
