"""Damaged bundles, manifests and packed models, each with the error code that the Python runtime gives, for the Java SDK to give too.

They go into one zip whose entries are named KIND/CODE/NUMBER WHAT: KIND says which reader takes it (`bundle`: a whole file, of which every
variant's model is asked for as well; `manifest`; `packed`; `level`, behind its whole net), CODE is what the reader refuses it with, or
`accepted`.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from runtime_py import container
from runtime_py.bundle import Bundle
from runtime_py.errors import PocketFaceError
from runtime_py.manifest import read_manifest
from runtime_py.packed import unpack
from runtime_py.prefixes import rebuild
from tests.runtime_py.changed import members, reseal, with_manifest
from tests.runtime_py.test_bundle import ZIPS, handmade, zip_of
from tests.runtime_py.test_manifest import DISAGREEMENTS, mutations
from tests.runtime_py.test_packed import CRAFTED, MANY_TABLES, WRITTEN_BY_THE_FIRST_RELEASE
from tests.runtime_py.test_prefixes import CRAFTED as CRAFTED_LEVELS
from tests.runtime_py.test_prefixes import STORED, WIDE, stored_with, structure_of
from tests.tiny_tflite import codebook_layers
from tests.toolchain.encodings.drawn import as_tflite, log_min_max
from toolchain.pack.packed import pack

Case = tuple[str, bytes]
"""What is wrong, and the bytes."""

_RANDOM_FILES = 150
_RANDOM_MANIFESTS = 400
_RANDOM_PACKED = 600
_RANDOM_LEVELS = 100


def write_refused(path: Path, small: bytes) -> dict[str, int]:
    """Writes the zip. `small` is a bundle with a plain and a packed variant, small enough to be damaged a thousand times. Returns how
    many cases there are by `KIND/CODE`."""
    counts: dict[str, int] = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for kind, cases, read in (
            ("bundle", _bundles(small), _read_bundle),
            ("manifest", _manifests(small), lambda text: read_manifest(text, "test")),
            ("packed", _packed(small), unpack),
            ("level", _levels(), _read_level),
        ):
            for number, (what, data) in enumerate(cases):
                code = _code(read, data)
                counts[f"{kind}/{code}"] = counts.get(f"{kind}/{code}", 0) + 1
                archive.writestr(f"{kind}/{code}/{number:04} {what}", data)
    return counts


def _code(read: Callable[[bytes], object], data: bytes) -> str:
    try:
        read(data)
    except PocketFaceError as error:
        return error.code
    return "accepted"


def _read_bundle(data: bytes) -> None:
    bundle = Bundle.parse(data, "test")
    for name in bundle.variants:
        bundle.model(name)


def _read_level(data: bytes) -> None:
    size = int.from_bytes(data[:4], "little")
    rebuild(data[4 + size :], data[4 : 4 + size])


def _levels() -> Iterator[Case]:
    """u32 size of the whole net's .tflite, that, and what is stored of the level."""
    front = len(WIDE).to_bytes(4, "little") + WIDE
    for what, _, stored in CRAFTED_LEVELS:
        yield what, front + stored
    random = np.random.default_rng(6)
    for number in range(_RANDOM_LEVELS):
        structure = structure_of(STORED)
        structure[int(random.integers(len(structure)))] ^= 1 << int(random.integers(8))
        yield f"a bit of the structure changed, {number}", front + stored_with(bytes(structure))


