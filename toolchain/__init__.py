"""The build toolchain: trains and compresses a face embedder, converts it to TFLite, proves it, and writes a bundle."""
