from __future__ import annotations

import pytest

from toolchain.data import synthetic
from toolchain.data.faces import Faces


@pytest.fixture(scope="package")
def faces() -> Faces:
    """256 drawn faces of 32×32 pixels, as many as parity asks for."""
    return synthetic.faces(32, 8, 32, 32)
