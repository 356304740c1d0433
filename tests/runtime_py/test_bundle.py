from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from runtime_py import container
from runtime_py.bundle import Bundle, check_tflite
from runtime_py.errors import (
    BundleContainerError,
    BundleError,
    BundleHashError,
    BundleModelError,
    BundleReadError,
    BundleVariantError,
    PocketFaceError,
)
from tests.runtime_py.changed import members, reseal
from tests.tiny_tflite import wide_and_half

# What opening gives


def test_a_bundle_gives_back_its_blobs_and_both_forms_of_its_model(bundle_path: Path, blobs: dict[str, bytes], tflite: bytes) -> None:
    bundle = Bundle.open(bundle_path)
    assert {file.path: bytes(bundle.blob(file.path)) for file in bundle.manifest.files} == blobs
    assert bundle.variants == ("plain", "small", "wide", "half")
    assert bundle.default_variant == "plain"
    assert bundle.model() == bundle.model("plain") == bundle.model("small") == tflite
    assert (bundle.model("wide"), bundle.model("half")) == wide_and_half()
    assert json.loads(bundle.manifest_text())["name"] == bundle.manifest.name == "tiny"
    assert bundle.sha256 == hashlib.sha256(bundle_path.read_bytes()).hexdigest()


def test_the_model_runs(bundle_path: Path) -> None:
    interpreter = Interpreter(model_content=Bundle.open(bundle_path).model("small"), num_threads=1)
    run = interpreter.get_signature_runner()
    assert run(input=np.zeros((1, 8, 8, 3), np.float32))["embedding"].shape == (1, 4)


def test_blobs_are_views_that_cannot_be_written(bundle_path: Path) -> None:
    blob = Bundle.open(bundle_path).blob("models/plain.tflite")
    with pytest.raises(TypeError):
        blob[0] = 0


def test_a_name_that_is_not_there_is_refused_with_the_names_that_are(bundle_path: Path) -> None:
    bundle = Bundle.open(bundle_path)
    with pytest.raises(BundleVariantError, match="plain, small"):
        bundle.model("int9")
    with pytest.raises(BundleVariantError):
        bundle.blob("models/other.tflite")


