from __future__ import annotations

import base64
import hashlib
import math
import struct
import tracemalloc
import zlib
from collections import Counter
from typing import Any

import numpy as np
import pytest

from runtime_py import packed
from runtime_py.errors import PackedError, PackedFormatError, PackedHashError, PackedLimitError, PackedStreamError, PackedVersionError
from runtime_py.packed import unpack
from tests.tiny_tflite import codebook_layers
from toolchain.pack.packed import pack


@pytest.fixture(scope="module")
def small(tflite: bytes) -> bytes:
    return pack(tflite, {})


@pytest.fixture(scope="module")
def codebooks() -> tuple[bytes, bytes]:
    """(.tflite, packed): a file of version 2."""
    content, tied = codebook_layers()
    return content, pack(content, tied)


def unpack_as_documented(data: bytes) -> bytes:
    """docs/bundle-format.md, symbol by symbol in plain Python, with nothing of runtime_py.packed: what another language would write."""
    _, version, _, size, structure_size, deflated, lanes, words, digest = struct.unpack_from("<4sHHIIIII32s", data)
    structure = zlib.decompress(data[60 : 60 + deflated], -15)
    assert len(structure) == structure_size
    states = list(struct.unpack_from(f"<{lanes}I", data, 60 + deflated))
    coded = list(struct.unpack_from(f"<{words}H", data, 60 + deflated + 4 * lanes))
    at = 0

    def field(form: str) -> tuple[Any, ...]:
        nonlocal at
        at += struct.calcsize(f"<{form}")
        return struct.unpack_from(f"<{form}", structure, at - struct.calcsize(f"<{form}"))

    table_count, region_count = field("II")
    tables = []
    for _ in range(table_count):
        (count,) = field("H")
        values, frequencies = field(f"{count}B"), field(f"{count}H")
        tables.append([(value, place, f) for value, f in zip(values, frequencies, strict=True) for place in range(f)])
    gaps, counts, kinds = field(f"{region_count}I"), field(f"{region_count}I"), field(f"{region_count}B")
    entries = []
    for kind in kinds:
        if kind <= 8:
            entries.append((field(f"{kind}H"), 0, (), []))
            continue
        assert version == 2
        entry_count, low, high = field("HBH")
        lows = field(f"{(entry_count - 1) // 2**low + 1}H") if low else ()
        if kind == 32:
            book = [field("4s")[0] for _ in range(entry_count)]
        else:
            first, ratio = field("dd")
            magnitudes = [first]
            while len(magnitudes) < entry_count // 2:
                magnitudes.append(magnitudes[-1] * ratio)
            book = [struct.pack("<f", m) for m in (*[-m for m in magnitudes[::-1]], *[0.0] * (entry_count % 2), *magnitudes)]
        entries.append(((high,), low, lows, book))
    skeleton = structure[at:]
    result = bytearray()
    # What a table codes, in order: (where its byte goes, at which place).
    first_pass: list[list[tuple[bytearray, int]]] = [[] for _ in tables]
    books = []
    for gap, count, kind, (used, low, lows, book) in zip(gaps, counts, kinds, entries, strict=True):
        result += skeleton[:gap]
        skeleton = skeleton[gap:]
        start, width = len(result), kind if kind <= 8 else 4
        result += bytes(count * width)
        if kind <= 8:
            for plane, table in enumerate(used):
                first_pass[table] += [(result, place) for place in range(start + plane, start + count * width, width)]
        else:
            highs = bytearray(count)
            first_pass[used[0]] += [(highs, place) for place in range(count)]
            books.append((start, highs, low, lows, book))
    result += skeleton

    def decode(runs: list[list[tuple[bytearray, int]]]) -> None:
        for slots, places in zip(tables, runs, strict=True):
            for number in range(0, len(places), lanes):
                step = places[number : number + lanes]
                for lane, (target, place) in enumerate(step):
                    value, within, frequency = slots[states[lane] % 4096]
                    target[place] = value
                    states[lane] = frequency * (states[lane] // 4096) + within
                for lane in range(len(step)):
                    if states[lane] < 65536:
                        states[lane] = states[lane] * 65536 + coded.pop(0)

    decode(first_pass)
    second_pass: list[list[tuple[bytearray, int]]] = [[] for _ in tables]
    low_parts = [bytearray(len(highs)) for _, highs, *_ in books]
    for (_, highs, low, lows, _), target in zip(books, low_parts, strict=True):
        for place, high in enumerate(highs) if low else ():
            second_pass[lows[high]].append((target, place))
    decode(second_pass)
    for (start, highs, low, _, book), low_part in zip(books, low_parts, strict=True):
        assert all(rest < 2**low for rest in low_part)
        indices = [high * 2**low + rest for high, rest in zip(highs, low_part, strict=True)]
        result[start : start + 4 * len(highs)] = b"".join(book[index] for index in indices)
    assert not coded and set(states) == {65536} and len(result) == size and hashlib.sha256(result).digest() == digest
    return bytes(result)


def test_it_is_rebuilt_byte_for_byte_and_as_the_page_says(tflite: bytes, small: bytes, codebooks: tuple[bytes, bytes]) -> None:
    assert len(small) < len(tflite)
    assert unpack(small) == unpack_as_documented(small) == tflite
    assert unpack(memoryview(small)) == tflite
    content, data = codebooks
    assert len(data) < len(content) / 2
    assert unpack(data) == unpack_as_documented(data) == content


WRITTEN_BY_THE_FIRST_RELEASE = base64.b85decode(
    "P)1No0RR91*8u<kuK)l5eE<Le5C8xGBme*aBajV>-#27AFQp6WEY^FoQjCe|hA8?h24-m>N1Y43V_{%mU;<(m1_nm<|7=``8M&Bs85w~h0&+l64jus!2^j?g"
    "hk%5FhK>m{7OdE?<G_gvHy*tB@M9)pIs*uvWk`oZ7~2>qmj;Aqz$7Nk%D`an;OGQWn#MGf)0i1300ufht2KZ$BgjEO$i%?RkXDqRSCW*Pk(rkQ0DT#811gi="
    "00c4w0JzB&0KyId02X}GO>7eu0AkCz-oBF<F~1(l1dFU10tA826vsRP00p230Y@4n5hExS0LZ28`Ns#e3SJtkn*5v2zZT=529ZK*V=(-4v~d0|f?V+dBsCLw"
    "wGZe>_aM|KBl?(Odc%4gysvn2`nI7K5`7Y}6BrbK6a"
)
"""Version 1: 471 bytes with a region of bytes and one of fp16-exact floats, packed before there was a second version."""


def test_a_file_of_the_first_release_is_read_byte_for_byte() -> None:
    content = unpack(WRITTEN_BY_THE_FIRST_RELEASE)
    assert hashlib.sha256(content).hexdigest() == "23900d8adf3764392fa50bea2cd67bb3528c89e98628fa2c06666920479d0bbd"
    assert content[305:465] == np.arange(40, dtype="<f4").tobytes()
    assert unpack_as_documented(WRITTEN_BY_THE_FIRST_RELEASE) == content


def test_a_file_is_of_the_second_version_only_where_it_must_be(small: bytes, codebooks: tuple[bytes, bytes]) -> None:
    assert (small[4:6], codebooks[1][4:6]) == (b"\x01\0", b"\x02\0")
    marked = small[:4] + b"\x02" + small[5:]
    assert unpack(marked) == unpack(small)


@pytest.mark.parametrize("which", ["plain", "codebooks"])
def test_every_changed_byte_gives_a_packed_error_or_the_same_model(
    which: str, tflite: bytes, small: bytes, codebooks: tuple[bytes, bytes]
) -> None:
    """Every bit of the header's numbers, and a bit of every byte behind them, or of every 17th of the longer file. The one thing that may
    change and do nothing is what a reader of DEFLATE skips, at most 7 bits behind the end of the stream."""
    content, whole, step = (tflite, small, 1) if which == "plain" else (*codebooks, 17)
    bits = [*range(8 * 28), *(8 * at + at % 8 for at in range(28, len(whole), step))]
    damaged = bytearray(whole)
    kinds: Counter[str] = Counter()
    for bit in bits:
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert unpack(bytes(damaged)) == content
            kinds["same"] += 1
        except PackedError as error:
            kinds[error.code] += 1
        damaged[bit // 8] ^= 1 << bit % 8
    assert kinds.pop("same", 0) <= 1
    assert set(kinds) == {"packed.format", "packed.version", "packed.limit", "packed.stream", "packed.hash"}


def test_cut_or_lengthened_anywhere_it_gives_a_packed_error(small: bytes) -> None:
    for size in range(len(small)):
        with pytest.raises(PackedFormatError):
            unpack(small[:size])
    with pytest.raises(PackedFormatError):
        unpack(small + b"\0")


# Crafted files: a header and a structure that are whole, and one thing wrong


def table(values: bytes, frequencies: list[int]) -> bytes:
    return struct.pack("<H", len(values)) + values + struct.pack(f"<{len(frequencies)}H", *frequencies)


ONE = table(b"\x07", [4096])
TWO = table(b"\x00\x01", [2048, 2048])


def structure(
    tables: list[bytes], regions: list[tuple[int, int, list[int]]], skeleton: bytes, counts: tuple[int, int] | None = None
) -> bytes:
    """`regions` are (gap, count, tables of the planes)."""
    columns = [struct.pack("<I", gap) for gap, _, _ in regions] + [struct.pack("<I", count) for _, count, _ in regions]
    columns += [bytes([len(used)]) for *_, used in regions] + [struct.pack("<H", one) for *_, used in regions for one in used]
    return struct.pack("<II", *(counts or (len(tables), len(regions)))) + b"".join(tables) + b"".join(columns) + skeleton


def with_codebook(kind: int, entries: int, low: int, tables: list[int], book: bytes, count: int = 2) -> bytes:
    """A structure of one region with a codebook; `tables`: that of the high parts, then those of the low ones."""
    fields = struct.pack("<II", 2, 1) + ONE + TWO + struct.pack("<IIBHB", 0, count, kind, entries, low)
    return fields + struct.pack(f"<{len(tables)}H", *tables) + book


def packed_file(
    content: bytes, size: int, states: list[int] | None = None, words: bytes = b"", result: bytes = b"", **fields: int | bytes
) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = deflater.compress(content) + deflater.flush()
    states = [65536] if states is None else states
    values = {"magic": b"PFPK", "version": 1, "zero": 0, "size": size, "structure": len(content), "deflated": len(deflated)}
    values |= {"lanes": len(states), "words": len(words) // 2, "sha256": hashlib.sha256(result).digest(), **fields}
    return struct.pack("<4sHHIIIII32s", *values.values()) + deflated + struct.pack(f"<{len(states)}I", *states) + words


GOOD = structure([ONE], [(1, 2, [0])], b"ab")


def test_a_crafted_file_is_accepted_so_that_the_cases_below_mean_something() -> None:
    assert unpack(packed_file(GOOD, 4, result=b"a\x07\x07b")) == b"a\x07\x07b"
    assert unpack(packed_file(structure([], [], b"abcd"), 4, result=b"abcd")) == b"abcd"
    assert unpack(packed_file(structure([], [], b""), 0)) == b""
    two = struct.pack("<ff", 2, 2)
    assert unpack(packed_file(LISTED, 8, version=2, result=two)) == two
    assert unpack(packed_file(GEOMETRIC, 8, version=2, result=two)) == two
    assert unpack(packed_file(IN_TWO_PARTS, 8, version=2, result=two)) == two


LISTED = with_codebook(32, 8, 0, [0], struct.pack("<8f", 0, 0, 0, 0, 0, 0, 0, 2))
GEOMETRIC = with_codebook(33, 9, 0, [0], struct.pack("<dd", 0.5, 2))  # -4, -2, -1, -0.5, 0, 0.5, 1, 2, 4: the seventh from 0 is 2
IN_TWO_PARTS = with_codebook(33, 64, 3, [0] * 9, struct.pack("<dd", 2, 1))  # 7 and 7 are index 63


CRAFTED: dict[str, tuple[type[PackedError], bytes]] = {
    "magic": (PackedFormatError, packed_file(GOOD, 4, magic=b"PK\x03\x04")),
    "version": (PackedVersionError, packed_file(GOOD, 4, version=3)),
    "reserved": (PackedFormatError, packed_file(GOOD, 4, zero=1)),
    "size past the limit": (PackedLimitError, packed_file(GOOD, packed.MAX_TFLITE_BYTES + 1)),
    "structure past the limit": (PackedLimitError, packed_file(GOOD, 4, structure=5 + packed.MAX_DIRECTORY_BYTES)),
    "no lane": (PackedLimitError, packed_file(GOOD, 4, states=[])),
    "lanes past the limit": (PackedLimitError, packed_file(GOOD, 4, states=[65536] * (packed.MAX_LANES + 1))),
    "structure longer than stated": (PackedStreamError, packed_file(GOOD, 4, structure=len(GOOD) - 1)),
    "structure shorter than stated": (PackedStreamError, packed_file(GOOD, 4, structure=len(GOOD) + 1)),
    "no fields": (PackedFormatError, packed_file(b"", 0)),
    "tables past the limit": (PackedLimitError, packed_file(structure([], [], b"", (packed.MAX_TABLES + 1, 0)), 0)),
    "regions past the limit": (PackedLimitError, packed_file(structure([], [], b"", (0, packed.MAX_REGIONS + 1)), 0)),
    "a table that is not there": (PackedFormatError, packed_file(structure([], [], b"", (1, 0)), 0)),
    "regions that are not there": (PackedFormatError, packed_file(structure([], [], b"", (0, 9)), 0)),
    "a table of no symbol": (PackedFormatError, packed_file(structure([table(b"", [])], [], b""), 0)),
    "a table of 257 symbols": (PackedFormatError, packed_file(structure([struct.pack("<H", 257) + bytes(771)], [], b""), 0)),
    "a symbol twice": (PackedFormatError, packed_file(structure([table(b"\x01\x01", [1, 4095])], [], b""), 0)),
    "symbols that fall": (PackedFormatError, packed_file(structure([table(b"\x02\x01", [1, 4095])], [], b""), 0)),
    "a frequency of zero": (PackedFormatError, packed_file(structure([table(b"\x01\x02", [0, 4096])], [], b""), 0)),
    "frequencies that sum to less": (PackedFormatError, packed_file(structure([table(b"\x01", [4095])], [], b""), 0)),
    "a region of no value": (PackedFormatError, packed_file(structure([ONE], [(0, 0, [0])], b"ab"), 2)),
    "a region of no width": (PackedFormatError, packed_file(structure([ONE], [(0, 1, [])], b"ab"), 2)),
    "a region of 9 planes": (PackedFormatError, packed_file(structure([ONE], [(0, 1, [0] * 9)], b"ab"), 11)),
    "a table number too high": (PackedFormatError, packed_file(structure([ONE], [(0, 1, [1])], b"ab"), 3)),
    "a region past the end": (PackedFormatError, packed_file(structure([ONE], [(3, 2, [0])], b"ab"), 4)),
    "a skeleton too short": (PackedFormatError, packed_file(structure([ONE], [(0, 2, [0])], b"a"), 4)),
    "a skeleton too long": (PackedFormatError, packed_file(structure([ONE], [(0, 2, [0])], b"abc"), 4)),
    "a state below 2^16": (PackedStreamError, packed_file(GOOD, 4, states=[65535])),
    "a lane that does not end where it began": (PackedStreamError, packed_file(GOOD, 4, states=[65537])),
    "a word too many": (PackedStreamError, packed_file(GOOD, 4, words=b"\0\0")),
    "a word too few": (PackedStreamError, packed_file(structure([TWO], [(0, 2, [0])], b""), 2)),
    "a codebook in a file of version 1": (PackedFormatError, packed_file(LISTED, 8)),
    "a kind that is none": (PackedFormatError, packed_file(with_codebook(34, 8, 0, [0], bytes(32)), 8, version=2)),
    "a codebook of no entry": (PackedFormatError, packed_file(with_codebook(32, 0, 0, [0], b""), 8, version=2)),
    "a codebook of 4,097 entries": (PackedFormatError, packed_file(with_codebook(33, 4097, 8, [0] * 18, bytes(16)), 8, version=2)),
    "nine low bits": (PackedFormatError, packed_file(with_codebook(33, 4096, 9, [0] * 9, bytes(16)), 8, version=2)),
    "512 high parts": (PackedFormatError, packed_file(with_codebook(33, 4096, 3, [0] * 513, bytes(16)), 8, version=2)),
    "no table for high parts": (PackedFormatError, packed_file(with_codebook(33, 9, 0, [2], struct.pack("<dd", 1, 2)), 8, version=2)),
    "no table for low parts": (PackedFormatError, packed_file(with_codebook(33, 4, 1, [0, 0, 2], bytes(16)), 8, version=2)),
    "a codebook cut short": (PackedFormatError, packed_file(with_codebook(32, 8, 0, [0], bytes(31)), 8, version=2)),
    "low tables cut short": (PackedFormatError, packed_file(with_codebook(33, 64, 3, [0] * 5, b""), 8, version=2)),
    "a first value of 0": (PackedFormatError, packed_file(with_codebook(33, 9, 0, [0], struct.pack("<dd", 0, 2)), 8, version=2)),
    "a first value that is none": (
        PackedFormatError,
        packed_file(with_codebook(33, 9, 0, [0], struct.pack("<dd", math.nan, 2)), 8, version=2),
    ),
    "a ratio below 1": (PackedFormatError, packed_file(with_codebook(33, 9, 0, [0], struct.pack("<dd", 1, 0.5)), 8, version=2)),
    "a ratio without end": (PackedFormatError, packed_file(with_codebook(33, 9, 0, [0], struct.pack("<dd", 1, math.inf)), 8, version=2)),
    "a codebook past the end": (PackedFormatError, packed_file(LISTED, 7, version=2)),
    "a high part too high": (PackedStreamError, packed_file(with_codebook(32, 7, 0, [0], bytes(28)), 8, version=2)),
    "an index too high": (PackedStreamError, packed_file(with_codebook(33, 63, 3, [0] * 9, struct.pack("<dd", 2, 1)), 8, version=2)),
    "a low part of more bits": (  # by "or" it would be index 31
        PackedStreamError,
        packed_file(with_codebook(33, 32, 2, [0] * 9, struct.pack("<dd", 2, 1)), 8, version=2, result=struct.pack("<ff", 2, 2)),
    ),
    "a low part without a word": (
        PackedStreamError,
        packed_file(with_codebook(33, 64, 3, [0] + [1] * 8, struct.pack("<dd", 2, 1)), 8, version=2),
    ),
    "another codebook": (PackedHashError, packed_file(LISTED, 8, version=2, result=struct.pack("<ff", 3, 3))),
    "magnitudes past every float": (
        PackedHashError,
        packed_file(with_codebook(33, 4096, 4, [0] * 257, struct.pack("<dd", 1, 1e300)), 8, version=2),
    ),
    "low parts past the limit of steps": (
        PackedLimitError,
        packed_file(
            with_codebook(33, 64, 3, [0] + [1] * 8, struct.pack("<dd", 2, 1), packed.MAX_STEPS + 1), 4 * packed.MAX_STEPS + 4, version=2
        ),
    ),
    "another result": (PackedHashError, packed_file(GOOD, 4, result=b"a\x07\x07c")),
    "steps past the limit": (
        PackedLimitError,
        packed_file(structure([TWO], [(0, packed.MAX_STEPS + 1, [0])], b""), packed.MAX_STEPS + 1, words=bytes(2 * 4096)),
    ),
}


@pytest.mark.parametrize("what", CRAFTED)
def test_each_thing_that_can_be_wrong_has_its_error(what: str) -> None:
    kind, data = CRAFTED[what]
    with pytest.raises(kind) as caught:
        unpack(data)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


MANY_TABLES = packed_file(structure([ONE] * packed.MAX_TABLES, [(0, 4, [packed.MAX_TABLES - 1])], b""), 4, result=b"\x07" * 4)
"""As many tables as there may be, in few bytes."""


def test_memory_stays_below_what_is_stated_whatever_a_file_says() -> None:
    """The largest file from the fewest bytes: one region of 8 planes that are all the same byte, one of indices in two parts; a deflate
    bomb; as many tables and as many regions as there may be."""
    size = 4 << 20
    bomb = packed_file(structure([ONE], [(0, size // 8, [0] * 8)], b""), size, result=b"\x07" * size)
    deflate_bomb = packed_file(bytes(64 << 20), 4, structure=1000)
    indices = with_codebook(33, 64, 3, [0] * 9, struct.pack("<dd", 2, 1), size // 4)
    codebook_bomb = packed_file(indices, size, version=2, result=struct.pack("<f", 2) * (size // 4))
    most = packed.MAX_REGIONS
    many_regions = packed_file(structure([ONE], [(0, 1, [0] * 8)] * most, b""), 8 * most, result=b"\x07" * 8 * most)
    for data, length, regions in (
        (bomb, size, 1),
        (deflate_bomb, 4, 0),
        (codebook_bomb, size, 1),
        (MANY_TABLES, 4, 1),
        (many_regions, 8 * most, most),
    ):
        tracemalloc.start()
        try:
            unpack(data)
        except PackedStreamError:
            assert data is deflate_bomb
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= 4 * length + 3 * len(data) + (8 << 20) + 2048 * regions


def test_a_caller_may_set_a_lower_limit(tflite: bytes, small: bytes) -> None:
    assert unpack(small, max_bytes=len(tflite)) == tflite
    with pytest.raises(PackedLimitError):
        unpack(small, max_bytes=len(tflite) - 1)
