"""How much memory a variant takes while it runs, measured in a process of its own (memory_worker.py).

Counted is anonymous memory, from before the stored bytes are read to after two inferences. So the model itself is in it, what a
packed one is rebuilt into, the arena, and the copy of the weights that XNNPACK lays out for its kernels; the libraries' code, which
every variant shares, is not.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import toolchain
from runtime_py.bundle import Bundle
from runtime_py.interpreter import runtime
from toolchain.bench import memory_worker
from toolchain.errors import DataError
from toolchain.kept import KeptBytes, key_of
from toolchain.machine import machine


def resident_bytes(bundle: Bundle, name: str) -> int | None:
    """Bytes that variant `name` takes; None where the system has no /proc (Linux alone has). Error: DataError where the process
    that measures fails."""
    if not memory_worker.STATUS.exists():
        return None
    variant = bundle.variant(name)
    whole = bundle.template_variant(variant)
    # A level is rebuilt from the whole net, which is read for that and then no longer needed.
    parts = [variant] if variant == whole else [variant, whole]
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for part in parts:
            files.append(Path(folder) / part.name)
            files[-1].write_bytes(bundle.blob(part.file))
        forms = ["packed" if part.packed else "plain" for part in parts]
        command = [sys.executable, "-m", memory_worker.__name__, *forms, *map(str, files)]
        environment = {**os.environ, "PYTHONPATH": str(Path(toolchain.__file__).parents[1])}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DataError(f"{name}: its memory could not be measured: {reason}")
    return int(done.stdout)


def kept_resident_bytes(bundle: Bundle, name: str, results: KeptBytes) -> int | None:
    """The same, kept by the stored bytes, the runtime and the machine."""
    key = key_of(
        made="resident bytes",
        stored=hashlib.sha256(bundle.blob(bundle.variant(name).file)).hexdigest(),
        runtime=runtime()[:2],
        machine=machine(),
        source=hashlib.sha256(Path(memory_worker.__file__).read_bytes()).hexdigest(),
    )
    found: int | None = json.loads(results.get(key, lambda: json.dumps(resident_bytes(bundle, name)).encode()))
    return found
