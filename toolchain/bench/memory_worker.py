"""Prints how many bytes of anonymous memory a variant takes: `python -m toolchain.bench.memory_worker packed|plain FILE`. A process
of its own, since memory that an earlier model gave back would be used again unseen."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from runtime_py.interpreter import Interpreter, runtime
from runtime_py.packed import unpack

STATUS = Path("/proc/self/status")


def anonymous() -> int:
    """Bytes of anonymous memory (RssAnon) that this process holds now."""
    return 1024 * int(next(line.split()[1] for line in STATUS.read_text().splitlines() if line.startswith("RssAnon:")))


def main(form: str, path: Path) -> None:
    runtime()  # loads the TFLite runtime, so that what it takes for itself is not counted
    before = anonymous()
    stored = path.read_bytes()
    interpreter = Interpreter(unpack(stored) if form == "packed" else stored, "the variant")
    taken = interpreter.inputs[0]
    for _ in range(2):
        interpreter.run(np.zeros(taken["shape"], taken["dtype"]))
    print(anonymous() - before)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
