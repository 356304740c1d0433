"""Tables of the papers and lectures that this toolchain follows, made anew: `toolchain table`. One file a table, each with `SUMMARY`
and `figures(order) -> Figures`."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from toolchain.errors import RecipeError

_SHARED = ("base", "classification", "embedders", "quantized")


def table_names() -> list[str]:
    """The names of the tables, found by walking this package: `layer_substitution.py` is `layer-substitution`."""
    return sorted(item.name.replace("_", "-") for item in pkgutil.iter_modules(__path__) if item.name not in _SHARED)


def find_table(name: str) -> ModuleType:
    """The table of that name. Error: RecipeError where there is none."""
    if name not in table_names():
        raise RecipeError(f"{name}: no such table; expected one of {', '.join(table_names())}")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
