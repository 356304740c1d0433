"""Rebuilds a packed .tflite byte for byte, with numpy and the standard library. The form: docs/bundle-format.md.

What is entropy-coded are *planes*: a region of the .tflite that holds `count` values of `width` bytes is `width` planes
of `count` bytes (all first bytes, all second bytes, ...). Each plane is coded by a static order-0 model, a *table*, with
an interleaved rANS coder (Duda, "Asymmetric numeral systems", arXiv:1311.2540, section 3, in the range variant; the
interleaving is Giesen, "Interleaved entropy coders", arXiv:1402.3392). Int8 weights of 16 levels cost their entropy
that way, binary ones a bit, sparse ones less, and float32 values that are exact in fp16 cost what fp16 would: the bytes
that are always zero have one symbol and cost nothing. Floats of few values are a region of their own kind: a *codebook* of up to
4,096 of them and for each value its index, coded in two parts, the low bits by a table that depends on the high ones, so that
together they cost the entropy of the whole index. All the rest of the file, the *skeleton*, is deflated.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime_py.errors import PackedFormatError, PackedHashError, PackedLimitError, PackedStreamError, PackedVersionError

MAGIC = b"PFPK"
PLAIN_VERSION, CODEBOOK_VERSION = 1, 2
"""The second has regions with a codebook; else they are the same, and files without such a region are written as the first."""
HEADER = struct.Struct("<4sHHIIIII32s")
"""magic, version, zero, tflite size, structure size, deflated size, lanes, words, sha256 of the .tflite."""
PROBABILITY_BITS = 12
TABLE_TOTAL = 1 << PROBABILITY_BITS
LOWEST_STATE = 1 << 16
"""A coder's state is in [2^16, 2^32) between symbols; the encoder starts each lane at 2^16."""

MAX_TFLITE_BYTES = 64 << 20
MAX_DIRECTORY_BYTES = 4 << 20
MAX_TABLES = 4096
MAX_REGIONS = 65536
MAX_WIDTH = 8
MAX_LANES = 65536
MAX_STEPS = 1 << 16
LISTED, GEOMETRIC = 32, 33
"""Kinds of regions with a codebook; a lesser kind is the width of a plain one."""
MAX_ENTRIES = 4096
MAX_LOW_BITS = 8
_CHUNK = 1 << 16

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Header:
    """The fixed fields at the start of a packed file, checked."""

    version: int
    tflite_size: int
    structure_size: int
    deflated_size: int
    lanes: int
    words: int
    sha256: bytes


@dataclass(frozen=True)
class Table:
    """The model of a plane: byte `values` ascending and their `frequencies`, which sum to 4096."""

    values: Bytes
    frequencies: npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Region:
    """`count` values of `width` bytes at `offset` of the .tflite; plane k is coded by table `tables[k]`."""

    offset: int
    count: int
    width: int
    tables: tuple[int, ...]


@dataclass(frozen=True)
class CodebookRegion:
    """`count` float32 values at `offset` of the .tflite, each one of `entries` of a codebook.

    Of an index the bits above `low_bits` are coded by table `high`, those below by table `low[index >> low_bits]`; `low` is empty where
    `low_bits` is 0. `codebook`: the values' bits, uint32 `[entries]`, or (first, ratio) of `geometric_values`.
    """

    offset: int
    count: int
    entries: int
    low_bits: int
    high: int
    low: Sequence[int]
    codebook: npt.NDArray[np.uint32] | tuple[float, float]

    width = 4

    @property
    def groups(self) -> int:
        """How many values the high part of an index has."""
        return (self.entries - 1 >> self.low_bits) + 1

    def values(self) -> npt.NDArray[np.uint32]:
        """The bits of the codebook's float32 values `[entries]`."""
        if isinstance(self.codebook, tuple):
            return geometric_values(*self.codebook, self.entries).astype("<f4").view("<u4")
        return self.codebook


AnyRegion = Region | CodebookRegion


