from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from runtime_py import container
from runtime_py.bundle import Bundle, InputContract
from runtime_py.errors import (
    BundleHashError,
    BundleManifestError,
    BundleVersionError,
)
from runtime_py.manifest import read_manifest
from tests.runtime_py.changed import members, with_manifest
from toolchain.pack.schema import stored_schema


def test_a_blob_that_is_not_what_the_manifest_says_is_refused(bundle_bytes: bytes) -> None:
    parts = members(bundle_bytes)
    other = container.layout({**parts, "golden/embeddings.f32": bytes(16)})
    with pytest.raises(BundleHashError, match="golden/embeddings.f32"):
        Bundle.parse(other, "test")


def test_a_blob_in_only_one_of_manifest_and_container_is_refused(bundle_bytes: bytes) -> None:
    parts = members(bundle_bytes)
    with pytest.raises(BundleManifestError, match="extra.bin"):
        Bundle.parse(container.layout({**parts, "extra.bin": b"x"}), "test")
    del parts["golden/crop.png"]
    with pytest.raises(BundleManifestError, match="golden/crop.png"):
        Bundle.parse(container.layout(parts), "test")


def test_a_packed_variant_that_becomes_another_model_is_refused(bundle_bytes: bytes) -> None:
    bundle = Bundle.parse(with_manifest(bundle_bytes, lambda value: value["variants"][1].update(sha256="0" * 64)), "test")
    with pytest.raises(BundleHashError, match="small.packed"):
        bundle.model("small")


def test_schema_versions(bundle_bytes: bytes) -> None:
    def later(value: dict[str, Any]) -> None:
        value.update(schema="1.2", new_field=1)
        value["variants"][0]["another"] = {}

    assert Bundle.parse(with_manifest(bundle_bytes, later), "test").default_variant == "plain"
    for version, error in (
        ("2.0", BundleVersionError),
        ("0.9", BundleVersionError),
        ("1", BundleManifestError),
        ("1.00", BundleManifestError),
    ):
        with pytest.raises(error):
            Bundle.parse(with_manifest(bundle_bytes, lambda value, version=version: value.update(schema=version)), "test")
    with pytest.raises(BundleManifestError, match="new_field"):
        Bundle.parse(with_manifest(bundle_bytes, lambda value: value.update(new_field=1)), "test")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b'{"schema": "1.0", "schema": "1.0"}',
        b'{"schema": NaN}',
        b'{"schema": 1e999}',
        b"[" * 100_000,
        b"9" * 5000,
    ],
)
def test_text_that_parsers_disagree_on_is_refused(bundle_bytes: bytes, text: bytes) -> None:
    with pytest.raises(BundleManifestError):
        Bundle.parse(container.layout({**members(bundle_bytes), "manifest.json": text}), "test")