def test_every_blob_starts_on_a_page_and_any_zip_reader_reads_it(bundle_bytes: bytes, blobs: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(bundle_bytes)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["manifest.json", *sorted(blobs)]
        for info in archive.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
    for name, view in container.open_container(bundle_bytes, "test").items():
        start = bundle_bytes.index(bytes(view))
        assert name == "manifest.json" or start % 16384 == 0


@pytest.mark.parametrize("distance", [0, 1, 5, 6, 16383])
def test_padding_reaches_the_page_from_any_distance(distance: int) -> None:
    start = 5 * container.ALIGNMENT - distance  # of the data, if nothing were padded
    header = container.local_header("a", 0, 0, start - 31)
    assert (start - 31 + len(header)) % container.ALIGNMENT == 0


# Damage


def test_every_changed_bit_is_refused() -> None:
    bundle = container.layout({"manifest.json": b"{}", "a": b"blob"})
    damaged = bytearray(bundle)
    for bit in range(8 * len(bundle)):
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises((BundleHashError, BundleContainerError)):
            container.open_container(bytes(damaged), "test")
        damaged[bit // 8] ^= 1 << bit % 8


def test_every_changed_byte_of_a_whole_bundle_is_refused(bundle_bytes: bytes) -> None:
    damaged = bytearray(bundle_bytes)
    for at in range(0, len(bundle_bytes), 7):  # 7: prime to every alignment, so headers and padding are met too
        damaged[at] ^= 0x10
        with pytest.raises((BundleHashError, BundleContainerError)):
            Bundle.parse(bytes(damaged), "test")
        damaged[at] ^= 0x10


def test_every_changed_byte_outside_the_members_is_refused_even_when_sealed_again() -> None:
    bundle = container.layout({"manifest.json": b"{}", "a": b"blob", "b/c.png": b"more"})
    body = len(bundle) - container.SEAL_BYTES
    views = container.open_container(bundle, "test")
    starts = {bundle.index(bytes(view)): len(view) for view in views.values()}
    inside = {at for start, size in starts.items() for at in range(start, start + size)}
    damaged = bytearray(bundle)
    for at in range(body):
        damaged[at] ^= 0x01
        # A changed member is refused too, by its CRC.
        with pytest.raises(BundleContainerError):
            container.open_container(reseal(bytes(damaged)), "test")
        damaged[at] ^= 0x01
    assert len(inside) == 10


def test_no_bundle_that_was_changed_and_sealed_again_does_anything_but_open_or_give_a_bundle_error(bundle_bytes: bytes) -> None:
    """Whoever can seal can write any manifest; what comes of it must be a bundle or a typed error, never a crash."""
    parts = members(bundle_bytes)
    text = bytearray(parts["manifest.json"])
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(1500):
        at, old = int(random.integers(len(text))), 0
        old, text[at] = text[at], int(random.integers(256))
        try:
            Bundle.parse(container.layout({**parts, "manifest.json": bytes(text)}), "test")
        except BundleError:
            refused += 1
        text[at] = old
    assert refused > 1000


def test_a_bundle_cut_anywhere_is_refused(bundle_bytes: bytes) -> None:
    small = container.layout({"manifest.json": b"{}", "a": b"blob"})
    for size in range(len(small)):
        with pytest.raises((BundleContainerError, BundleHashError)):
            container.open_container(small[:size], "test")
    for size in range(0, len(bundle_bytes), 997):
        with pytest.raises(BundleContainerError):
            Bundle.parse(bundle_bytes[:size], "test")


@pytest.mark.parametrize("extra", [b"\0", b"PK", b"\n", b"x" * 93])
def test_bytes_added_before_or_behind_are_refused(bundle_bytes: bytes, extra: bytes) -> None:
    for data in (bundle_bytes + extra, extra + bundle_bytes, reseal(extra + bundle_bytes)):
        with pytest.raises((BundleContainerError, BundleHashError)):
            Bundle.parse(data, "test")


# Zip tricks, each sealed as a real bundle is


def zip_of(write: Callable[[zipfile.ZipFile], None]) -> bytes:
    """A zip by Python's writer, with the comment that closes a bundle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        write(archive)
        archive.comment = bytes(container.SEAL_BYTES)
    return reseal(stream.getvalue())


def _member(name: str, content: bytes = b"{}", **fields: Any) -> Callable[[zipfile.ZipFile], None]:
    def write(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo(name)
        for field, value in fields.items():
            setattr(info, field, value)
        archive.writestr(info, content)

    return write


def _twice(archive: zipfile.ZipFile) -> None:
    archive.writestr("manifest.json", b"{}")
    with pytest.warns(UserWarning):
        archive.writestr("manifest.json", b"{}")


def _large(archive: zipfile.ZipFile) -> None:
    with archive.open(zipfile.ZipInfo("manifest.json"), "w", force_zip64=True) as file:
        file.write(b"{}")


ZIPS: dict[str, Callable[[zipfile.ZipFile], None]] = {
    "empty": lambda archive: None,
    "another writer's headers": _member("manifest.json"),
    "compressed": _member("manifest.json", b"{}" * 999, compress_type=zipfile.ZIP_DEFLATED),
    "a folder": _member("manifest/", b""),
    "path traversal": _member("../manifest.json"),
    "an absolute path": _member("/manifest.json"),
    "a backslash": _member("a\\b"),
    "not ASCII": _member("man\u00effest.json"),
    "the same name twice": _twice,
    "zip64 fields": _large,
    "a member comment": _member("manifest.json", comment=b"hello"),
}


@pytest.mark.parametrize("trick", ZIPS)
def test_a_zip_in_another_form_is_refused(trick: str) -> None:
    with pytest.raises(BundleContainerError):
        container.open_container(zip_of(ZIPS[trick]), "test")


def handmade(names: list[str], change: Callable[[list[bytes]], None] = lambda parts: None) -> bytes:
    """Members of four bytes zero (CRC-32 0x2144DF1C) in the bundle's own headers but in any order; `change` may alter the parts."""
    parts: list[bytes] = []
    directory, offset = b"", 0
    for name in names:
        header = container.local_header(name, 0x2144DF1C, 4, offset)
        directory += container.central_header(name, 0x2144DF1C, 4, offset)
        parts += [header, bytes(4)]
        offset += len(header) + 4
    change(parts)
    body = b"".join(parts)
    content = body + directory + container.end_record(len(names), len(directory), len(body))
    return content + container.seal(content)


def test_handmade_members_in_order_are_accepted_so_that_the_cases_below_mean_something() -> None:
    assert list(container.open_container(handmade(["manifest.json", "a", "b"]), "test")) == ["manifest.json", "a", "b"]


@pytest.mark.parametrize(
    "names", [["a"], ["a", "manifest.json"], ["manifest.json", "b", "a"], ["manifest.json", "a", "a"], ["manifest.json", "manifest.json"]]
)
def test_members_out_of_order_or_twice_are_refused(names: list[str]) -> None:
    with pytest.raises(BundleContainerError):
        container.open_container(handmade(names), "test")


def test_bytes_between_members_and_the_directory_are_refused() -> None:
    with pytest.raises(BundleContainerError):
        container.open_container(handmade(["manifest.json", "a"], lambda parts: parts.append(b"hidden")), "test")


def test_a_count_or_place_of_the_directory_that_is_not_so_is_refused() -> None:
    bundle = handmade(["manifest.json", "a"])
    end_at = len(bundle) - container.LEAST_BYTES
    for field, at in (("entries here", 8), ("entries", 10), ("directory size", 12), ("directory offset", 16)):
        for value in (0, 1, 3, 0xFFFF):
            changed = bundle[: end_at + at] + struct.pack("<H", value) + bundle[end_at + at + 2 :]
            with pytest.raises(BundleContainerError):
                container.open_container(reseal(changed), field)


# Files that are no bundles


def test_what_is_no_bundle_is_said_in_one_line(tmp_path: Path) -> None:
    pointer = tmp_path / "lfs.pface"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(BundleContainerError, match="git lfs pull"):
        Bundle.open(pointer)
    (tmp_path / "pickle").write_bytes(b"\x80\x04\x95" + bytes(200))
    (tmp_path / "empty").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    for name, error in (
        ("pickle", BundleContainerError),
        ("empty", BundleContainerError),
        ("none", BundleReadError),
        ("pipe", BundleReadError),
    ):
        with pytest.raises(error) as caught:
            Bundle.open(tmp_path / name)
        assert "\n" not in str(caught.value) and str(tmp_path / name) in str(caught.value)
    for path in (tmp_path, "a\0b"):
        with pytest.raises(BundleReadError):
            Bundle.open(path)


def test_a_file_is_refused_by_its_size_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.pface"
    with path.open("wb") as file:
        file.truncate(container.MAX_BUNDLE_BYTES + 1)  # sparse: takes no room
    tracemalloc.start()
    with pytest.raises(BundleReadError, match="at most"):
        Bundle.open(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


# Structure of a .tflite


def test_what_is_no_tflite_is_refused_before_native_code_sees_it(tflite: bytes) -> None:
    check_tflite(memoryview(tflite), "whole")
    root = int.from_bytes(tflite[:4], "little")
    cases = {
        "empty": b"",
        "another identifier": tflite[:4] + b"TFL2" + tflite[8:],
        "root past the end": struct.pack("<I", len(tflite)) + tflite[4:],
        "root not aligned": struct.pack("<I", root + 1) + tflite[4:],
        "root in the identifier": struct.pack("<I", 4) + tflite[4:],
        "vtable before the file": tflite[:root] + struct.pack("<i", root + 4) + tflite[root + 4 :],
        "vtable past the end": tflite[:root] + struct.pack("<i", -len(tflite)) + tflite[root + 4 :],
        "cut behind the root": tflite[: root + 4],
    }
    for what, data in cases.items():
        with pytest.raises(BundleModelError):
            check_tflite(memoryview(data), what)


def test_a_root_table_lies_where_flatbuffers_lay_one() -> None:
    """A file of nothing but its root table and vtable, and the same with one number that no writer gives."""

    def file(root: int = 16, vtable: int = 8, vtable_size: int = 4, table_size: int = 4) -> memoryview:
        data = bytearray(24)
        struct.pack_into("<I4s", data, 0, root, b"TFL3")
        struct.pack_into("<HH", data, vtable, vtable_size, table_size)
        struct.pack_into("<i", data, root, root - vtable)
        return memoryview(bytes(data))

    for right in (file(), file(vtable_size=16), file(table_size=8), file(root=20, vtable=10)):
        check_tflite(right, "right")
    for wrong in (file(root=18), file(vtable=9), file(vtable_size=5), file(vtable_size=2), file(table_size=3)):
        with pytest.raises(BundleModelError):
            check_tflite(wrong, "wrong")
    for beyond in (file(vtable_size=18), file(table_size=9)):
        with pytest.raises(BundleModelError):
            check_tflite(beyond, "beyond")


def test_a_bundle_whose_model_is_no_tflite_is_refused(bundle_bytes: bytes) -> None:
    parts = members(bundle_bytes)
    fake = b"TFL3" * 100

    def change(value: dict[str, Any]) -> None:
        digest = hashlib.sha256(fake).hexdigest()
        entry = next(file for file in value["files"] if file["path"] == "models/plain.tflite")
        entry.update(size=len(fake), sha256=digest)
        value["variants"][0].update(size=len(fake), sha256=digest)
        value["variants"][0]["bytes"].update(raw=len(fake), stored=len(fake))

    value = json.loads(parts["manifest.json"])
    change(value)
    data = container.layout({**parts, "manifest.json": json.dumps(value).encode(), "models/plain.tflite": fake})
    with pytest.raises(BundleModelError):
        Bundle.parse(data, "test")


# Errors


def test_every_error_has_a_code_of_its_own_that_its_documentation_lists() -> None:
    def subclasses(kind: type[PocketFaceError]) -> Iterator[type[PocketFaceError]]:
        for child in kind.__subclasses__():
            yield child
            yield from subclasses(child)

    kinds = [kind for kind in subclasses(PocketFaceError) if kind.__module__ == "runtime_py.errors"]
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    page = (Path(__file__).parents[2] / "docs" / "bundle-format.md").read_text()
    for kind in kinds:
        if kind.code.startswith(("bundle.", "packed.")):
            assert f"`{kind.code}`" in page