def unpack(data: bytes | memoryview, max_bytes: int = MAX_TFLITE_BYTES) -> bytes:
    """The .tflite that `data` was packed from, byte for byte.

    Takes at most 4 * (its size) + 3 * len(data) + 8 MiB + 2 KiB for each region of memory, and the .tflite is at most `max_bytes`.
    Errors: PackedError and its subclasses, for whatever bytes come in (docs/bundle-format.md lists them in order).
    """
    view = memoryview(data).cast("B")
    header = read_header(view, max_bytes)
    states_at = HEADER.size + header.deflated_size
    words_at = states_at + 4 * header.lanes
    structure = inflate(view[HEADER.size : states_at], header.structure_size, "packed model")
    tables, regions, skeleton = _read_directory(structure, header)
    states = np.frombuffer(view[states_at:words_at], "<u4").astype(np.uint32)
    words = np.frombuffer(view[words_at:], "<u2").astype(np.uint32)
    result = np.empty(header.tflite_size, np.uint8)
    _fill_skeleton(result, regions, skeleton)
    _fill_regions(result, tables, regions, _Decoder(states, words))
    rebuilt = result.tobytes()
    digest = hashlib.sha256(rebuilt).digest()
    if digest != header.sha256:
        raise PackedHashError(f"packed model: expected sha256 {header.sha256.hex()}, rebuilt {digest.hex()}; get the bundle again")
    return rebuilt


