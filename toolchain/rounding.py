"""Figures as a manifest states them: rounded to the unfavourable side, so that machines agree and none looks better than it is."""

from __future__ import annotations

import math

COSINE_DIGITS = 4


def rounded_up(value: float) -> float:
    """The least number of one significant digit that is not below `value`."""
    if value <= 0:
        return 0.0
    exponent = math.floor(math.log10(value))
    return float(f"{math.ceil(value / 10**exponent)}e{exponent}")


def rounded_down(cosine: float) -> float:
    """The largest number of 4 decimals that is not above `cosine`."""
    return float(f"{math.floor(min(cosine, 1.0) * 10**COSINE_DIGITS) / 10**COSINE_DIGITS:.{COSINE_DIGITS}f}")
