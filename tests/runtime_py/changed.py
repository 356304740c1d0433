"""Bundles with one thing changed, for tests that a reader refuses them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from runtime_py import container


def reseal(content: bytes) -> bytes:
    """The bundle with its closing hash made anew: what somebody could write who wants to be believed."""
    body = content[: -container.SEAL_BYTES]
    return body + container.seal(body)


def members(bundle: bytes) -> dict[str, bytes]:
    return {name: bytes(blob) for name, blob in container.open_container(bundle, "test").items()}


def with_manifest(bundle: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A bundle like `bundle`, sealed again, whose manifest was changed."""
    parts = members(bundle)
    value = json.loads(parts["manifest.json"])
    change(value)
    return container.layout({**parts, "manifest.json": json.dumps(value).encode()})