def geometric_values(first: float, ratio: float, entries: int) -> npt.NDArray[np.float32]:
    """float32 `[entries]`, ascending: first, first * ratio, first * ratio^2 … with both signs, and 0 between them where `entries` is
    odd. Each is the one before times `ratio` in float64, rounded to float32 at the end: multiplications that every language does
    alike, bit for bit."""
    steps = np.full(entries // 2, ratio, np.float64)
    steps[:1] = first
    with np.errstate(over="ignore"):
        above = np.multiply.accumulate(steps).astype(np.float32)
    return np.concatenate((-above[::-1], np.zeros(entries % 2, np.float32), above))


def read_header(view: memoryview, max_bytes: int = MAX_TFLITE_BYTES) -> Header:
    """The header of a packed file, after every check that needs no decoding."""
    if len(view) < HEADER.size:
        raise PackedFormatError(f"packed model: expected at least {HEADER.size} bytes, got {len(view)}")
    magic, version, zero, size, structure, deflated, lanes, words, digest = HEADER.unpack_from(view)
    if magic != MAGIC:
        raise PackedFormatError(f"packed model: expected {MAGIC!r} at byte 0, got {magic!r}")
    if version not in (PLAIN_VERSION, CODEBOOK_VERSION):
        known = f"{PLAIN_VERSION} or {CODEBOOK_VERSION}"
        raise PackedVersionError(f"packed model: expected version {known}, got {version}; use a release of the runtime that reads it")
    if zero != 0:
        raise PackedFormatError(f"packed model: expected 0 at byte 6, got {zero}")
    if size > max_bytes:
        raise PackedLimitError(f"packed model: expected at most {max_bytes} bytes of .tflite, got {size}")
    if structure > size + MAX_DIRECTORY_BYTES:
        raise PackedLimitError(f"packed model: expected at most {size + MAX_DIRECTORY_BYTES} bytes of structure, got {structure}")
    if not 1 <= lanes <= MAX_LANES:
        raise PackedLimitError(f"packed model: expected 1 to {MAX_LANES} lanes, got {lanes}")
    expected = HEADER.size + deflated + 4 * lanes + 2 * words
    if len(view) != expected:
        raise PackedFormatError(f"packed model: expected {expected} bytes in all, got {len(view)}")
    return Header(version, size, structure, deflated, lanes, words, digest)


def inflate(deflated: memoryview, size: int, what: str) -> bytes:
    """Raw DEFLATE of exactly `size` bytes that uses all of its input; `what` it is the structure of begins an error's message.
    Error: PackedStreamError."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # One byte more than expected, so that a stream that is too long is seen without being expanded.
        structure = inflater.decompress(deflated, size + 1)
    except zlib.error as error:
        raise PackedStreamError(f"{what}: the structure does not inflate ({error}); get the bundle again") from None
    if len(structure) != size or not inflater.eof or inflater.unused_data:
        raise PackedStreamError(f"{what}: expected a structure of {size} bytes in {len(deflated)}, it does not end there")
    return structure


class _Fields:
    """Reads arrays of little-endian integers off the front of the structure."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, dtype: str, count: int) -> npt.NDArray[np.int64]:
        return self.view(dtype, count).astype(np.int64)

    def view(self, dtype: str, count: int) -> npt.NDArray[Any]:
        """The same in their own type, where they lie."""
        end = self.at + count * np.dtype(dtype).itemsize
        if end > len(self.data):
            raise PackedFormatError(f"packed model: the directory ends at byte {len(self.data)}, its fields go on to {end}")
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at = end
        return values


def _read_directory(structure: bytes, header: Header) -> tuple[list[Table], list[AnyRegion], memoryview]:
    fields = _Fields(structure)
    table_count, region_count = fields.take("<u4", 2).tolist()
    if table_count > MAX_TABLES or region_count > MAX_REGIONS:
        raise PackedLimitError(
            f"packed model: expected at most {MAX_TABLES} tables and {MAX_REGIONS} regions, got {table_count} and {region_count}"
        )
    tables = [_read_table(fields, index) for index in range(table_count)]
    gaps, counts = fields.take("<u4", region_count).tolist(), fields.take("<u4", region_count).tolist()
    kinds = fields.take("u1", region_count).tolist()
    regions: list[AnyRegion] = []
    end = 0
    for index, (gap, count, kind) in enumerate(zip(gaps, counts, kinds, strict=True)):
        with_codebook = header.version >= CODEBOOK_VERSION and kind in (LISTED, GEOMETRIC)
        if count < 1 or not (1 <= kind <= MAX_WIDTH or with_codebook):
            raise PackedFormatError(
                f"packed model: region {index}: expected a count from 1 and a width of 1 to {MAX_WIDTH}, got {count}, {kind}"
            )
        if with_codebook:
            regions.append(_read_codebook_region(fields, index, end + gap, count, kind, table_count))
        else:
            regions.append(Region(end + gap, count, kind, _read_tables(fields, index, kind, table_count)))
        end += gap + count * regions[-1].width
    skeleton = memoryview(structure)[fields.at :]
    coded = sum(region.count * region.width for region in regions)
    if end > header.tflite_size or len(skeleton) != header.tflite_size - coded:
        raise PackedFormatError(
            f"packed model: expected regions within {header.tflite_size} bytes and the rest in the skeleton, "
            f"got regions to {end}, {coded} bytes in them and {len(skeleton)} in the skeleton"
        )
    return tables, regions, skeleton


def _read_tables(fields: _Fields, region: int, count: int, table_count: int) -> tuple[int, ...]:
    return tuple(_view_tables(fields, region, count, table_count).tolist())


def _view_tables(fields: _Fields, region: int, count: int, table_count: int) -> npt.NDArray[np.uint16]:
    used = fields.view("<u2", count)
    if count and int(used.max()) >= table_count:
        raise PackedFormatError(f"packed model: region {region}: expected tables below {table_count}, got {used.max()}")
    return used


def _read_codebook_region(fields: _Fields, index: int, offset: int, count: int, kind: int, table_count: int) -> CodebookRegion:
    entries, low_bits = int(fields.take("<u2", 1)[0]), int(fields.take("u1", 1)[0])
    groups = (entries - 1 >> low_bits) + 1
    if not 1 <= entries <= MAX_ENTRIES or low_bits > MAX_LOW_BITS or groups > 256:
        raise PackedFormatError(
            f"packed model: region {index}: expected 1 to {MAX_ENTRIES} entries, at most {MAX_LOW_BITS} low bits and 256 values of the "
            f"bits above, got {entries} entries and {low_bits} low bits"
        )
    (high,) = _read_tables(fields, index, 1, table_count)
    low = _view_tables(fields, index, groups if low_bits else 0, table_count).data  # up to 256 a region: left where they lie
    if kind == LISTED:
        return CodebookRegion(offset, count, entries, low_bits, high, low, fields.view("<u4", entries))
    first, ratio = fields.view("<f8", 2).tolist()
    if not (0 < first < math.inf and 1 <= ratio < math.inf):
        raise PackedFormatError(f"packed model: region {index}: expected a first value above 0 and a ratio from 1, got {first}, {ratio}")
    return CodebookRegion(offset, count, entries, low_bits, high, low, (first, ratio))


def _read_table(fields: _Fields, index: int) -> Table:
    size = int(fields.take("<u2", 1)[0])
    if not 1 <= size <= 256:
        raise PackedFormatError(f"packed model: table {index}: expected 1 to 256 symbols, got {size}")
    values, frequencies = fields.take("u1", size), fields.take("<u2", size)
    if np.any(np.diff(values) <= 0):
        raise PackedFormatError(f"packed model: table {index}: expected ascending, distinct symbols")
    if frequencies.min() < 1 or frequencies.sum() != TABLE_TOTAL:
        raise PackedFormatError(
            f"packed model: table {index}: expected frequencies from 1 that sum to {TABLE_TOTAL}, got {frequencies.sum()}"
        )
    return Table(values.astype(np.uint8), frequencies.astype(np.uint32))


def _fill_skeleton(result: Bytes, regions: list[AnyRegion], skeleton: memoryview) -> None:
    source = np.frombuffer(skeleton, np.uint8)
    taken = end = 0
    for region in regions:
        gap = region.offset - end
        result[end : region.offset] = source[taken : taken + gap]
        taken += gap
        end = region.offset + region.count * region.width
    result[end:] = source[taken:]


def _fill_regions(result: Bytes, tables: list[Table], regions: list[AnyRegion], decoder: _Decoder) -> None:
    """Planes, and the high parts of indices, come table by table; within a table by region, within a region by the plane's number.
    Behind all of these come the low parts."""
    planes: list[list[Bytes]] = [[] for _ in tables]
    coded = [(region, np.empty(region.count, np.uint8)) for region in regions if isinstance(region, CodebookRegion)]
    highs = iter(coded)
    for region in regions:
        if isinstance(region, CodebookRegion):
            planes[region.high].append(next(highs)[1])
        else:
            end = region.offset + region.count * region.width
            for number, table in enumerate(region.tables):
                planes[table].append(result[region.offset + number : end : region.width])
    for model, targets in zip(tables, planes, strict=True):
        symbols = decoder.run(model, sum(len(target) for target in targets))
        start = 0
        for target in targets:
            target[:] = symbols[start : start + len(target)]
            start += len(target)
    lows, starts = _low_parts(tables, coded, decoder)
    decoder.finish()
    for book, high in coded:
        _fill_from_codebook(result, book, high, lows, starts)


def _low_parts(tables: list[Table], coded: list[tuple[CodebookRegion, Bytes]], decoder: _Decoder) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """The low parts of all indices, table by table, and where each table's begin. Within a table they come by region, within a region
    in the order of its values."""
    counts = np.zeros(len(tables), np.int64)
    for region, high in coded:
        if int(high.max()) >= region.groups:
            raise PackedStreamError(f"packed model: expected indices below {region.entries} at byte {region.offset}, got a higher one")
        if region.low_bits:
            np.add.at(counts, np.asarray(region.low), np.bincount(high, minlength=region.groups))
    starts = np.cumsum(counts) - counts
    lows = np.empty(int(counts.sum()), np.uint8)
    for table in np.flatnonzero(counts).tolist():
        lows[starts[table] : starts[table] + counts[table]] = decoder.run(tables[table], int(counts[table]))
    return lows, starts


def _fill_from_codebook(result: Bytes, region: CodebookRegion, high: Bytes, lows: Bytes, starts: npt.NDArray[np.int64]) -> None:
    """The region's floats. `starts` moves on by what is taken from `lows`. In chunks, so that what is held beside stays small."""
    values, table_of = region.values(), np.asarray(region.low)
    for begin in range(0, region.count, _CHUNK):
        indices = high[begin : begin + _CHUNK].astype(np.intp)
        if region.low_bits:
            tables = table_of.take(indices)
            order = np.argsort(tables, kind="stable")  # those of one table side by side, in their order: as they lie in `lows`
            counts = np.bincount(tables, minlength=len(starts))
            low = lows.take(np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(len(order)))
            starts += counts
            if int(low.max()) >> region.low_bits:
                raise PackedStreamError(
                    f"packed model: expected low parts of {region.low_bits} bits at byte {region.offset}, got {int(low.max())}"
                )
            indices <<= region.low_bits
            indices[order] |= low
        if int(indices.max()) >= region.entries:
            raise PackedStreamError(
                f"packed model: expected indices below {region.entries} at byte {region.offset}, got {int(indices.max())}"
            )
        at = region.offset + 4 * begin
        result[at : at + 4 * len(indices)] = values.take(indices).view(np.uint8)


class _Decoder:
    """Interleaved rANS: symbol i of a run belongs to lane i mod L. In each step every lane decodes one symbol; then the
    lanes whose state fell below 2^16 take one 16-bit word each, in the order of the lanes."""

    def __init__(self, states: npt.NDArray[np.uint32], words: npt.NDArray[np.uint32]) -> None:
        if int(states.min()) < LOWEST_STATE:
            raise PackedStreamError(f"packed model: expected coder states from {LOWEST_STATE}, got {int(states.min())}")
        self._states = states
        self._words = words
        self._position = 0
        self._steps = 0

    def run(self, table: Table, count: int) -> Bytes:
        """The next `count` symbols, coded by `table`."""
        if len(table.values) == 1:  # costs no bits and moves no state
            return np.full(count, table.values[0], np.uint8)
        lanes = len(self._states)
        self._steps += -(-count // lanes)
        if self._steps > MAX_STEPS:
            raise PackedLimitError(f"packed model: expected at most {MAX_STEPS} steps of {lanes} lanes; pack it with more lanes")
        symbols = np.empty(count, np.uint8)
        slots = self._slots(table)
        whole = count - count % lanes
        for start in range(0, whole, lanes):
            self._step(self._states, symbols[start : start + lanes], slots)
        if count % lanes:
            self._step(self._states[: count % lanes], symbols[whole:], slots)
        return symbols

    @staticmethod
    def _slots(table: Table) -> tuple[Bytes, npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
        """For each of the 4096 slots its symbol, the symbol's frequency, and the slot's place within the symbol."""
        first = np.cumsum(table.frequencies) - table.frequencies
        frequencies = np.repeat(table.frequencies, table.frequencies)
        places = np.arange(TABLE_TOTAL, dtype=np.uint32) - np.repeat(first, table.frequencies).astype(np.uint32)
        return np.repeat(table.values, table.frequencies), frequencies, places

    def _step(
        self, states: npt.NDArray[np.uint32], symbols: Bytes, slots: tuple[Bytes, npt.NDArray[np.uint32], npt.NDArray[np.uint32]]
    ) -> None:
        """x' = f(s) * floor(x / 4096) + slot - first(s), slot = x mod 4096; no step can pass 2^32."""
        values, frequencies, places = slots
        slot = np.bitwise_and(states, _SLOT_MASK).astype(np.intp)
        values.take(slot, out=symbols, mode="clip")  # "clip" skips the bounds check; a slot is always in bounds
        np.right_shift(states, _SLOT_BITS, out=states)
        np.multiply(states, frequencies.take(slot, mode="clip"), out=states)
        np.add(states, places.take(slot, mode="clip"), out=states)
        low = np.flatnonzero(states < _LOWEST)
        end = self._position + low.size
        if end > len(self._words):
            raise PackedStreamError(f"packed model: the {len(self._words)} coded words end too early")
        states[low] = (states.take(low) << _WORD_BITS) | self._words[self._position : end]
        self._position = end

    def finish(self) -> None:
        """A whole stream leaves no word over and every lane where the encoder began."""
        if self._position != len(self._words) or np.any(self._states != _LOWEST):
            raise PackedStreamError(
                f"packed model: {self._position} of {len(self._words)} coded words used, or a coder ends in a wrong state"
            )


_SLOT_MASK = np.uint32(TABLE_TOTAL - 1)
_SLOT_BITS = np.uint32(PROBABILITY_BITS)
_LOWEST = np.uint32(LOWEST_STATE)
_WORD_BITS = np.uint32(16)
