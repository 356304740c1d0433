"""Runs .tflite files under the Python that starts it: a script of its own, for a Python on another processor that has numpy and a
TFLite runtime and nothing else.

    python arm64_worker.py SITE JOB

SITE is put in front of the module path; JOB is a JSON file: the `module` of the runtime, and `models`, each with the `tflite` to
run, the `inputs` `[N, ...]` to run it on (.npy) and the name `out` to write to: OUT.npy gets the outputs `[N, D]` as the file gives
them, OUT.json what the runtime says of the output's quantization and of its operators. A model whose OUT.json is there was finished.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

import numpy as np  # noqa: E402  it lies in SITE


def run(interpreter_class: Any, tflite: str, inputs: str, out: str) -> None:
    """One model. Errors: what the runtime raises for what it cannot run."""
    with open(tflite, "rb") as file:
        interpreter = interpreter_class(model_content=file.read(), num_threads=1)
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
    with open(out + ".part", "w") as file:
        json.dump(facts, file)
    os.replace(out + ".part", out + ".json")


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else [int(index) for index in value]


def main(job: str) -> None:
    """Every model of the job that is not finished yet."""
    with open(job) as file:
        wanted = json.load(file)
    interpreter_class = importlib.import_module(wanted["module"]).Interpreter
    for model in wanted["models"]:
        if not os.path.exists(model["out"] + ".json"):
            run(interpreter_class, model["tflite"], model["inputs"], model["out"])
            print(model["out"], flush=True)


if __name__ == "__main__":
    main(sys.argv[2])
