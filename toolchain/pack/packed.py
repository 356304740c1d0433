"""Packs a .tflite: cuts out its constants, codes them by their entropy, deflates the rest (docs/bundle-format.md).

Deep Compression (Han, Mao, Dally, ICLR 2016), section 4, codes the indices of shared weights by Huffman's method. Here
rANS (arXiv:1311.2540) does it, within 1 % of the entropy for sparse and binary weights too, where a Huffman code spends
at least a bit on every weight.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from runtime_py import packed
from runtime_py.errors import PackedError
from runtime_py.packed import AnyRegion, CodebookRegion, Region, Table
from toolchain.errors import ConversionError

_WIDTHS = {
    schema.TensorType.INT8: 1,
    schema.TensorType.UINT8: 1,
    schema.TensorType.FLOAT16: 2,
    schema.TensorType.FLOAT32: 4,
    schema.TensorType.INT32: 4,
}
BUFFER_DATA = 4
"""vtable offset of the data of a buffer, its first field."""
_SCALES = 8
"""The same of the scales of a quantization."""
_LEAST_BYTES = 64
"""A shorter constant stays in the skeleton: its entry in the directory would cost more than coding it saves."""
_SYMBOLS_A_LANE = 768
_CODED_BYTES_A_LANE = 192
_MOST_STEPS = 2048
_LEAST_LANES = 16
"""Each lane costs about 3 bytes that carry nothing, each step of all lanes about 10 microseconds in numpy. So: a lane for 768
symbols, which decodes 500,000 weights in about 9 ms; fewer where the weights take few bits, so that lanes stay near 1.5 % of what
they code; but never so few that it takes longer than about 20 ms."""
_BIT = 1 << 16
"""Lengths of codes are counted in 1/65536 bit, as integers: sums and comparisons come out the same on every machine."""
_SYMBOL_COST = 12 * _BIT
"""What a symbol of a table costs in the directory: 1 byte of value and 2 of frequency, deflated by half."""

Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TiedTensor:
    """Where an encoded tensor lies in a .tflite: its int8 `codes`, in TFLite's order, start at byte `offset`."""

    offset: int
    codes: npt.NDArray[np.int8]

    def content(self) -> bytes:
        """What the file holds there."""
        return self.codes.tobytes()


@dataclass(frozen=True, eq=False)
class TiedCodebook:
    """Where a float tensor of few values lies in a .tflite: `values[indices]`, in TFLite's order, starts at byte `offset`. `values`
    float32 `[K]`, K from 1 to 4096; `indices` uint16. `geometric`: (first, ratio) where `values` are `packed.geometric_values` of it."""

    offset: int
    values: npt.NDArray[np.float32]
    indices: npt.NDArray[np.uint16]
    geometric: tuple[float, float] | None = None

    def content(self) -> bytes:
        """What the file holds there."""
        return self.values[self.indices].tobytes()


Tied = TiedTensor | TiedCodebook


def pack(tflite: bytes, tied: Mapping[str, Tied]) -> bytes:
    """The packed form of `tflite`; `runtime_py.packed.unpack` gives the same bytes back, which is checked here.

    `tied` names every tensor that was encoded: its codes must be where it says, so that what is stored is what was
    encoded. The same input gives the same bytes. Error: ConversionError.
    """
    if len(tflite) > packed.MAX_TFLITE_BYTES:
        raise ConversionError(f"expected a .tflite of at most {packed.MAX_TFLITE_BYTES} bytes to pack, got {len(tflite)}")
    for name, tensor in tied.items():
        content = tensor.content()
        if tflite[tensor.offset : tensor.offset + len(content)] != content:
            raise ConversionError(
                f"{name}: expected its {len(content)} bytes at byte {tensor.offset} of the .tflite; tie the file that is packed"
            )
    spans = _spans(tflite, tied)
    tables, choice = _share_tables([plane for span in spans for plane in span.planes])
    chosen = iter(choice)
    regions = [span.region([next(chosen) for _ in span.planes]) for span in spans]
    states, words = _encode(_runs(tables, spans, regions))
    result = _assemble(tflite, tables, regions, states, words)
    try:
        packed.unpack(result)  # it checks what it rebuilds by the hash in the header
    except PackedError as error:
        raise ConversionError(f"the packed form does not rebuild the .tflite: {error}") from None
    return result


