"""Unit vectors that stand for templates: drawn at random, since a gallery does not care where they come from."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from runtime_py.gallery import TemplateModel

SIZE = 16


def model(name: str = "fp32", size: int = SIZE) -> TemplateModel:
    """A model of that variant's name."""
    return TemplateModel(hashlib.sha256(name.encode()).hexdigest(), name, size)


def unit(seed: int, count: int = 1, size: int = SIZE) -> npt.NDArray[np.float32]:
    """`[count, size]` of length 1."""
    rows = np.random.default_rng(seed).standard_normal((count, size))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
