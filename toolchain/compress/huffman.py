"""Huffman coding: what Deep Compression's last step makes of a layer's indices and positions, in bits.

Deep Compression (Han, Mao, Dally, ICLR 2016) prunes a layer, shares its values, and codes what is left by Huffman's method
("A Method for the Construction of Minimum-Redundancy Codes", Proc. IRE 1952): section 4 for the indices of values, figure 2 of
section 2 for where they stand, as distances from one weight to the next, with a zero as filler where a distance is too long.
These functions count bits, for the table that stands beside the paper's; they write no file.

The product stores by rANS (toolchain.pack.packed), for three reasons. A Huffman code spends at least one bit a symbol, so a binary
tensor gains nothing and one of mostly zeros costs a bit for each zero; that is why the paper needs positions. With a coder that
spends a fraction of a bit, zero is one more value, and positions, fillers and their table go. Second, a code of whole bits misses
the entropy of its symbols by up to a bit each (Cover and Thomas, "Elements of Information Theory", theorem 5.4.1), rANS hardly at
all (docs/bundle-format.md has both, measured). Third, lanes of rANS are decoded side by side by numpy, while the bits of a Huffman
code must be read one symbol after another.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toolchain.errors import ToolchainError

Integers = npt.NDArray[np.int64]
_VALUE_BITS = 32
_LENGTH_BITS = 8
"""What the length of a code takes in a table: all that a canonical code needs to be built again."""


def code_lengths(counts: npt.NDArray[np.integer[Any]]) -> Integers:
    """Bits of each symbol's code, int64 `[K]`, for symbols that occur `counts` `[K]` times; 0 for one that does not occur.

    Of all prefix codes the one of least sum of counts · lengths; its lengths meet Kraft's inequality as an equality. A symbol that
    stands alone takes 0 bits, since its count says everything. Error: ToolchainError for a count below 0.
    """
    if np.any(counts < 0):
        raise ToolchainError(f"code_lengths: expected counts from 0, got {int(counts.min())}")
    held = np.flatnonzero(counts)
    heap = [(int(counts[symbol]), node) for node, symbol in enumerate(held)]
    parents = np.zeros(max(2 * len(held) - 1, 0), np.int64)
    heapq.heapify(heap)
    for node in range(len(held), len(parents)):
        (least, one), (next_least, other) = heapq.heappop(heap), heapq.heappop(heap)
        parents[[one, other]] = node
        heapq.heappush(heap, (least + next_least, node))
    depths = np.zeros(len(parents), np.int64)
    for node in range(len(parents) - 2, -1, -1):  # a parent has a higher number than its children
        depths[node] = depths[parents[node]] + 1
    lengths = np.zeros(len(counts), np.int64)
    lengths[held] = depths[: len(held)]
    return lengths


def canonical_codes(lengths: Integers) -> list[str]:
    """The canonical prefix code of these lengths: each symbol's bits as text, "" for a length of 0. Shorter codes come first, codes
    of one length in the order of their symbols, so that the lengths are all that a reader needs.

    Error: ToolchainError where no prefix code has these lengths.
    """
    codes = [""] * len(lengths)
    following = shorter = 0
    for symbol in sorted(np.flatnonzero(lengths).tolist(), key=lambda symbol: (lengths[symbol], symbol)):
        length = int(lengths[symbol])
        following <<= length - shorter
        if following >> length:
            raise ToolchainError(f"canonical_codes: no prefix code has the lengths {lengths.tolist()}; take them from code_lengths()")
        codes[symbol] = format(following, f"0{length}b")
        following, shorter = following + 1, length
    return codes


def coded_bits(symbols: npt.NDArray[np.integer[Any]]) -> int:
    """Bits of all `symbols`, from 0, any shape, in their own Huffman code, without the code's table."""
    counts = np.bincount(symbols.reshape(-1))
    return int((counts * code_lengths(counts)).sum())


def relative_positions(kept: npt.NDArray[np.bool_], bits: int) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """`(distances [M], filler bool [M])`: how far each kept weight stands behind the one before (the first: behind the place before
    the start), each from 1 to 2^bits. Where one is farther, fillers, weights of value 0, stand 2^bits apart in between.

    `kept` in any shape, read in row-major order. Deep Compression, figure 2: distances of 1, 3, 8 (a filler), 3 in 3 bits.
    """
    if not 1 <= bits <= 32:
        raise ToolchainError(f"relative_positions: expected 1 to 32 bits, got {bits}")
    longest = 1 << bits
    distances = np.diff(np.flatnonzero(kept), prepend=-1)
    fillers = (distances - 1) // longest
    ends = np.cumsum(fillers + 1) - 1
    filler = np.ones(len(distances) + int(fillers.sum()), np.bool_)
    filler[ends] = False
    result = np.full(len(filler), longest, np.int64)
    result[ends] = distances - fillers * longest
    return result, filler


@dataclass(frozen=True)
class DeepCompressionBits:
    """Bits of one layer's weights after each of Deep Compression's steps, without biases: `pruned`: float32 values and distances of
    fixed length; `shared`: indices of fixed length in place of the values, and the codebook; `huffman`: indices and distances by
    their own Huffman codes, with the codebook and both tables of lengths."""

    pruned: int
    shared: int
    huffman: int


def deep_compression_bits(weight: npt.NDArray[np.float32], position_bits: int) -> DeepCompressionBits:
    """What `weight`, pruned and shared, of any shape, takes after each step. The paper gives distances 8 bits in convolutions and 5 in
    fully connected layers (section 2)."""
    distances, filler = relative_positions(weight != 0, position_bits)
    values = np.zeros(len(filler), np.float32)
    values[~filler] = weight[weight != 0]
    codebook, indices = np.unique(values, return_inverse=True)
    index_bits = max(len(codebook) - 1, 0).bit_length()
    table = _VALUE_BITS * len(codebook)
    lengths = _LENGTH_BITS * (len(codebook) + len(np.unique(distances)))
    return DeepCompressionBits(
        pruned=len(values) * (_VALUE_BITS + position_bits),
        shared=len(values) * (index_bits + position_bits) + table,
        huffman=coded_bits(indices) + coded_bits(distances) + table + lengths,
    )
