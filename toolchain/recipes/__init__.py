"""Recipes: one Python file each, with a module-level `RECIPE`. A user's own file works the same."""

from __future__ import annotations

import difflib
import importlib.util
import pkgutil
from pathlib import Path

from toolchain.errors import RecipeError
from toolchain.recipe import Recipe


def recipe_names() -> list[str]:
    """The names of the recipes that come with the toolchain."""
    return sorted(item.name for item in pkgutil.iter_modules(__path__) if not item.ispkg)


def find_recipe(name: str) -> Recipe:
    """The recipe of that name, hyphens as good as underscores, or in the Python file of that path.

    Errors: RecipeError where there is none, or where the file does not run or has no `RECIPE`.
    """
    own = Path(name)
    path = own if own.suffix or "/" in name else Path(__path__[0]) / f"{name.replace('-', '_')}.py"
    if not path.is_file() and own.suffix in ("", ".py"):
        close = difflib.get_close_matches(name.replace("-", "_"), recipe_names(), 1)
        known = f"expected {', '.join(recipe_names())}, or the path of a Python file with a RECIPE"
        raise RecipeError(f"{name}: no such recipe; {f'did you mean {close[0]}?' if close else known}")
    if path.suffix != ".py":
        raise RecipeError(f"{name}: expected a recipe, a Python file (.py) with a RECIPE; weights are given by --weights")
    spec = importlib.util.spec_from_file_location(f"recipe_{path.stem}", path)
    assert spec is not None and spec.loader is not None  # a .py file always has a loader
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # it is a user's program: anything may go wrong in it
        line = str(error).splitlines()[0] if str(error) else ""
        raise RecipeError(f"{path}: this recipe does not run: {type(error).__name__}: {line}") from None
    recipe = getattr(module, "RECIPE", None)
    if not isinstance(recipe, Recipe):
        got = "none" if recipe is None else f"a {type(recipe).__name__}"
        raise RecipeError(f"{path}: expected a module-level RECIPE of class toolchain.recipe.Recipe, got {got}")
    return recipe
