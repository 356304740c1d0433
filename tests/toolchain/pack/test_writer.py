from __future__ import annotations

import copy
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime_py import container
from runtime_py.bundle import Bundle
from toolchain.errors import DataError, ToolchainError
from toolchain.pack.schema import manifest_schema, stored_schema
from toolchain.pack.writer import write_bundle


def test_the_schema_file_is_the_one_that_the_dataclasses_make() -> None:
    assert stored_schema() == manifest_schema(), "python -m toolchain.pack.schema > runtime_py/manifest.schema.json"


def test_sizes_and_hashes_are_filled_in_and_files_put_in_order(tmp_path: Path, manifest: dict[str, Any], blobs: dict[str, bytes]) -> None:
    write_bundle(tmp_path / "a.pface", manifest, blobs)
    files = Bundle.open(tmp_path / "a.pface").manifest.files
    assert [file.path for file in files] == sorted(blobs)
    for file in files:
        assert (file.size, file.sha256) == (len(blobs[file.path]), hashlib.sha256(blobs[file.path]).hexdigest())


def test_the_same_content_gives_the_same_bytes_whatever_the_order_time_and_place(
    tmp_path: Path, manifest: dict[str, Any], blobs: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bundle(tmp_path / "a.pface", manifest, blobs)
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    turned = {key: manifest[key] for key in reversed(manifest)} | {"files": manifest["files"][::-1]}
    write_bundle(tmp_path / "deeper" / "b.pface", turned, {name: blobs[name] for name in reversed(blobs)})
    assert (tmp_path / "a.pface").read_bytes() == (tmp_path / "deeper" / "b.pface").read_bytes()


def test_another_hash_seed_gives_the_same_bytes(tmp_path: Path, manifest: dict[str, Any], blobs: dict[str, bytes]) -> None:
    write_bundle(tmp_path / "a.pface", manifest, blobs)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    for name, blob in blobs.items():
        (tmp_path / name.replace("/", "+")).write_bytes(blob)
    code = (
        "import json, pathlib; from toolchain.pack.writer import write_bundle; here = pathlib.Path('.'); "
        "write_bundle(here / 'b.pface', json.loads((here / 'manifest.json').read_text()), "
        "{path.name.replace('+', '/'): path.read_bytes() for path in here.glob('*+*')})"
    )
    root = str(Path(__file__).parents[3])
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": root}, check=True, timeout=120
    )
    assert (tmp_path / "a.pface").read_bytes() == (tmp_path / "b.pface").read_bytes()


def _wrong(change: str, manifest: dict[str, Any], blobs: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, bytes]]:
    value, content = copy.deepcopy(manifest), dict(blobs)
    if change == "a field that the schema does not have":
        value["colour"] = 1
    elif change == "parts that disagree":
        value["default_variant"] = "other"
    elif change == "a blob that no entry names":
        content["extra.bin"] = b""
    elif change == "an entry without a blob":
        value["files"].append({"path": "none.png", "role": "golden-image"})
    elif change == "an entry twice":
        value["files"].append(value["files"][0])
    elif change == "a number that JSON does not have":
        value["variants"][0]["accuracy"][0]["value"] = float("nan")
    elif change == "a packed variant that is damaged":
        content["models/small.packed"] = content["models/small.packed"][:-2] + b"\0\0"
    elif change == "a model that is none":
        content["models/plain.tflite"] = b"TFL3" * 100
    return value, content


@pytest.mark.parametrize(
    "change",
    [
        "a field that the schema does not have",
        "parts that disagree",
        "a blob that no entry names",
        "an entry without a blob",
        "an entry twice",
        "a number that JSON does not have",
        "a packed variant that is damaged",
        "a model that is none",
    ],
)
def test_a_bundle_that_no_runtime_would_open_is_never_written(
    change: str, tmp_path: Path, manifest: dict[str, Any], blobs: dict[str, bytes]
) -> None:
    path = tmp_path / "a.pface"
    path.write_bytes(b"what was there")
    with pytest.raises(ToolchainError) as caught:
        write_bundle(path, *_wrong(change, manifest, blobs))
    assert "\n" not in str(caught.value) and ".part" not in str(caught.value)
    assert path.read_bytes() == b"what was there"
    assert os.listdir(tmp_path) == ["a.pface"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, manifest: dict[str, Any], blobs: dict[str, bytes]) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError):
        write_bundle(tmp_path / "file" / "a.pface", manifest, blobs)


def test_a_bundle_may_be_read_by_whoever_may_read_other_files(tmp_path: Path, manifest: dict[str, Any], blobs: dict[str, bytes]) -> None:
    write_bundle(tmp_path / "a.pface", manifest, blobs)
    (tmp_path / "other").write_bytes(b"")
    assert (tmp_path / "a.pface").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_padding_is_all_that_a_bundle_adds_to_its_blobs(tmp_path: Path, manifest: dict[str, Any], blobs: dict[str, bytes]) -> None:
    write_bundle(tmp_path / "a.pface", manifest, blobs)
    data = (tmp_path / "a.pface").read_bytes()
    pages = sum(-(-len(blob) // container.ALIGNMENT) for blob in blobs.values())
    text = len(container.open_container(data, "a")["manifest.json"])
    assert len(data) <= (pages + 1) * container.ALIGNMENT + text + 200 * (len(blobs) + 2)
