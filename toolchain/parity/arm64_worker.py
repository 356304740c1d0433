"""Runs a .tflite under the Python that starts it: a script of its own, for a Python on another processor that has numpy and a TFLite
runtime and nothing else.

    python arm64_worker.py SITE MODULE TFLITE INPUTS OUT

SITE is put in front of the module path; MODULE holds the runtime's Interpreter; INPUTS `[N, ...]` is a .npy file. OUT.npy gets the
outputs `[N, D]` as the file gives them, OUT.json what the runtime says of the output's quantization and of its operators.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

import numpy as np  # noqa: E402  it lies in SITE


def run(module: str, tflite: str, inputs: str, out: str) -> None:
    """One model. Errors: what the runtime raises for what it cannot run."""
    with open(tflite, "rb") as file:
        interpreter = importlib.import_module(module).Interpreter(model_content=file.read(), num_threads=1)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = []
    for tensor in np.load(inputs, mmap_mode="r", allow_pickle=False):
        interpreter.set_tensor(source["index"], np.ascontiguousarray(tensor[None]))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(result["index"]).reshape(-1).copy())
    np.save(out + ".npy", np.stack(rows))
    listed = interpreter._get_ops_details() if hasattr(interpreter, "_get_ops_details") else None
    names = ("op_name", "inputs", "outputs")
    facts = {
        "scale": float(result["quantization"][0]),
        "zero_point": int(result["quantization"][1]),
        "input": int(source["index"]),
        "output": int(result["index"]),
        "operators": None if listed is None else [{name: _plain(operator[name]) for name in names} for operator in listed],
    }
    with open(out + ".json", "w") as file:
        json.dump(facts, file)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else [int(index) for index in value]


if __name__ == "__main__":
    run(*sys.argv[2:])
