"""`toolchain parity`: agreement with torch."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from toolchain.commands.base import Result, add_recipe, add_running, order_of, table

SUMMARY = "Compare the TFLite variants of a recipe with torch, on each runtime that is installed, and check their gates."
EXAMPLES = """  toolchain parity
  toolchain parity --variants int8 --images faces.tar
  toolchain parity --weights net.onnx --input rgb,0..255"""


def arguments(parser: ArgumentParser) -> None:
    add_recipe(parser)
    add_running(parser)


def run(options: Namespace) -> Result:
    """Agreement with torch, judged by each variant's gate."""
    from toolchain.build import make_variants
    from toolchain.variants import figures, judge

    batch = make_variants(order_of(options))
    judge(batch.made)
    values = [{"variant": item.variant.name, **figures(result)} for item in batch.made for result in item.parity]
    rows = [(item["variant"], item["runtime"], *_shown(item)) for item in values]
    left_out = [f"left out: {name}: {why}" for name, why in batch.left_out.items()]
    columns = ("variant", "runtime", "max abs", "min cosine", "p1 cosine", "ms")
    return Result({"parity": values, "left_out": batch.left_out}, (table(columns, rows), *left_out))


def _shown(figures: dict[str, Any]) -> tuple[str, ...]:
    if "reason" in figures:
        return f"not run: {figures['reason']}", "", "", ""
    forms = {"max_abs": ".2g", "min_cosine": ".6f", "p1_cosine": ".6f", "ms": ".2f"}
    return tuple(f"{figures[name]:{form}}" for name, form in forms.items())