def walk(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        if key in (1, 2, 3, 4):  # further items of a list are like its first
            continue
        yield from walk(child, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    result = copy.deepcopy(value)
    parent = result
    for key in path[:-1]:
        parent = parent[key]
    change(parent, path[-1])
    return result


def mutations(value: Any) -> Iterator[tuple[str, Any]]:
    """Every part of a manifest, each missing, of the wrong kind, or with a name too many beside it."""
    for path in walk(value):
        where = "/".join(map(str, path))
        for wrong in (None, True, -7, "No/Such", []) if path else ():
            yield f"{where} = {wrong!r}", replaced(value, path, lambda parent, key, wrong=wrong: parent.__setitem__(key, wrong))
        if path and isinstance(path[-1], str):
            yield f"{where} missing", replaced(value, path, lambda parent, key: parent.pop(key))
            yield f"{where} beside another", replaced(value, path, lambda parent, key: parent.__setitem__("unknown", 1))


def test_whatever_the_json_schema_refuses_the_reader_refuses(bundle_bytes: bytes) -> None:
    """The reader checks more (that names and sizes agree), never less."""
    manifest = json.loads(members(bundle_bytes)["manifest.json"])
    validator = jsonschema.Draft202012Validator(stored_schema())
    assert validator.is_valid(manifest)
    refused = 0
    for what, changed in mutations(manifest):
        if validator.is_valid(changed):
            continue
        refused += 1
        with pytest.raises((BundleManifestError, BundleVersionError)):
            read_manifest(json.dumps(changed).encode(), what)
    assert refused > 500


def _set(*path_and_value: Any) -> Callable[[dict[str, Any]], None]:
    *path, key, value = path_and_value

    def change(manifest: dict[str, Any]) -> None:
        for step in path:
            manifest = manifest[step]
        manifest[key] = value

    return change


_KEPT = {"far": 1e-4, "tar": 0.0, "reference": 0.5, "kept_low": 0, "kept_high": 0}
_TERMS = {
    **{"protocol": "x", "data_sha256": "d" * 64, "images": 1, "identities": 1, "kept": [_KEPT], "rank1": 0, "reference_rank1": 0},
    **{"equal_error_rate": 0, "reference_equal_error_rate": 0, "drift_far": 0, "threshold_drift": 0},
    **{"min_cosine": 0, "p1_cosine": 0, "p50_cosine": 0},
}
DISAGREEMENTS = {
    "a default variant that is not there": _set("default_variant", "other"),
    "two variants of one name": _set("variants", 1, "name", "plain"),
    "a variant without its blob": _set("variants", 0, "file", "models/none.tflite"),
    "a variant whose blob has another role": _set("variants", 0, "file", "golden/crop.png"),
    "stored bytes that are not those of the blob": _set("variants", 0, "bytes", "stored", 1),
    "a plain variant with another hash than its blob": _set("variants", 0, "sha256", "0" * 64),
    "an input of another size than the contract's": _set("variants", 0, "input", "shape", [1, 9, 8, 3]),
    "an output of another size than the embedding": _set("variants", 0, "output", "shape", [1, 5]),
    "integers without quantization": _set("variants", 0, "input", "dtype", "int8"),
    "a scale of zero": _set("preprocessing", "input", "scale", 0),
    "two templates of one name": lambda value: value["preprocessing"]["templates"].append(value["preprocessing"]["templates"][0]),
    "levels of a variant that is not there": _set("levels", 0, "levels", 1, "variant", "quarter"),
    "a level that is not packed": _set("levels", 0, "levels", 1, "variant", "plain"),
    "a variant as two levels": lambda value: value["levels"].append(value["levels"][0]),
    "levels of which the first is not the whole net": _set("levels", 0, "whole", "half"),
    "levels that do not become narrower": _set("levels", 0, "levels", 1, "utilisation", 1),
    "two levels of one name": _set("levels", 0, "levels", 1, "name", "100"),
    "a level that matches itself": _set("levels", 0, "matching", 0, "probe", "100"),
    "a level that matches one that is not there": _set("levels", 0, "matching", 0, "probe", "25"),
    "no golden image": _set("golden", "images", []),
    "golden images without a face": _set("golden", "images", 0, "faces", []),
    "a share kept of nothing": _set("variants", 0, "face_terms", [{**_TERMS, "kept": [{**_KEPT, "reference": 0}]}]),
    "files out of order": lambda value: value["files"].reverse(),
}


@pytest.mark.parametrize("what", DISAGREEMENTS)
def test_parts_that_disagree_are_refused(bundle_bytes: bytes, what: str) -> None:
    with pytest.raises(BundleManifestError):
        Bundle.parse(with_manifest(bundle_bytes, DISAGREEMENTS[what]), "test")


def test_what_disagreements_are_made_from_agrees(bundle_bytes: bytes) -> None:
    Bundle.parse(with_manifest(bundle_bytes, _set("variants", 0, "face_terms", [_TERMS])), "test")


@pytest.mark.parametrize("points", [0, 1, 5, 7])
def test_golden_faces_have_the_key_points_of_the_detector(face_bundle: Path, points: int) -> None:
    def change(value: dict[str, Any]) -> None:
        face = value["golden"]["images"][0]["faces"][0]
        face["key_points"] = (face["key_points"] * 2)[:points]

    with pytest.raises(BundleManifestError, match=f"golden: expected 6 key points of .*, got {points}"):
        Bundle.parse(with_manifest(face_bundle.read_bytes(), change), "test")


def test_many_names_take_no_time_and_the_one_that_is_there_twice_is_told() -> None:
    names = [f'"{number}":0' for number in range(100_000)]
    start = time.process_time()
    with pytest.raises(BundleManifestError, match='got "99999" twice'):
        read_manifest(f"{{{','.join([*names, names[-1]])}}}".encode(), "test")
    assert time.process_time() - start < 5  # comparing each with each would take minutes


def test_lists_are_at_most_64_deep_whatever_is_left_of_the_stack(bundle_bytes: bytes) -> None:
    def read(lists: int) -> None:
        value = json.loads(members(bundle_bytes)["manifest.json"])
        value["recipe"]["description"] = {"stages": "@"}  # within the manifest, the recipe and its description
        read_manifest(json.dumps(value).replace('"@"', "[" * lists + "]" * lists).encode(), "test")

    read(61)
    for lists in (62, 300, 900, 10_000):
        with pytest.raises(BundleManifestError, match="at most 64 deep"):
            read(lists)


@pytest.mark.parametrize("depth", range(940, 1000, 5))
def test_lists_however_deep_are_refused_and_not_printed(bundle_bytes: bytes, depth: int) -> None:
    for name in ("name", "schema"):
        text = json.dumps({**json.loads(members(bundle_bytes)["manifest.json"]), name: "@"}).replace('"@"', "[" * depth + "]" * depth)
        with pytest.raises(BundleManifestError):
            read_manifest(text.encode(), "test")


@pytest.mark.parametrize("name", ["a\nerror: forged", "\u2028", "\x1b[2J", "X" * 1000])
def test_messages_are_one_short_line_whatever_names_a_manifest_has(bundle_bytes: bytes, name: str) -> None:
    for change in (_set(name, 1), _set("target", "minimum", name, 1), _set("schema", name), _set("target", "name", name)):
        with pytest.raises(BundleManifestError) as caught:
            Bundle.parse(with_manifest(bundle_bytes, change), "test")
        message = str(caught.value)
        assert message.isascii() and message.isprintable() and len(message) < 500, message


# The input contract


def test_an_input_contract_says_what_pixels_0_and_255_become() -> None:
    for text, low, high in (("rgb,0..255", 0, 255), ("rgb,-1..1", -1, 1), ("bgr,0..1", 0, 1)):
        contract = InputContract.parse(text)
        assert contract.color == text[:3]
        # Two roundings of a double: 2 units in the last place of the larger end.
        assert contract.offset == low
        assert abs(255 * contract.scale + contract.offset - high) <= 2 * np.spacing(255.0)


@pytest.mark.parametrize("text", ["", "rgb", "rgb,1..0", "rgb,0..0", "grey,0..1", "rgb,0-255", "rgb,0..1,", "rgb,nan..1"])
def test_an_input_contract_is_never_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="input contract"):
        InputContract.parse(text)
