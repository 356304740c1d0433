"""What this toolchain can do, found by walking its packages: every public class or function of every file of a family."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from dataclasses import dataclass

FAMILIES = ("backbones", "losses", "distill", "compress", "encodings", "convert")


@dataclass(frozen=True)
class Method:
    """`family` is the package, `name` the class or function, `summary` its docstring's first sentence, `source` what
    the file's docstring says first, `settings` its fields with their defaults."""

    family: str
    name: str
    summary: str
    source: str
    settings: tuple[str, ...]


def methods() -> list[Method]:
    """All methods, by family and name: frozen settings (backbones, losses, stages, encodings, variants) that can be made,
    and the distillation functions."""
    found = []
    for family in FAMILIES:
        package = importlib.import_module(f"toolchain.{family}")
        for item in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{item.name}")
            found += [_method(family, name, value, module) for name, value in vars(module).items() if _is_method(value, module.__name__)]
    return sorted(found, key=lambda method: (FAMILIES.index(method.family), method.name))


def _is_method(value: object, module: str) -> bool:
    """A concrete public dataclass with a base of its own family (Stage, Variant …) that the module itself defines, or a
    public function of a distillation file."""
    if getattr(value, "__module__", None) != module or getattr(value, "__name__", "_").startswith("_"):
        return False
    if inspect.isclass(value):
        family_base = any(base.__module__.startswith("toolchain.") for base in value.__mro__[1:])
        return dataclasses.is_dataclass(value) and family_base and not inspect.isabstract(value)
    return inspect.isfunction(value) and module.startswith("toolchain.distill.")


def _method(family: str, name: str, value: object, module: object) -> Method:
    settings = []
    if isinstance(value, type) and dataclasses.is_dataclass(value) and family != "encodings":
        for field in dataclasses.fields(value):
            default = "" if field.default is dataclasses.MISSING else f" = {field.default!r}"
            settings.append(f"{field.name}{default}" if len(default) < 40 else field.name)
    return Method(family, name, _first_sentence(value), _first_sentence(module), tuple(settings))


def _first_sentence(value: object) -> str:
    text = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]
