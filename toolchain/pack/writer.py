"""Writes a bundle: the same manifest and blobs give the same bytes on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

from runtime_py import container
from runtime_py.bundle import Bundle
from runtime_py.errors import PocketFaceError
from toolchain import files
from toolchain.errors import ToolchainError
from toolchain.pack.schema import stored_schema


def write_bundle(path: Path, manifest: Mapping[str, Any], blobs: Mapping[str, bytes]) -> None:
    """Writes the bundle of `manifest` and `blobs` to `path`, whole or not at all.

    `manifest` is the JSON value that runtime_py.manifest describes, where each entry of `files` needs `path` and `role`
    only: sizes and hashes are those of the blobs, and the entries are put in order. Before it gets its name the file is
    checked by the JSON schema and by opening it as a runtime would, and every packed variant is rebuilt.
    Errors: ToolchainError where the manifest is wrong or does not fit the blobs; DataError where `path` cannot be written.
    """
    complete = {**manifest, "files": _files(manifest, blobs)}
    _check_schema(complete)
    try:
        text = json.dumps(complete, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise ToolchainError(
            f"manifest: expected JSON values, got something else ({error}); mend the recipe or the target that wrote it"
        ) from None
    with files.partial(path) as temporary:
        temporary.write_bytes(container.layout({container.MANIFEST: text, **blobs}))
        try:
            bundle = Bundle.open(temporary)
            for name in bundle.variants:
                bundle.model(name)
        except PocketFaceError as error:
            raise ToolchainError(str(error).replace(str(temporary), str(path))) from error


def _files(manifest: Mapping[str, Any], blobs: Mapping[str, bytes]) -> list[dict[str, Any]]:
    roles = {file["path"]: file["role"] for file in manifest.get("files", ())}
    if set(roles) != set(blobs) or len(roles) != len(manifest["files"]):
        odd = sorted(set(roles) ^ set(blobs)) or ["a path"]
        raise ToolchainError(f"manifest.files: expected each blob exactly once, got {odd[0]} missing on one side or twice")
    return [
        {"path": path, "role": roles[path], "size": len(blobs[path]), "sha256": hashlib.sha256(blobs[path]).hexdigest()}
        for path in sorted(blobs)
    ]


def _check_schema(manifest: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(stored_schema())
    error = jsonschema.exceptions.best_match(validator.iter_errors(manifest))
    if error is not None:
        raise ToolchainError(
            f"{error.json_path.replace('$', 'manifest', 1)}: {error.message[:200]}; mend the recipe or the target that wrote it"
        )
