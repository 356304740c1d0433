"""Weights of the modules that take a 3×3 convolution's place (Shih, Huang, Chung, National Taiwan University: comparison of modules)."""

from __future__ import annotations

from toolchain.backbones.vgg11 import Module, module
from toolchain.tables.base import Figures, TableOrder

SUMMARY = "Weights of a convolution and of the modules in its place, 256 to 512 channels; trains nothing."
TAKES: frozenset[str] = frozenset()

INPUTS, OUTPUTS = 256, 512
_ROWS: tuple[tuple[str, Module, int], ...] = (
    ("Standard 3×3 convolution", "standard", 1_179_648),
    ("Fire module", "fire", 180_224),
    ("Depthwise + pointwise", "depthwise", 133_376),
    ("Flame module", "flame", 49_728),
)


def figures(order: TableOrder) -> Figures:
    """Counted on the modules that the backbones are built of; the authors' figures beside."""
    weights = {name: count_weights(kind) for name, kind, _ in _ROWS}
    baseline = weights[_ROWS[0][0]]
    rows, values = [], []
    for name, kind, stated in _ROWS:
        saved = 1 - weights[name] / baseline
        rows.append((name, f"{weights[name]:,}", f"{stated:,}", "" if kind == "standard" else f"{100 * saved:.2f} %"))
        values.append({"module": name, "weights": weights[name], "authors_weights": stated, "saved": round(saved, 6)})
    notes = ("`toolchain table modules`; convolution kernels alone, without batch norm; squeeze ratio 0.125.",)
    columns = ("module", "weights", "authors'", "fewer")
    return Figures("Weights of the modules, 256 to 512 channels", columns, tuple(rows), tuple(values), notes)


def count_weights(kind: Module) -> int:
    """Convolution weights of one module."""
    return sum(parameter.numel() for parameter in module(kind, INPUTS, OUTPUTS).parameters() if parameter.ndim == 4)