class _PlainSpan:
    """Values of `width` bytes that are cut out. `planes` are what tables are chosen for: byte k of each value."""

    def __init__(self, tflite: bytes, offset: int, count: int, width: int) -> None:
        self.offset, self.count, self.width = offset, count, width
        values = np.frombuffer(tflite, np.uint8, count * width, offset).reshape(count, width)
        self.planes = [np.ascontiguousarray(values[:, number]) for number in range(width)]

    def region(self, tables: list[int]) -> Region:
        return Region(self.offset, self.count, self.width, tuple(tables))

    def first_parts(self) -> list[Bytes]:
        return self.planes


class _CodebookSpan:
    """Floats of a codebook that are cut out. `planes` are what tables are chosen for: the high parts of all indices, then of each high
    part that occurs the low parts that go with it."""

    width = 4

    def __init__(self, tensor: TiedCodebook) -> None:
        self.offset, self.count = tensor.offset, tensor.indices.size
        values, indices = tensor.values, tensor.indices.astype(np.int64)
        self.geometric = tensor.geometric
        if self.geometric is None:
            used, indices = np.unique(indices, return_inverse=True)
            values = values[used]
        self.values = values
        # Half of the bits each: of the splits that were tried on weights of 9 to 12 bits the one with the least bytes, tables included.
        self.low_bits = 0 if len(values) <= 256 else (len(values) - 1).bit_length() // 2
        self.high, self.low = (indices >> self.low_bits).astype(np.uint8), (indices & (1 << self.low_bits) - 1).astype(np.uint8)
        self.parts = np.unique(self.high) if self.low_bits else np.zeros(0, np.uint8)
        self.planes = [self.high, *(self.low[self.high == part] for part in self.parts)]

    def region(self, tables: list[int]) -> CodebookRegion:
        low = np.zeros((len(self.values) - 1 >> self.low_bits) + 1 if self.low_bits else 0, np.int64)
        low[self.parts] = tables[1:]
        held = self.values.view(np.uint32) if self.geometric is None else self.geometric
        return CodebookRegion(self.offset, self.count, len(self.values), self.low_bits, tables[0], tuple(low.tolist()), held)

    def first_parts(self) -> list[Bytes]:
        return [self.high]


_Span = _PlainSpan | _CodebookSpan


