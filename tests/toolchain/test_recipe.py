"""Settings that make no sense are refused when they are made: every number of every method, and a recipe's gates."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime_py.bundle import InputContract
from toolchain.distill import Teacher
from toolchain.errors import RecipeError
from toolchain.losses import ArcFace
from toolchain.recipe import FaceGate, Gate
from toolchain.training.loop import Phase, TrainSettings

TEACHER = Teacher(Path("teacher.onnx"), InputContract.parse("rgb,0..255"))
GIVEN: dict[str, Any] = {"loss": ArcFace(), "settings": TrainSettings((Phase(1),)), "teachers": (TEACHER,), "wide": TEACHER}
"""What settings without a default are given."""


def numbers() -> Iterator[tuple[type[Any], str]]:
    """Each settings class of a backbone, loss, distillation or stage, with each of its fields that is a float."""
    for family in ("backbones", "losses", "distill", "compress"):
        package = importlib.import_module(f"toolchain.{family}")
        for item in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{item.name}")
            for name, kind in vars(module).items():
                # Settings are held frozen and compared by value; those with eq=False hold tensors.
                if not inspect.isclass(kind) or kind.__module__ != module.__name__ or name.startswith("_") or inspect.isabstract(kind):
                    continue
                if dataclasses.is_dataclass(kind) and kind.__hash__ is not object.__hash__:
                    yield from ((kind, field.name) for field in dataclasses.fields(kind) if str(field.type) in ("float", "float | None"))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("kind", "field"), [pytest.param(*found, id=f"{found[0].__name__}.{found[1]}") for found in numbers()])
def test_what_is_no_number_is_no_setting(kind: type[Any], field: str, value: float) -> None:
    needed = {item.name: GIVEN[item.name] for item in dataclasses.fields(kind) if item.name in GIVEN}
    others = {"share": None} if (kind.__name__, field) == ("PruneChannels", "threshold") else {}
    with pytest.raises(RecipeError, match=kind.__name__):
        kind(**{**needed, **others, field: value})


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"max_abs": math.nan}, "max_abs"),
        ({"max_abs": -0.1}, "max_abs"),
        ({"min_cosine": math.nan}, "min_cosine"),
        ({"p1_cosine": 1.1}, "p1_cosine"),
        ({"share_above": (math.nan, 0.9)}, "share_above"),
        ({"share_above": (0.9, 95)}, "share_above"),
    ],
)
def test_a_gate_that_nothing_or_everything_would_miss_is_refused(bad: dict[str, Any], field: str) -> None:
    with pytest.raises(RecipeError, match=rf"^Gate\.{field}: expected"):
        Gate(**bad)


@pytest.mark.parametrize("errors", [-1.0, math.nan, math.inf])
def test_a_gate_in_face_terms_gives_no_benefit_without_end(errors: float) -> None:
    with pytest.raises(RecipeError, match="standard_errors"):
        FaceGate(keep_tar=0.9, standard_errors=errors)
