"""OpenCV, which is optional: `pip install 'pocketface[camera]'`."""

from __future__ import annotations

import importlib
from typing import Any

from runtime_py.errors import RuntimeMissingError


def opencv() -> Any:
    """The module cv2. Error: RuntimeMissingError."""
    try:
        return importlib.import_module("cv2")
    except ImportError:
        raise RuntimeMissingError("expected OpenCV, found none; pip install 'pocketface[camera]'") from None
