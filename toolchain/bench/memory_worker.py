"""Prints how many bytes of anonymous memory a variant takes. A process of its own, since memory that an earlier model gave back would
be used again unseen.

    python -m toolchain.bench.memory_worker packed|plain FILE
    python -m toolchain.bench.memory_worker packed packed|plain LEVEL WHOLE    a level and the net that it is a level of
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from runtime_py.interpreter import Interpreter, runtime
from runtime_py.packed import unpack
from runtime_py.prefixes import rebuild

STATUS = Path("/proc/self/status")


def anonymous() -> int:
    """Bytes of anonymous memory (RssAnon) that this process holds now."""
    return 1024 * int(next(line.split()[1] for line in STATUS.read_text().splitlines() if line.startswith("RssAnon:")))


def main(forms: list[str], paths: list[Path]) -> None:
    runtime()  # loads the TFLite runtime, so that what it takes for itself is not counted
    before = anonymous()
    interpreter = Interpreter(_model(forms, paths), "the variant")
    taken = interpreter.inputs[0]
    for _ in range(2):
        interpreter.run(np.zeros(taken["shape"], taken["dtype"]))
    print(anonymous() - before)


def _model(forms: list[str], paths: list[Path]) -> bytes:
    """The .tflite of what is stored in the last file, and, where there are two, of the level of it in the first."""
    last = paths[-1].read_bytes()
    whole = unpack(last) if forms[-1] == "packed" else last
    return whole if len(paths) == 1 else rebuild(paths[0].read_bytes(), whole)


if __name__ == "__main__":
    half = len(sys.argv) // 2 + 1
    main(sys.argv[1:half], [Path(name) for name in sys.argv[half:]])
