"""What XNOR-Net's table counts and measures, by hand. That it is made whole is tested with the other tables."""

from __future__ import annotations

import numpy as np

from toolchain.tables.xnor import _ROWS, top, weight_bytes


def test_right_among_the_first_k_counts_classes_that_score_higher() -> None:
    scores = np.float32([[0.1, 0.5, 0.3], [0.9, 0.2, 0.4], [0.2, 0.3, 0.7]])
    labels = np.array([2, 2, 2])
    assert [top(scores, labels, count).value for count in (1, 2, 3)] == [1 / 3, 1.0, 1.0]
    assert top(np.zeros((1, 3), np.float32), np.array([1]), 1).value == 1.0


def test_bytes_are_the_methods_bits_for_the_inner_convolutions_and_floats_for_the_rest() -> None:
    inner = 9 * (32 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
    first, last, norms = 27 * 32, 512 * 128, 2 * (32 + 64 + 128 + 256 + 512 + 128)
    for row in _ROWS:
        assert weight_bytes(row) == 4 * (first + last + norms) + inner * row.weight_bits // 8
    assert [row.weight_bits for row in _ROWS] == [1, 1, 2, 1, 1, 32]
