"""Target: where a bundle is to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """`name` "<system>-<machine>"; `minimum`: the least version of each thing that a bundle needs there, by name."""

    name: str
    minimum: Mapping[str, str]
