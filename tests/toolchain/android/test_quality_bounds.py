"""The app judges pictures by the bounds that the Python runtime judges by."""

from __future__ import annotations

from toolchain.android.quality_bounds import java
from toolchain.android.sources import Sources


def test_the_apps_bounds_are_what_the_one_home_of_the_bounds_gives() -> None:
    written = next(path for path in Sources.find().java("app") if path.name == "QualityBounds.java").read_text()
    assert written == java(), "write it again: python -m toolchain.android.quality_bounds"
    assert "SIDEWAYS_GATE = 0.25;" in written
