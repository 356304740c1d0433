"""A .tflite on the TFLite runtime that is installed, safe to use from several threads."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime_py.errors import ModelRunError, RuntimeMissingError

_RUNTIMES = (("ai-edge-litert", "ai_edge_litert.interpreter"), ("tflite-runtime", "tflite_runtime.interpreter"))
"""Distribution and module, the preferred one first: tflite-runtime 2.14 runs int8 nets many times slower."""


def runtime() -> tuple[str, str, Any]:
    """(name, version, Interpreter class) of the TFLite runtime in use. Error: RuntimeMissingError."""
    for name, module in _RUNTIMES:
        try:
            interpreter = importlib.import_module(module).Interpreter
        except ImportError:
            continue
        return name, metadata.version(name), interpreter
    raise RuntimeMissingError("expected a TFLite runtime, found none; pip install ai-edge-litert")


@contextmanager
def quiet_runtime() -> Iterator[None]:
    """Keeps the TFLite runtime, which writes a line to stderr when a model is loaded and cannot be told not to, from mixing it
    with ours. Its errors come as exceptions too, so none is lost. For the command line: it holds for the whole process."""
    try:
        kept = os.dup(2)
    except OSError:  # it was started without stderr
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class Interpreter:
    """A model that runs. An interpreter is not thread-safe (shared, it gives wrong answers silently), so every thread gets
    one of its own when it first runs the model."""

    def __init__(self, tflite: bytes, where: str, threads: int = 1) -> None:
        """`where` names the model in messages; `threads` is how many an inference may use. Errors: RuntimeMissingError,
        ModelRunError."""
        self._tflite = tflite
        self._where = where
        self._threads = threads
        self._of_thread = threading.local()
        self.runtime, self.version, self._class = runtime()
        made = self._interpreter()
        self.inputs: list[dict[str, Any]] = made.get_input_details()
        self.outputs: list[dict[str, Any]] = made.get_output_details()
        if len(self.inputs) != 1:
            raise ModelRunError(f"{where}: expected a model of one input, got {len(self.inputs)}")

    def output(self, name: str) -> dict[str, Any]:
        """What the runtime says of the output of that name. Error: ModelRunError."""
        for output in self.outputs:
            if output["name"] == name:
                return output
        names = ", ".join(output["name"] for output in self.outputs)
        raise ModelRunError(f"{self._where}: expected an output {name!r}, got {names}; build the bundle again")

    def run(self, tensor: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """The outputs, in the model's order, for an input of the model's shape and dtype. Error: ModelRunError."""
        interpreter = self._interpreter()
        try:
            interpreter.set_tensor(self.inputs[0]["index"], tensor)
            interpreter.invoke()
            return [interpreter.get_tensor(output["index"]) for output in self.outputs]
        except (RuntimeError, ValueError) as error:
            raise ModelRunError(f"{self._where}: {self.runtime} {self.version} failed: {' '.join(str(error).split())}") from None

    def _interpreter(self) -> Any:
        made = getattr(self._of_thread, "interpreter", None)
        if made is None:
            try:
                made = self._class(model_content=self._tflite, num_threads=self._threads)
                made.allocate_tensors()
            except (RuntimeError, ValueError) as error:
                reason = " ".join(str(error).split())
                raise ModelRunError(f"{self._where}: {self.runtime} {self.version} cannot run this model: {reason}") from None
            self._of_thread.interpreter = made
        return made


def shape_of(details: dict[str, Any]) -> tuple[int, ...]:
    """The shape that the runtime states for a tensor."""
    return tuple(int(size) for size in np.asarray(details["shape"]))
