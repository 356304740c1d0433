"""How well levels of one net match each other: a face embedded by one level against a face embedded by another."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from runtime_py.manifest import CrossLevel, CrossRate, LevelSet
from toolchain.data import protocols
from toolchain.evaluation.evaluate import Floats, all_pairs_protocol
from toolchain.evaluation.measure import Measurement
from toolchain.evaluation.thresholds import calibrate

DIGITS = 4


def match(enrolled: Floats, probe: Floats, names: tuple[str, str], measurement: Measurement) -> CrossLevel:
    """The levels of these `names` by their embeddings `[N, D]` of the measurement's faces: of every comparison the first image by the
    one, the second by the other. Rates and thresholds are those that the faces support."""
    comparisons, rows = measurement.comparisons, len(enrolled)
    scores = protocols.pair_scores(np.concatenate([enrolled, probe]), comparisons.first, comparisons.second + rows)
    found = calibrate(scores, measurement.bootstrap, measurement.data_sha256)
    genuine = scores[comparisons.same].astype(np.float64)
    return CrossLevel(
        enrolled=names[0],
        probe=names[1],
        protocol=all_pairs_protocol(measurement.faces, comparisons),
        data_sha256=measurement.data_sha256,
        rates=tuple(CrossRate(item.fmr, round(float((genuine >= item.similarity).mean()), DIGITS)) for item in found.thresholds),
        thresholds=found.thresholds,
        thresholds_left_out=found.left_out,
    )


def match_levels(levels: LevelSet, embedded: Mapping[str, Floats], measurement: Measurement) -> tuple[CrossLevel, ...]:
    """Each two levels of a net, the wider enrolled; `embedded`: `[N, D]` by the variant's name."""
    return tuple(
        match(embedded[wide.variant], embedded[narrow.variant], (wide.name, narrow.name), measurement)
        for wide, narrow in combinations(levels.levels, 2)
    )
