"""Images as PNG files of the same bytes on every machine."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo


def png(image: npt.NDArray[np.uint8], notes: Mapping[str, str] | None = None) -> bytes:
    """A PNG of `[H, W, 3]` uint8 RGB; `notes` go into it as text chunks."""
    data, written = io.BytesIO(), PngInfo()
    for key, value in (notes or {}).items():
        written.add_text(key, value)
    Image.fromarray(image).save(data, "PNG", optimize=False, compress_level=9, pnginfo=written)
    return data.getvalue()
