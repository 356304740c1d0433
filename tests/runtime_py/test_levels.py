"""Which thresholds hold for comparisons of a level with templates that any level of its net may have made."""

from __future__ import annotations

from runtime_py.levels import CrossLevel, Level, LevelSet
from runtime_py.manifest import Threshold

DATA = "0" * 64


def thresholds(**similarities: float) -> tuple[Threshold, ...]:
    """By the exponent of the rate: e2 is 1e-2."""
    return tuple(Threshold(10.0 ** -int(name[1:]), value, 0.0, 1.0, 1000, 40, DATA) for name, value in similarities.items())


def between(enrolled: str, probe: str, **similarities: float) -> CrossLevel:
    return CrossLevel(enrolled, probe, "p", DATA, (), thresholds(**similarities), ())


LEVELS = (Level("100", "fp32", 1.0), Level("75", "fp32-75", 0.75), Level("50", "fp32-50", 0.5))


def shared(levels: LevelSet, variant: str, own: tuple[Threshold, ...]) -> dict[float, float]:
    return {item.fmr: item.similarity for item in levels.shared_thresholds(variant, own)}


def test_at_each_rate_the_strictest_of_all_comparisons_of_the_level_counts() -> None:
    matching = (between("100", "75", e2=0.3, e3=0.5), between("100", "50", e2=0.4, e3=0.45), between("75", "50", e2=0.9, e3=0.9))
    levels = LevelSet("fp32", LEVELS, matching)
    assert shared(levels, "fp32", thresholds(e2=0.35, e3=0.6)) == {1e-2: 0.4, 1e-3: 0.6}, "of 75 with 50 it has no part"
    assert shared(levels, "fp32-75", thresholds(e2=0.1, e3=0.1)) == {1e-2: 0.9, 1e-3: 0.9}


def test_a_rate_that_one_of_the_comparisons_lacks_is_left_out() -> None:
    own = thresholds(e2=0.3, e3=0.5)
    one_lacks = LevelSet("fp32", LEVELS, (between("100", "75", e2=0.4, e3=0.5), between("100", "50", e2=0.2)))
    assert shared(one_lacks, "fp32", own) == {1e-2: 0.4}
    not_measured = LevelSet("fp32", LEVELS, (between("100", "75", e2=0.4, e3=0.5),))
    assert shared(not_measured, "fp32", own) == {}
