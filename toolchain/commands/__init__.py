"""The commands of the command line, one a file: `SUMMARY`, `EXAMPLES`, `arguments(parser)` and `run(options) -> Result`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType


def commands() -> Iterator[tuple[str, ModuleType]]:
    """(name, module) of each command, found by walking this package, by name: `setup_arm64.py` is `setup-arm64`."""
    for item in sorted(pkgutil.iter_modules(__path__), key=lambda item: item.name):
        if item.name != "base":
            yield item.name.replace("_", "-"), importlib.import_module(f"{__name__}.{item.name}")
