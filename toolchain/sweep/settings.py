"""The fields of a recipe that a sweep may set, by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from toolchain.errors import RecipeError
from toolchain.recipe import Recipe, Variant

_LEFT_OUT = ("name", "summary", "default_variant", "weights", "gate", "face_gate")
Scalar = bool | int | float | str
Settings = Mapping[str, str]


def settable(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Scalar]]:
    """(path, value) of every number, word and truth value in the settings of a recipe: `backbone.width`, `train.Distill.projection`,
    `clustered.Palettize.clusters`. Parts of a tuple go by their class, variants by their name; gates and names are no settings."""
    if not dataclasses.is_dataclass(value):
        if isinstance(value, bool | int | float | str):
            yield path, value
        return
    for name, held in _held(value):
        for part in held if isinstance(held, tuple) else (held,):
            yield from settable(part, _below(path, name, part, isinstance(held, tuple)))


def meant(recipe: Recipe, name: str) -> set[tuple[str, ...]]:
    """The paths that `name` means: those in which its parts come in that order and whose last part is its own; of several, those
    nearest to the top. `width` is the backbone's, not its teacher's; `clusters` that of every variant that has some.

    Error: RecipeError where there is none.
    """
    known = {path for path, _ in settable(recipe)}
    found = {path for path in known if _in_order(name.split("."), path)}
    if not found:
        raise RecipeError(f"--set {name}: recipe {recipe.name} has no such field; it has {', '.join(sorted('.'.join(p) for p in known))}")
    top = min(map(len, found))
    return {path for path in found if len(path) == top}


def _in_order(parts: Sequence[str], path: Sequence[str]) -> bool:
    rest = iter(path)
    return path[-1] == parts[-1] and all(part in rest for part in parts)


def with_setting(value: Any, paths: set[tuple[str, ...]], text: str, path: tuple[str, ...] = ()) -> Any:
    """`value`, a recipe or a part of one, with the fields of these `paths` set to what `text` says. Errors: RecipeError where that is of
    another type than the field, or no value that its class takes."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return _parsed(path, text, value) if isinstance(value, bool | int | float | str) and path in paths else value
    changed = {}
    for part, held in _held(value):
        if isinstance(held, tuple):
            changed[part] = tuple(with_setting(item, paths, text, _below(path, part, item, True)) for item in held)
        else:
            changed[part] = with_setting(held, paths, text, _below(path, part, held, False))
    changed = {part: new for part, new in changed.items() if new != getattr(value, part)}
    return replace(value, **changed) if changed else value


def _held(value: Any) -> Iterator[tuple[str, Any]]:
    for item in dataclasses.fields(value):
        if item.name not in _LEFT_OUT:
            yield item.name, getattr(value, item.name)


def _below(path: tuple[str, ...], name: str, part: object, of_tuple: bool) -> tuple[str, ...]:
    """The path of `part`. A tuple of variants or stages is known by what it holds."""
    if isinstance(part, Variant):
        return (*path, part.name)
    inner = (type(part).__name__,) if of_tuple and dataclasses.is_dataclass(part) else ()
    return (*path, *inner) if name in ("stages", "phases") else (*path, name, *inner)


def _parsed(path: tuple[str, ...], text: str, now: Scalar) -> Scalar:
    try:
        if isinstance(now, bool):
            return {"true": True, "false": False}[text.lower()]
        return type(now)(text)
    except (ValueError, KeyError):
        kind = "true or false" if isinstance(now, bool) else "a whole number" if isinstance(now, int) else "a number"
        raise RecipeError(f"--set {'.'.join(path)}: expected {kind}, such as its {now} now, got {text!r}") from None


def point_recipe(recipe: Recipe, settings: Settings) -> Recipe:
    """The recipe with `settings` in place. Where they change the backbone or its training, weights that come with the recipe are left
    out, and trained anew. Errors: RecipeError for a name that means nothing, and for values that a class refuses."""
    for name, text in settings.items():
        changed: Recipe = with_setting(recipe, meant(recipe, name), text)
        retrained = changed.backbone != recipe.backbone or changed.train != recipe.train
        recipe = replace(changed, weights=None) if retrained else changed
    return recipe


def as_text(settings: Settings) -> str:
    """`width=0.5 clusters=16`."""
    return " ".join(f"{name}={value}" for name, value in settings.items())
