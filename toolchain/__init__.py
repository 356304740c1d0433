"""The build toolchain: trains and compresses a face embedder, converts it to TFLite, proves it, and writes a bundle."""

__version__ = "0.1.0"
