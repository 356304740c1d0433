"""What a manifest states of the levels of a net: widths of one net that share their weights and an embedding space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from runtime_py.figures import Name, Sha256, Share, Threshold, UnsupportedThreshold
from runtime_py.typed_json import Items


@dataclass(frozen=True)
class Level:
    """The first `utilisation` of the channels of every layer, as `variant` has them."""

    name: Name
    variant: Name
    utilisation: Share


@dataclass(frozen=True)
class CrossRate:
    """The true accept rate `tar` at the false accept rate `far`."""

    far: Share
    tar: Share


@dataclass(frozen=True)
class CrossLevel:
    """How embeddings of the levels `enrolled` and `probe` match each other: of each comparison one image was embedded by the one, the
    other image by the other. `thresholds` are for such comparisons."""

    enrolled: Name
    probe: Name
    protocol: str
    data_sha256: Sha256
    rates: tuple[CrossRate, ...]
    thresholds: tuple[Threshold, ...]
    thresholds_left_out: tuple[UnsupportedThreshold, ...]


@dataclass(frozen=True)
class LevelSet:
    """Levels of one net, the widest first. They share an embedding space: templates of one are compared with those of another, and all
    count as the variant `whole`'s, the widest level.

    Every other level's variant is stored as prefixes of the constants of `whole`'s .tflite. `matching` says how well two levels
    match, where it was measured.
    """

    whole: Name
    levels: Annotated[tuple[Level, ...], Items(2)]
    matching: tuple[CrossLevel, ...] = ()

    def __post_init__(self) -> None:
        shares = [level.utilisation for level in self.levels]
        if self.levels[0].variant != self.whole or shares[0] != 1:
            raise ValueError(f"levels: expected the whole net, {self.whole}, first, with utilisation 1, got {self.levels[0]}")
        if shares != sorted(set(shares), reverse=True) or shares[-1] <= 0:
            raise ValueError(f"levels: expected falling utilisations above 0, got {shares}")
        names = [level.name for level in self.levels]
        if len(set(names)) != len(names):
            raise ValueError(f"levels: expected distinct names, got {', '.join(names)}")
        pairs = [frozenset((item.enrolled, item.probe)) for item in self.matching]
        if any(len(pair) != 2 or not pair <= set(names) for pair in pairs) or len(set(pairs)) != len(pairs):
            raise ValueError(f"matching: expected each two of the levels {', '.join(names)} at most once")

    def level_of(self, variant: str) -> Level | None:
        """The level that `variant` is; None where it is none of them."""
        return next((level for level in self.levels if level.variant == variant), None)

    def named(self, name: str) -> Level | None:
        """The level of that name; None where there is none."""
        return next((level for level in self.levels if level.name == name), None)

    def shared_thresholds(self, variant: str, own: Sequence[Threshold]) -> tuple[Threshold, ...]:
        """The thresholds for comparisons of `variant` with templates of any of the levels, where `own` are those with its own: at each
        rate the highest of all, so that none matches falsely more often than stated. Rates that one of them lacks are left out."""
        level = self.level_of(variant)
        assert level is not None
        others = {other.name for other in self.levels} - {level.name}
        of_pair = {frozenset((item.enrolled, item.probe)): item.thresholds for item in self.matching}
        lists = [own, *(of_pair.get(frozenset((level.name, other)), ()) for other in sorted(others))]
        found = []
        for threshold in own:
            alike = [item for items in lists for item in items if item.fmr == threshold.fmr]
            if len(alike) == len(lists):
                found.append(max(alike, key=lambda item: item.similarity))
        return tuple(found)


def check_levels(sets: Sequence[LevelSet], packed: Mapping[str, bool]) -> None:
    """Raises ValueError unless each level is a variant of its own, stored packed but for the whole net's. `packed`: whether a variant
    is, by name."""
    variants = [level.variant for found in sets for level in found.levels]
    if len(set(variants)) != len(variants) or not set(variants) <= set(packed):
        raise ValueError(f"levels: expected variants of the bundle, each in one place, got {', '.join(variants)}")
    for name in variants:
        if not packed[name] and name not in [found.whole for found in sets]:
            raise ValueError(f"levels: expected {name} to be packed, since it is rebuilt from another variant")
