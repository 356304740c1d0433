"""A recipe is found by its name or its file; whatever is neither is one line that says what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.errors import RecipeError
from toolchain.recipes import find_recipe, recipe_names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("net.onnx", "net.onnx: expected a recipe, .*weights are given by --weights"),
        ("net.safetensors", "weights are given by --weights"),
        ("nowhere/net.onnx", "weights are given by --weights"),
        ("defualt", r"^defualt: no such recipe; did you mean default\?$"),
        ("deep-compresion", r"did you mean deep_compression\?$"),
        ("nonesuch.py", "no such recipe; expected .*or the path of a Python file"),
        ("qqqqqq", "no such recipe; expected .*default"),
    ],
)
def test_what_is_no_recipe_is_told_from_a_slip(name: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        find_recipe(name)


def test_every_recipe_is_found_by_its_name() -> None:
    assert all(find_recipe(name).variants for name in recipe_names())


@pytest.mark.parametrize(
    "line", ["{}['a']", "[][0]", "raise RuntimeError('x')", "assert False", "1 / 0", "raise Exception", "raise SystemExit('x')", "x ="]
)
def test_a_recipe_that_does_not_run_is_one_line(line: str, tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(f"{line}\n")
    with pytest.raises(RecipeError, match=r"^[^\n]*own\.py: this recipe does not run: [^\n]*$"):
        find_recipe(str(path))
