"""The bundle: one .pface file that holds a manifest and blobs (docs/bundle-format.md)."""

from __future__ import annotations

from runtime_py.manifest import InputContract

__all__ = ["InputContract"]
