"""ONNX to float32 and float16 .tflite, in a process of its own: `python -P tensorflow_worker.py NET.onnx OUT`.

A process of its own, because onnx2tf and TensorFlow write to the working directory, print, take gigabytes and number
tensors by global counters. It runs in a temporary folder, reaches no network, and leaves OUT/float32.tflite and
OUT/float16.tflite there. Run by path, so it imports nothing of this project.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

# onnx2tf fetches calibration images from the network unless this file lies in its working directory. They would only
# serve its own quantized output, which is never asked for.
CALIBRATION_FILE = "calibration_image_sample_data_20x128x128x3_float32.npy"


def refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: conversion must give the same bytes on any machine, so it may not depend on what a server says."""
    if event in ("socket.connect", "socket.getaddrinfo") and not (arguments and isinstance(arguments[-1], str | bytes)):
        raise PermissionError("the conversion tried to reach the network")


def saved_model(onnx_file: Path, folder: Path) -> None:
    """The net as a TensorFlow SavedModel with one signature; channels last, as TFLite wants them."""
    import numpy as np
    import onnx2tf

    np.save(CALIBRATION_FILE, np.zeros((20, 128, 128, 3), np.float32))
    onnx2tf.convert(
        input_onnx_file_path=str(onnx_file),
        output_folder_path=str(folder),
        output_signaturedefs=True,
        batch_size=1,
        non_verbose=True,
        verbosity="error",
    )


def tflite(folder: Path, half: bool) -> bytes:
    """The .tflite of a SavedModel. `half`: weights are stored in fp16 behind DEQUANTIZE and computed with in fp32."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=["serving_default"])
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    content: bytes = converter.convert()
    return content


def main(onnx_file: str, out: str) -> None:
    sys.addaudithook(refuse_network)
    folder = Path("saved_model")
    saved_model(Path(onnx_file), folder)
    for name, half in (("float32", False), ("float16", True)):
        (Path(out) / f"{name}.tflite").write_bytes(tflite(folder, half))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(sys.argv[1], sys.argv[2])
