"""Writes the Android app's QualityBounds.java from runtime_py/quality.json, the one home of the bounds:

python -m toolchain.android.quality_bounds
"""

from __future__ import annotations

import textwrap

from runtime_py.quality import STATED
from toolchain.android.sources import Sources

_HEAD = """package org.pocketface.demo;

/**
 * The bounds of {@link Quality}: at GATE a measure is just good enough, from GOOD on as good as can be. Written from
 * runtime_py/quality.json by `python -m toolchain.android.quality_bounds`; not to be edited.
 */
final class QualityBounds {
"""
_WIDTH = 130


def java() -> str:
    """The source of QualityBounds.java."""
    fields = []
    for name, bound in STATED.items():
        comment = textwrap.wrap(bound.measures, _WIDTH)
        fields.append("\n".join(["  /**", *(f"   * {line}" for line in comment), "   */"]))
        fields.append(f"  static final double {name.upper()}_GATE = {bound.gate};")
        fields.append(f"  static final double {name.upper()}_GOOD = {bound.good};\n")
    return _HEAD + "\n".join(fields) + "\n  private QualityBounds() {}\n}\n"


def main() -> None:
    """Writes it into the checkout."""
    quality = next(path for path in Sources.find().java("app") if path.name == "Quality.java")
    quality.with_name("QualityBounds.java").write_text(java())


if __name__ == "__main__":
    main()
