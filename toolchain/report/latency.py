"""How long one image takes on this machine."""

from __future__ import annotations

import statistics
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter

RUNS, WARM_UP = 30, 5


def latency_ms(tflite: bytes, threads: int = 1) -> float:
    """The median of 30 runs of a .tflite on LiteRT (XNNPACK), in milliseconds; the input is grey."""
    interpreter = Interpreter(model_content=tflite, num_threads=threads)
    interpreter.allocate_tensors()
    taken = interpreter.get_input_details()[0]
    interpreter.set_tensor(taken["index"], np.zeros(taken["shape"], taken["dtype"]))
    times = []
    for run in range(WARM_UP + RUNS):
        started = time.perf_counter()
        interpreter.invoke()
        if run >= WARM_UP:
            times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)
