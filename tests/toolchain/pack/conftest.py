"""The small bundle of the reader's tests, for those of the writer."""

from tests.runtime_py.conftest import blobs, manifest, tflite

__all__ = ["blobs", "manifest", "tflite"]
