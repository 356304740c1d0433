"""The small bundle of tests/runtime_py, for the Java SDK to refuse its damaged forms too."""

from __future__ import annotations

from tests.runtime_py.conftest import blobs, bundle_bytes, bundle_path, manifest, tflite

__all__ = ["blobs", "bundle_bytes", "bundle_path", "manifest", "tflite"]
