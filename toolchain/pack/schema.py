"""The manifest's JSON schema, made from the dataclasses in runtime_py.manifest.

`python -m toolchain.pack.schema > runtime_py/manifest.schema.json` writes it anew after a change there.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from runtime_py.manifest import SCHEMA_MAJOR, SCHEMA_MINOR, Manifest
from runtime_py.typed_json import Bounds, Items, Pattern, has_default

Schema = dict[str, Any]
_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def manifest_schema() -> Schema:
    """JSON Schema (draft 2020-12) of the manifest of this release's schema version."""
    definitions: dict[str, Schema] = {}
    _schema(Manifest, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Manifest of a .pface bundle, schema {SCHEMA_MAJOR}.{SCHEMA_MINOR}",
        **definitions.pop("Manifest"),
        "$defs": definitions,
    }


def stored_schema() -> Schema:
    """The schema file that the runtime package carries."""
    schema: Schema = json.loads(resources.files("runtime_py").joinpath("manifest.schema.json").read_text("utf-8"))
    return schema


def _schema(annotation: Any, definitions: dict[str, Schema]) -> Schema:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return {}
    if dataclasses.is_dataclass(annotation):
        return _definition(annotation, definitions)
    if origin is Annotated:
        return _constrained(arguments, definitions)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not type(None))
        return {"anyOf": [_schema(inner, definitions), {"type": "null"}]}
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if origin is tuple:
        items = [_schema(argument, definitions) for argument in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    return {"type": _SCALARS[annotation]}


def _definition(annotation: Any, definitions: dict[str, Schema]) -> Schema:
    name = annotation.__name__
    if name not in definitions:
        definitions[name] = {}  # taken, before its fields refer to it
        hints = get_type_hints(annotation, include_extras=True)
        fields = dataclasses.fields(annotation)
        definitions[name] = {
            "description": " ".join(annotation.__doc__.split()),
            "type": "object",
            "properties": {field.name: _schema(hints[field.name], definitions) for field in fields},
            "required": [field.name for field in fields if not has_default(field)],
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


def _constrained(arguments: tuple[Any, ...], definitions: dict[str, Schema]) -> Schema:
    schema = _schema(arguments[0], definitions)
    for constraint in arguments[1:]:
        if isinstance(constraint, Pattern):
            schema["pattern"] = f"^(?:{constraint.regex})$"
        elif isinstance(constraint, Items):
            schema["minItems"] = constraint.least
        elif isinstance(constraint, Bounds):
            schema |= {key: value for key, value in (("minimum", constraint.low), ("maximum", constraint.high)) if math.isfinite(value)}
    return schema


if __name__ == "__main__":
    print(json.dumps(manifest_schema(), indent=2))