def _spans(tflite: bytes, tied: Mapping[str, Tied]) -> list[_Span]:
    """What is cut out: tied tensors, other constants and channel scales, in file order."""
    found: dict[int, _Span] = {}
    for tied_tensor in tied.values():
        if isinstance(tied_tensor, TiedCodebook):
            found[tied_tensor.offset] = _of_codebook(tflite, tied_tensor)
        else:
            found[tied_tensor.offset] = _PlainSpan(tflite, tied_tensor.offset, tied_tensor.codes.size, 1)
    model = schema.Model.GetRootAs(tflite, 0)
    for g in range(model.SubgraphsLength()):
        graph = model.Subgraphs(g)
        for t in range(graph.TensorsLength()):
            tensor = graph.Tensors(t)
            for offset, size, width in (*_constant(model, tensor), *_scales(tensor)):
                if size >= _LEAST_BYTES and offset not in found:
                    found[offset] = _PlainSpan(tflite, offset, size // width, width)
    spans, end = [], 0
    for offset, span in sorted(found.items()):
        if span.count and offset >= end:
            spans.append(span)
            end = offset + span.count * span.width
    return spans


def _of_codebook(tflite: bytes, tensor: TiedCodebook) -> _Span:
    """The span of a codebook, or of plain floats where that costs less: few weights of many values."""
    book, plain = _CodebookSpan(tensor), _PlainSpan(tflite, tensor.offset, tensor.indices.size, 4)
    listed = 0 if book.geometric else 32 * _BIT * len(book.values)
    costs = [sum(int(_bits(np.bincount(plane, minlength=256)[None])[0]) for plane in span.planes) for span in (book, plain)]
    return book if tensor.indices.size and costs[0] + listed <= costs[1] else plain


def _constant(model: schema.Model, tensor: schema.Tensor) -> list[tuple[int, int, int]]:
    """(offset, bytes, bytes a value) of the tensor's data in the file, if it is a constant of a type that is coded."""
    buffer = model.Buffers(tensor.Buffer())
    if tensor.Type() not in _WIDTHS or buffer.DataIsNone():
        return []
    return [(position(buffer, BUFFER_DATA), buffer.DataLength(), _WIDTHS[tensor.Type()])]


def _scales(tensor: schema.Tensor) -> list[tuple[int, int, int]]:
    quantization = tensor.Quantization()
    if quantization is None or quantization.ScaleIsNone():
        return []
    return [(position(quantization, _SCALES), 4 * quantization.ScaleLength(), 4)]


def position(table: Any, field: int) -> int:
    """Byte offset in the file of the vector in `field` (a vtable offset) of a flatbuffer table."""
    return int(table._tab.Vector(table._tab.Offset(field)))


def _share_tables(planes: list[Bytes]) -> tuple[list[Table], list[int]]:
    """Tables, and for each plane the one that codes it.

    Planes of like statistics share a table, since a table costs bytes too. Greedy, largest plane first: each joins the
    table that this makes cheapest, or starts its own.
    """
    counts = [np.bincount(plane, minlength=256) for plane in planes]
    choice = [0] * len(planes)
    totals = np.zeros((0, 256), np.int64)
    for index in sorted(range(len(planes)), key=lambda index: -len(planes[index])):
        joined = totals + counts[index]
        growth = np.append(_bits(joined) - _bits(totals), _bits(counts[index][None, :]))
        best = int(np.argmin(growth))
        totals = np.vstack([totals, counts[index]]) if best == len(totals) else totals
        if best < len(joined):
            totals[best] = joined[best]
        choice[index] = best
    if len(totals) > packed.MAX_TABLES:
        raise ConversionError(f"packing needs {len(totals)} tables, expected at most {packed.MAX_TABLES}")
    return [_table(total) for total in totals], choice


def _bits(counts: Counts) -> Counts:
    """What coding `counts` `[N, 256]` takes, table included, for each row: n * H0 + cost of its symbols."""
    lengths = _log2(counts.sum(axis=1, keepdims=True)) - _log2(counts)
    return (counts * lengths).sum(axis=1) + _SYMBOL_COST * (counts > 0).sum(axis=1)


def _log2(numbers: npt.NDArray[Any]) -> Counts:
    """log2 of each number, 0 for 0, in units of 1/65536."""
    return np.rint(np.log2(np.maximum(numbers, 1)) * _BIT).astype(np.int64)


def _table(counts: Counts) -> Table:
    """Frequencies in proportion to `counts`, each at least 1, that sum to exactly 4096. Integers only, so that every
    machine makes the same table."""
    values = np.flatnonzero(counts)
    held, total = counts[values], int(counts.sum())
    frequencies = np.maximum(held * packed.TABLE_TOTAL // total, 1)
    while (missing := packed.TABLE_TOTAL - int(frequencies.sum())) != 0:
        # Where one more (or one less) changes the length of the code the least for what it gains.
        if missing > 0:
            frequencies[np.argmax(held / frequencies)] += 1
        else:
            frequencies[np.argmin(np.where(frequencies > 1, held / frequencies, np.inf))] -= 1
    return Table(values.astype(np.uint8), frequencies.astype(np.uint32))


def _runs(tables: list[Table], spans: list[_Span], regions: list[AnyRegion]) -> list[tuple[Table, Bytes]]:
    """What is coded, in the order in which it is decoded: for each table all of its planes in one run, then for each table the low parts
    that it codes."""
    first: list[list[Bytes]] = [[] for _ in tables]
    second: list[list[Bytes]] = [[] for _ in tables]
    for span, region in zip(spans, regions, strict=True):
        used = (region.high,) if isinstance(region, CodebookRegion) else region.tables
        for table, plane in zip(used, span.first_parts(), strict=True):
            first[table].append(plane)
        if isinstance(span, _CodebookSpan) and isinstance(region, CodebookRegion) and span.low_bits:
            table_of = np.array(region.low)[span.high]
            for table in np.unique(table_of).tolist():
                second[table].append(span.low[table_of == table])
    return [(table, np.concatenate(group)) for groups in (first, second) for table, group in zip(tables, groups, strict=True) if group]


def _encode(runs: list[tuple[Table, Bytes]]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint16]]:
    """The coder states and words that the decoder starts from: rANS runs backwards, from the last symbol to the first."""
    runs = [(table, symbols) for table, symbols in runs if len(table.values) > 1]
    lanes = _lanes(runs)
    states = np.full(lanes, packed.LOWEST_STATE, np.uint64)
    chunks: list[npt.NDArray[np.uint16]] = []
    for table, symbols in reversed(runs):
        frequency, first = np.zeros(256, np.uint64), np.zeros(256, np.uint64)
        frequency[table.values] = table.frequencies
        first[table.values] = np.cumsum(table.frequencies) - table.frequencies
        for start in reversed(range(0, len(symbols), lanes)):
            step = symbols[start : start + lanes]
            f, x = frequency[step], states[: len(step)]
            full = x >= f << np.uint64(32 - packed.PROBABILITY_BITS)
            chunks.append(x[full].astype(np.uint16))
            x = np.where(full, x >> np.uint64(16), x)
            states[: len(step)] = ((x // f) << np.uint64(packed.PROBABILITY_BITS)) + x % f + first[step]
    words = np.concatenate(chunks[::-1]) if chunks else np.zeros(0, np.uint16)
    return states.astype(np.uint32), words


def _lanes(runs: list[tuple[Table, Bytes]]) -> int:
    symbols = sum(len(run) for _, run in runs)
    coded = 0
    for table, run in runs:
        counts = np.bincount(run, minlength=256)[table.values]
        coded += int((counts * (packed.PROBABILITY_BITS * _BIT - _log2(table.frequencies))).sum()) // (8 * _BIT)
    wanted = max(_LEAST_LANES, symbols // _MOST_STEPS, min(symbols // _SYMBOLS_A_LANE, coded // _CODED_BYTES_A_LANE))
    return min(wanted, packed.MAX_LANES)


def _assemble(
    tflite: bytes, tables: list[Table], regions: list[AnyRegion], states: npt.NDArray[np.uint32], words: npt.NDArray[np.uint16]
) -> bytes:
    parts = [struct.pack("<II", len(tables), len(regions))]
    for table in tables:
        parts += [struct.pack("<H", len(table.values)), table.values.tobytes(), table.frequencies.astype("<u2").tobytes()]
    ends = [0] + [region.offset + region.count * region.width for region in regions]
    gaps = [region.offset - end for region, end in zip(regions, ends, strict=False)]
    parts.append(np.array(gaps, "<u4").tobytes())
    parts.append(np.array([region.count for region in regions], "<u4").tobytes())
    parts.append(bytes(_kind(region) for region in regions))
    parts += [_directory_entry(region) for region in regions]
    parts += [tflite[end : end + gap] for end, gap in zip(ends, gaps, strict=False)]
    parts.append(tflite[ends[-1] :])
    structure = b"".join(parts)
    deflated = deflate(structure)
    sizes = (len(tflite), len(structure), len(deflated), len(states), len(words))
    with_codebook = any(isinstance(region, CodebookRegion) for region in regions)
    version = packed.CODEBOOK_VERSION if with_codebook else packed.PLAIN_VERSION
    header = packed.HEADER.pack(packed.MAGIC, version, 0, *sizes, hashlib.sha256(tflite).digest())
    return header + deflated + states.astype("<u4").tobytes() + words.astype("<u2").tobytes()


def deflate(structure: bytes) -> bytes:
    """Raw DEFLATE at its best, as `packed.inflate` reads it."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    return deflater.compress(structure) + deflater.flush()


def _kind(region: AnyRegion) -> int:
    if isinstance(region, Region):
        return region.width
    return packed.GEOMETRIC if isinstance(region.codebook, tuple) else packed.LISTED


def _directory_entry(region: AnyRegion) -> bytes:
    """What the directory holds of a region behind its gap, count and kind."""
    if isinstance(region, Region):
        return np.array(region.tables, "<u2").tobytes()
    start = struct.pack("<HBH", region.entries, region.low_bits, region.high) + np.array(region.low, "<u2").tobytes()
    if isinstance(region.codebook, tuple):
        return start + struct.pack("<dd", *region.codebook)
    return start + region.codebook.astype("<u4").tobytes()
