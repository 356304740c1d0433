"""Reads JSON into frozen dataclasses, strictly: their annotations are the schema.

Understood annotations: str, int, float, bool, Any, Literal, a dataclass, `tuple[T, ...]`, `tuple[A, B]`, `Mapping[str, T]`, `T | None`,
and `Annotated[T, constraint, ...]` with the constraints below. A field with a default may be absent.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import types
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

MOST_DEPTH = 64
"""Lists and objects within one another, the outermost counted. Parsers stop at depths of their own, or when the stack is full."""
_SHOWN = 60


class TypedJsonError(ValueError):
    """The value is not what the annotation states; the message names the place."""


@dataclass(frozen=True)
class Pattern:
    """A string that this regular expression matches as a whole. Of what Python, Java and ECMA-262 read alike."""

    regex: str


@dataclass(frozen=True)
class Bounds:
    """A number from `low` to `high`, both included."""

    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True)
class Items:
    """A list of at least `least` items."""

    least: int


def parse(text: bytes) -> Any:
    """JSON in UTF-8 as Python values. Refuses what parsers disagree on: names given twice, NaN, Infinity, a number past
    the range of a double, more than `MOST_DEPTH` lists and objects within one another. Error: TypedJsonError."""
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)
    except TypedJsonError:
        raise
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise TypedJsonError(f"expected JSON in UTF-8, got something else ({error})") from None
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    """Level by level, which takes no stack."""
    level = [value]
    for _ in range(MOST_DEPTH + 1):
        level = [item for item in level if isinstance(item, list | dict)]
        if not level:
            return
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    raise _too_deep()


def _too_deep() -> TypedJsonError:
    return TypedJsonError(f"expected lists and objects at most {MOST_DEPTH} deep within one another, got more")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise TypedJsonError(f"expected each name once in an object, got {shown(twice)} twice")
    return result


def _refuse_constant(text: str) -> Any:
    raise TypedJsonError(f"expected a finite number, got {text}")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise TypedJsonError(f"expected a finite number, got {text}")
    return value


def read(annotation: type[T], value: Any, where: str, ignore_unknown: bool = False) -> T:
    """`value` as `annotation`. `ignore_unknown` skips names that a dataclass does not have. Error: TypedJsonError."""
    result: T = _Reader(ignore_unknown).read(annotation, value, where)
    return result


@dataclass(frozen=True)
class _Reader:
    ignore_unknown: bool

    def read(self, annotation: Any, value: Any, where: str) -> Any:
        origin, arguments = get_origin(annotation), get_args(annotation)
        if annotation is Any:
            return value
        if dataclasses.is_dataclass(annotation):
            return self._object(annotation, value, where)
        if origin is Annotated:
            return self._constrained(arguments, value, where)
        if origin is Literal:
            if not isinstance(value, str) or value not in arguments:
                raise _mismatch(where, " or ".join(map(repr, arguments)), value)
            return value
        if origin in (Union, types.UnionType):
            inner = next(argument for argument in arguments if argument is not type(None))
            return None if value is None else self.read(inner, value, where)
        if origin is tuple:
            return self._list(arguments, value, where)
        if origin is Mapping:
            if not isinstance(value, dict):
                raise _mismatch(where, "an object", value)
            return types.MappingProxyType({name: self.read(arguments[1], item, f"{where}.{_name(name)}") for name, item in value.items()})
        return _scalar(annotation, value, where)

    def _object(self, annotation: Any, value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise _mismatch(where, "an object", value)
        hints = get_type_hints(annotation, include_extras=True)
        fields = {field.name: field for field in dataclasses.fields(annotation)}
        unknown = sorted(set(value) - set(fields))
        if unknown and not self.ignore_unknown:
            raise TypedJsonError(
                f"{where}.{_name(unknown[0])}: expected one of {', '.join(fields)}, got a name that this schema does not have"
            )
        for name, field in fields.items():
            if name not in value and not has_default(field):
                raise TypedJsonError(f"{where}.{name}: expected a value, it is missing")
        given = {name: self.read(hints[name], value[name], f"{where}.{name}") for name in fields if name in value}
        try:
            return annotation(**given)
        except ValueError as error:
            raise TypedJsonError(f"{where}: {error}") from None

    def _constrained(self, arguments: tuple[Any, ...], value: Any, where: str) -> Any:
        result = self.read(arguments[0], value, where)
        for constraint in arguments[1:]:
            if isinstance(constraint, Pattern) and re.fullmatch(constraint.regex, result) is None:
                raise _mismatch(where, f"text like {constraint.regex}", value)
            if isinstance(constraint, Bounds) and not constraint.low <= result <= constraint.high:
                raise _mismatch(where, f"a number from {constraint.low:g} to {constraint.high:g}", value)
            if isinstance(constraint, Items) and len(result) < constraint.least:
                raise _mismatch(where, f"at least {constraint.least} items", value)
        return result

    def _list(self, arguments: tuple[Any, ...], value: Any, where: str) -> Any:
        if not isinstance(value, list):
            raise _mismatch(where, "a list", value)
        if arguments[1:] == (Ellipsis,):
            arguments = (arguments[0],) * len(value)
        if len(arguments) != len(value):
            raise _mismatch(where, f"{len(arguments)} items", value)
        return tuple(self.read(kind, item, f"{where}[{index}]") for index, (kind, item) in enumerate(zip(arguments, value, strict=True)))


def _name(name: str) -> str:
    """A name that somebody else chose, in the path of a message: what is no plain ASCII of one line is escaped."""
    return name if name.isascii() and name.isprintable() and len(name) <= _SHOWN else shown(name)


def has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _scalar(annotation: Any, value: Any, where: str) -> Any:
    if annotation is float and type(value) in (int, float):
        try:
            return float(value)
        except OverflowError:
            raise _mismatch(where, "a number in the range of a double", value) from None
    if annotation in (str, int, bool) and type(value) is annotation:  # not isinstance: True is an int
        return value
    raise _mismatch(where, {str: "text", int: "a whole number", float: "a number", bool: "true or false"}[annotation], value)


def _mismatch(where: str, expected: str, value: Any) -> TypedJsonError:
    return TypedJsonError(f"{where}: expected {expected}, got {shown(value)}")


def shown(value: Any) -> str:
    """A JSON value in a message: on one line and short, however long or deeply nested it is."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value[:_SHOWN] if isinstance(value, str) else value, ensure_ascii=True)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
