"""Figures as a manifest states them: rounded to the unfavourable side, so that machines agree and none looks better than it is.

A float counts as the shortest decimal that is read back as it: 0.07 is 0.07, not the binary fraction just above.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from toolchain.errors import ToolchainError

COSINE_DIGITS = 4


def rounded_up(value: float) -> float:
    """The least number of one significant digit that is not below `value`; 0 for what is not above 0.

    Error: ToolchainError for NaN or infinity.
    """
    exact = _decimal(value)
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted()), ROUND_CEILING)) if exact > 0 else 0.0


def rounded_down(cosine: float) -> float:
    """The largest number of 4 decimals that is not above `cosine`, nor above 1. Error: ToolchainError for NaN or infinity."""
    least = min(_decimal(cosine), Decimal(1)).quantize(Decimal(1).scaleb(-COSINE_DIGITS), ROUND_FLOOR)
    return float(least) + 0.0  # -0.0 is 0


def _decimal(value: float) -> Decimal:
    if not math.isfinite(value):
        raise ToolchainError(f"expected a finite figure to state, got {value}")
    return Decimal(repr(float(value)))
