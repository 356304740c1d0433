"""`toolchain train`: a recipe's weights."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from toolchain import files
from toolchain.commands.base import IMAGES, Result, add_running, order_of

SUMMARY = "Train the weights of a recipe; goes on where an earlier run stopped."
EXAMPLES = """  toolchain train --images faces.tar --out weights.safetensors
  toolchain train my_recipe.py --images faces/ --out weights.safetensors --device cuda
  torchrun --nproc-per-node 2 -m toolchain.cli train --images faces.tar --out weights.safetensors"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("recipe", nargs="?", default="default", metavar="RECIPE", help="a recipe's name or Python file (default: default)")
    parser.add_argument("--images", nargs="+", type=Path, required=True, metavar="PATH", help=IMAGES)
    parser.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    add_running(parser)


def run(options: Namespace) -> Result:
    """Weights as safetensors. Of several processes (`torchrun`) only the first writes."""
    from toolchain.bundling.build import train as train_model
    from toolchain.load import save_model

    files.try_place(options.out)
    model = train_model(order_of(options))
    values = {"weights": str(options.out), "model": model.fingerprint()}
    if int(os.environ.get("RANK", "0")) == 0:
        save_model(options.out, model)
    return Result(values, (f"{options.out}",))
