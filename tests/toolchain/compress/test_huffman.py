from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolchain.compress.huffman import canonical_codes, code_lengths, coded_bits, deep_compression_bits, relative_positions
from toolchain.errors import ToolchainError

counts_of_symbols = st.lists(st.integers(0, 1000), min_size=1, max_size=40).map(lambda held: np.array(held, np.int64))


def entropy_bits(counts: npt.NDArray[np.int64]) -> float:
    held = counts[counts > 0]
    return float(-(held * np.log2(held / held.sum())).sum())


def test_a_code_that_was_made_by_hand() -> None:
    """Counts 1, 1, 2, 4: the two rarest are joined (2), that with the 2 (4), that with the 4: 3, 3, 2 and 1 bits, 14 in all."""
    lengths = code_lengths(np.array([1, 4, 0, 2, 1]))
    assert lengths.tolist() == [3, 1, 0, 2, 3]
    assert canonical_codes(lengths) == ["110", "0", "", "10", "111"]
    assert coded_bits(np.array([1, 1, 1, 1, 0, 3, 3, 4])) == 14


@settings(max_examples=60, deadline=None)
@given(counts_of_symbols)
def test_lengths_meet_kraft_exactly_and_their_sum_lies_within_a_bit_of_the_entropy(counts: npt.NDArray[np.int64]) -> None:
    """Kraft's sum is 1 for a code from which nothing can be left out; n H0 <= bits < n (H0 + 1) (Cover and Thomas, theorem 5.4.1)."""
    lengths, held = code_lengths(counts), counts > 0
    assert np.array_equal(lengths > 0, held) or held.sum() <= 1
    bits, entropy = int((counts * lengths).sum()), entropy_bits(counts)
    assert entropy - 1e-9 * bits <= bits < entropy + max(int(counts.sum()), 1)
    if held.any():
        assert sum(Fraction(1, 2 ** int(length)) for length in lengths[held]) == 1


@settings(max_examples=60, deadline=None)
@given(counts_of_symbols)
def test_no_canonical_code_is_the_start_of_another(counts: npt.NDArray[np.int64]) -> None:
    codes = sorted(code for code in canonical_codes(code_lengths(counts)) if code)
    assert not any(after.startswith(before) for before, after in zip(codes, codes[1:], strict=False))


def test_what_is_no_code_is_refused() -> None:
    with pytest.raises(ToolchainError, match="no prefix code"):
        canonical_codes(np.array([1, 1, 1]))
    with pytest.raises(ToolchainError, match="from 0"):
        code_lengths(np.array([3, -1]))
    with pytest.raises(ToolchainError, match="1 to 32 bits"):
        relative_positions(np.ones(3, np.bool_), 0)


def test_positions_as_the_paper_draws_them() -> None:
    """Figure 2: distances of 1, 3 and 11 in 3 bits, so that a filler stands 8 behind the second."""
    kept = np.zeros(16, np.bool_)
    kept[[0, 3, 14]] = True
    distances, filler = relative_positions(kept.reshape(4, 4), 3)
    assert distances.tolist() == [1, 3, 8, 3]
    assert filler.tolist() == [False, False, True, False]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), max_size=200), st.integers(1, 5))
def test_positions_are_found_again_from_distances(held: list[bool], bits: int) -> None:
    kept = np.array(held, np.bool_)
    distances, filler = relative_positions(kept, bits)
    assert np.array_equal((np.cumsum(distances) - 1)[~filler], np.flatnonzero(kept))
    assert np.all((1 <= distances) & (distances <= 2**bits))


def test_a_layer_of_hand_size_after_each_step() -> None:
    """Six weights of two values at places 0, 1, 2, 3, 4 and 13; distances of 1, 1, 1, 1, 1 and, in 3 bits, 8 (a filler) and 1. So 7
    entries and 3 values, 0 among them: 7 · (32 + 3); 7 · (2 + 3) + 3 · 32. Huffman: values 4, 2 and 1 times, 1, 2 and 2 bits, 10 in
    all; distances 1 bit each, 7; 3 values and 3 + 2 lengths."""
    weight = np.zeros(20, np.float32)
    weight[[0, 1, 2, 3, 4, 13]] = [0.5, 0.5, 0.5, 0.5, -0.25, -0.25]
    bits = deep_compression_bits(weight, 3)
    assert (bits.pruned, bits.shared, bits.huffman) == (7 * 35, 7 * 5 + 96, 10 + 7 + 96 + 40)


def test_a_layer_without_a_weight_takes_nothing() -> None:
    bits = deep_compression_bits(np.zeros((3, 4), np.float32), 5)
    assert (bits.pruned, bits.shared, bits.huffman) == (0, 0, 0)
