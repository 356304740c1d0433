"""What a bundle's manifest holds, as frozen dataclasses. Their annotations are the schema: the reader in
`runtime_py.typed_json` checks against them, and `manifest.schema.json` is made from them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class InputContract:
    """What a model takes: an aligned face of `height` x `width` pixels in the order `color`, where each tensor value
    is pixel * scale + offset of an 8-bit pixel (0 to 255).

    `scale` is never zero. For a variant with integer input this is still the real-valued range; its own `input`
    quantization says how reals become integers.
    """

    height: int = 112
    width: int = 112
    color: Literal["rgb", "bgr"] = "rgb"
    scale: float = 2.0 / 255.0
    offset: float = -1.0

    @classmethod
    def parse(cls, text: str, height: int = 112, width: int = 112) -> InputContract:
        """The contract that `"rgb,0..255"`, `"rgb,-1..1"` or `"bgr,0..1"` states: colour order, then the real values of
        pixel 0 and of pixel 255. Raises ValueError with the reason for any other text."""
        match = re.fullmatch(r"(rgb|bgr),(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)", text.strip().lower())
        if match is None:
            raise ValueError(f"input contract: expected COLOUR,LOW..HIGH such as rgb,0..255 or bgr,-1..1, got {text!r}")
        low, high = float(match[2]), float(match[3])
        if low >= high:
            raise ValueError(f"input contract: expected LOW below HIGH, got {text!r}")
        color: Literal["rgb", "bgr"] = "rgb" if match[1] == "rgb" else "bgr"
        return cls(height, width, color, (high - low) / 255.0, low)