def _bundles(small: bytes) -> Iterator[Case]:
    yield "whole", small
    for size in (0, 1, 30, 92, 93, 94, 200, len(small) // 2, len(small) - 1):
        yield f"cut to {size} bytes", small[:size]
    yield "a byte too many", small + b"\0"
    yield "a Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    yield "a pickle", b"\x80\x04\x95" + bytes(200)
    for trick, write in ZIPS.items():
        if trick != "the same name twice":  # its writer warns
            yield f"zip: {trick}", zip_of(write)
    for names in (["a"], ["a", "manifest.json"], ["manifest.json", "b", "a"], ["manifest.json", "a", "a"], ["manifest.json"] * 2):
        yield f"members {' '.join(names)}", handmade(names)
    yield "bytes between members and the directory", handmade(["manifest.json", "a"], lambda parts: parts.append(b"hidden"))
    yield "a manifest of zeros", handmade(["manifest.json", "a", "b"])
    yield from _disagreeing(small)
    random = np.random.default_rng(5)
    for number in range(_RANDOM_FILES):
        damaged = bytearray(small)
        damaged[int(random.integers(len(small)))] ^= 1 << int(random.integers(8))
        yield f"a bit changed, {number}", bytes(damaged)
        yield f"a bit changed and sealed again, {number}", reseal(bytes(damaged))
    for at in _around_members(small):
        damaged = bytearray(small)
        damaged[at] ^= 1
        yield f"byte {at} of the container changed and sealed again", reseal(bytes(damaged))


def _around_members(small: bytes) -> Iterator[int]:
    """Bytes of headers, with the first ones of their padding, of the directory and of the end record."""
    start = 0
    for name, content in members(small).items():
        size = len(container.local_header(name, 0, len(content), start))
        yield from range(start, start + min(size, 30 + len(name) + 10), 2)
        start += size + len(content)
    yield from range(start, len(small) - container.SEAL_BYTES, 3)


def _disagreeing(small: bytes) -> Iterator[Case]:
    """Bundles that are whole, and of which the manifest does not say what they hold."""
    parts = members(small)
    yield "another blob", container.layout({**parts, "golden/embeddings.f32": bytes(16)})
    yield "a blob too many", container.layout({**parts, "extra.bin": b"x"})
    yield "a blob too few", container.layout({name: blob for name, blob in parts.items() if name != "golden/crop.png"})
    yield "a packed variant of another hash", with_manifest(small, lambda value: value["variants"][1].update(sha256="0" * 64))
    for version in ("1.0", "1.2", "2.0", "0.9", "1", "1.00"):
        yield f"schema {version}", with_manifest(small, lambda value, version=version: value.update(schema=version))
    for what, change in DISAGREEMENTS.items():
        yield what, with_manifest(small, change)
    model = parts["models/plain.tflite"]
    root = int.from_bytes(model[:4], "little")
    for what, fake in {
        "an empty model": b"",
        "zeros": b"TFL3" * 100,
        "another identifier": model[:4] + b"TFL2" + model[8:],
        "root past the end": len(model).to_bytes(4, "little") + model[4:],
        "root not aligned": (root + 1).to_bytes(4, "little") + model[4:],
        "root in the identifier": (4).to_bytes(4, "little") + model[4:],
        "root past 2^31": (0xFFFFFFFC).to_bytes(4, "little") + model[4:],
        "vtable before the file": model[:root] + (root + 4).to_bytes(4, "little") + model[root + 4 :],
        "vtable past the end": model[:root] + (-len(model)).to_bytes(4, "little", signed=True) + model[root + 4 :],
        "cut behind the root": model[: root + 4],
    }.items():
        yield f"a model with {what}", _with_model(small, fake)
    for what, (_, crafted) in CRAFTED.items():
        if len(crafted) < 10_000:
            yield f"packed: {what}", _with_packed(small, crafted)


def _with_model(small: bytes, model: bytes) -> bytes:
    """The bundle with another plain model, which its manifest states."""
    digest = hashlib.sha256(model).hexdigest()

    def change(value: dict[str, Any]) -> None:
        next(file for file in value["files"] if file["path"] == "models/plain.tflite").update(size=len(model), sha256=digest)
        value["variants"][0].update(size=len(model), sha256=digest)
        value["variants"][0]["bytes"].update(raw=len(model), stored=len(model))

    return _with_blob(small, "models/plain.tflite", model, change)


def _with_packed(small: bytes, blob: bytes) -> bytes:
    """The bundle with another packed blob, which its manifest states."""
    digest = hashlib.sha256(blob).hexdigest()

    def change(value: dict[str, Any]) -> None:
        next(file for file in value["files"] if file["path"] == "models/small.packed").update(size=len(blob), sha256=digest)
        value["variants"][1]["bytes"].update(stored=len(blob))

    return _with_blob(small, "models/small.packed", blob, change)


def _with_blob(small: bytes, path: str, blob: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    parts = members(small)
    value = json.loads(parts["manifest.json"])
    change(value)
    return container.layout({**parts, "manifest.json": json.dumps(value).encode(), path: blob})


_TEXTS = {
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "not UTF-8": b"\xff",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a surrogate as UTF-8": b'{"schema": "\xed\xa0\x80"}',
    "a name twice": b'{"schema": "1.0", "schema": "1.0"}',
    "NaN": b'{"schema": NaN}',
    "a number past every double": b'{"schema": 1e999}',
    "deep nesting": b"[" * 100_000,
    "a long number": b"9" * 5000,
    "a comment": b'{"schema": "1.0"} // none',
    "single quotes": b"{'schema': '1.0'}",
    "a comma too many": b'{"schema": "1.0",}',
}


_OPTIONAL = {
    "thresholds_left_out": [{"fmr": 1e-6, "reason": "too few people"}],
    "missed_gates": ["rank1"],
    "face_terms": [
        {
            "protocol": "drawn",
            "data_sha256": "d" * 64,
            "images": 40,
            "identities": 10,
            "kept": [{"far": 0.001, "tar": 0.8, "reference": 0.9, "kept_low": 0.85, "kept_high": 0.95}],
            "rank1": 0.9,
            "reference_rank1": 0.95,
            "equal_error_rate": 0.05,
            "reference_equal_error_rate": 0.04,
            "drift_far": 0.001,
            "threshold_drift": -0.01,
            "min_cosine": 0.9,
            "p1_cosine": 0.95,
            "p50_cosine": 0.99,
        }
    ],
}
"""Parts of a variant that the small bundle does not have."""


def _manifests(small: bytes) -> Iterator[Case]:
    """Texts that are no manifest, then every part of one missing, of the wrong kind, or with a name too many beside it, and numbers
    written in other ways, then a manifest with a byte changed anywhere."""
    yield from _TEXTS.items()
    text = members(small)["manifest.json"]
    value = json.loads(text)
    yield "whole", text
    value["variants"][0].update(_OPTIONAL)
    value["variants"][0]["input"].update(dtype="int8", quantization={"scale": 2 / 255, "zero_point": -1})
    text = json.dumps(value).encode()
    yield "with every optional part", text
    for what, changed in mutations(value):
        yield what, json.dumps(changed).encode()
    longest = "9" * 4300
    for written in (longest, "-" + longest, longest + "9", "-" + longest + "9"):
        yield f"a recipe that says {written[:2]} and so on, {len(written)} characters", _with_stage(text, written.encode())
    for written in ("1", "1.0", "1e0", "10e-1", "-0", "0.5", "1e400", "9007199254740991", "9007199254740992", "9" * 30, '"1"', "true"):
        for name in (b'"seed":', b'"std":', b'"zero_point":', b'"crop_tolerance":', b'"size":'):
            yield f"{name.decode()} {written}", _with_number(text, name, written.encode())
        yield f"a recipe that says {written}", _with_stage(text, written.encode())
    for lists in (60, 61, 900, 996, 1000):  # within the manifest, the recipe, its description and its list of stages: 64 may be
        yield f"a recipe of lists {lists} deep", _with_stage(text, b"[" * lists + b"]" * lists)
    random = np.random.default_rng(6)
    for number in range(_RANDOM_MANIFESTS):
        changed = bytearray(text)
        changed[int(random.integers(len(text)))] = int(random.integers(256))
        yield f"a byte changed, {number}", bytes(changed)


def _with_number(text: bytes, name: bytes, written: bytes) -> bytes:
    """The text with another value after the first occurrence of `name`."""
    start = text.index(name) + len(name)
    end = min(place for place in (text.find(mark, start) for mark in (b",", b"}")) if place >= 0)
    return text[:start] + written + text[end:]


def _with_stage(text: bytes, written: bytes) -> bytes:
    """The text with a value in the recipe's description, of which the schema says nothing."""
    none = b'"stages": []'
    assert text.count(none) == 1
    return text.replace(none, b'"stages": [' + written + b"]")


def _packed(small: bytes) -> Iterator[Case]:
    """Both versions of the packed form: whole, cut, with a bit changed; and crafted files."""
    for what, (_, crafted) in CRAFTED.items():
        yield what, crafted
    yield "written by the first release", WRITTEN_BY_THE_FIRST_RELEASE
    yield "as many tables as there may be", MANY_TABLES
    random = np.random.default_rng(7)
    for bits in range(2, 13):  # geometric codebooks, whose values each language computes for itself
        content, tied = as_tflite(log_min_max(random, (64, 64), bits))
        yield f"log min-max of {bits} bits", pack(content, {"weight": tied})
    for form, whole in (("plain", members(small)["models/small.packed"]), ("codebooks", pack(*codebook_layers()))):
        yield f"{form}: whole", whole
        for size in (0, 59, 60, 100, len(whole) - 2):
            yield f"{form}: cut to {size} bytes", whole[:size]
        yield f"{form}: a byte too many", whole + b"\0"
        bits = [*range(8 * 60), *random.integers(8 * 60, 8 * len(whole), _RANDOM_PACKED)]
        for bit in map(int, bits):
            damaged = bytearray(whole)
            damaged[bit // 8] ^= 1 << bit % 8
            yield f"{form}: bit {bit} changed", bytes(damaged)
