from __future__ import annotations

import hashlib
import struct
import tracemalloc
import zlib
from collections import Counter

import pytest

from runtime_py import packed
from runtime_py.errors import PackedError, PackedFormatError, PackedHashError, PackedLimitError, PackedStreamError, PackedVersionError
from runtime_py.packed import unpack
from toolchain.pack.packed import pack


@pytest.fixture(scope="module")
def small(tflite: bytes) -> bytes:
    return pack(tflite, {})


def unpack_as_documented(data: bytes) -> bytes:
    """docs/bundle-format.md, symbol by symbol in plain Python, with nothing of runtime_py.packed: what another language would write."""
    _, _, _, size, structure_size, deflated, lanes, words, digest = struct.unpack_from("<4sHHIIIII32s", data)
    structure = zlib.decompress(data[60 : 60 + deflated], -15)
    assert len(structure) == structure_size
    states = list(struct.unpack_from(f"<{lanes}I", data, 60 + deflated))
    coded = list(struct.unpack_from(f"<{words}H", data, 60 + deflated + 4 * lanes))
    table_count, region_count = struct.unpack_from("<II", structure)
    at = 8
    tables = []
    for _ in range(table_count):
        (count,) = struct.unpack_from("<H", structure, at)
        values = structure[at + 2 : at + 2 + count]
        frequencies = struct.unpack_from(f"<{count}H", structure, at + 2 + count)
        tables.append([(value, place, f) for value, f in zip(values, frequencies, strict=True) for place in range(f)])
        at += 2 + 3 * count
    gaps = struct.unpack_from(f"<{region_count}I", structure, at)
    counts = struct.unpack_from(f"<{region_count}I", structure, at + 4 * region_count)
    widths = structure[at + 8 * region_count : at + 9 * region_count]
    at += 9 * region_count
    result = bytearray()
    planes: list[list[range]] = [[] for _ in tables]
    for number in range(region_count):
        used = struct.unpack_from(f"<{widths[number]}H", structure, at + 2 * sum(widths[:number]))
        skeleton = at + 2 * sum(widths) + sum(gaps[:number])
        result += structure[skeleton : skeleton + gaps[number]]
        for plane, table in enumerate(used):
            planes[table].append(range(len(result) + plane, len(result) + counts[number] * widths[number], widths[number]))
        result += bytes(counts[number] * widths[number])
    result += structure[at + 2 * sum(widths) + sum(gaps) :]
    for slots, targets in zip(tables, planes, strict=True):
        lane = 0
        places = [place for target in targets for place in target]
        for first in range(0, len(places), lanes):
            step = places[first : first + lanes]
            for lane, place in enumerate(step):
                value, within, frequency = slots[states[lane] % 4096]
                result[place] = value
                states[lane] = frequency * (states[lane] // 4096) + within
            for lane in range(len(step)):
                if states[lane] < 65536:
                    states[lane] = states[lane] * 65536 + coded.pop(0)
    assert not coded and set(states) == {65536} and len(result) == size and hashlib.sha256(result).digest() == digest
    return bytes(result)


def test_it_is_rebuilt_byte_for_byte_and_as_the_page_says(tflite: bytes, small: bytes) -> None:
    assert len(small) < len(tflite)
    assert unpack(small) == unpack_as_documented(small) == tflite
    assert unpack(memoryview(small)) == tflite


def test_every_changed_byte_gives_a_packed_error_or_the_same_model(tflite: bytes, small: bytes) -> None:
    """Every bit of the header, and a bit of every other byte. The one thing that may change and do nothing is what a reader of
    DEFLATE skips: at most 7 bits behind the end of the stream."""
    bits = [*range(8 * packed.HEADER.size), *(8 * at + at % 8 for at in range(packed.HEADER.size, len(small)))]
    damaged = bytearray(small)
    kinds: Counter[str] = Counter()
    for bit in bits:
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert unpack(bytes(damaged)) == tflite
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


def structure(
    tables: list[bytes], regions: list[tuple[int, int, list[int]]], skeleton: bytes, counts: tuple[int, int] | None = None
) -> bytes:
    """`regions` are (gap, count, tables of the planes)."""
    columns = [struct.pack("<I", gap) for gap, _, _ in regions] + [struct.pack("<I", count) for _, count, _ in regions]
    columns += [bytes([len(used)]) for *_, used in regions] + [struct.pack("<H", one) for *_, used in regions for one in used]
    return struct.pack("<II", *(counts or (len(tables), len(regions)))) + b"".join(tables) + b"".join(columns) + skeleton


def packed_file(
    content: bytes, size: int, states: list[int] | None = None, words: bytes = b"", result: bytes = b"", **fields: int | bytes
) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = deflater.compress(content) + deflater.flush()
    states = [65536] if states is None else states
    values = {"magic": b"PFPK", "version": 1, "zero": 0, "size": size, "structure": len(content), "deflated": len(deflated)}
    values |= {"lanes": len(states), "words": len(words) // 2, "sha256": hashlib.sha256(result).digest(), **fields}
    return struct.pack("<4sHHIIIII32s", *values.values()) + deflated + struct.pack(f"<{len(states)}I", *states) + words


ONE = table(b"\x07", [4096])
TWO = table(b"\x00\x01", [2048, 2048])
GOOD = structure([ONE], [(1, 2, [0])], b"ab")


def test_a_crafted_file_is_accepted_so_that_the_cases_below_mean_something() -> None:
    assert unpack(packed_file(GOOD, 4, result=b"a\x07\x07b")) == b"a\x07\x07b"
    assert unpack(packed_file(structure([], [], b"abcd"), 4, result=b"abcd")) == b"abcd"
    assert unpack(packed_file(structure([], [], b""), 0)) == b""


CRAFTED: dict[str, tuple[type[PackedError], bytes]] = {
    "magic": (PackedFormatError, packed_file(GOOD, 4, magic=b"PK\x03\x04")),
    "version": (PackedVersionError, packed_file(GOOD, 4, version=2)),
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


def test_memory_stays_below_what_is_stated_whatever_a_file_says() -> None:
    """The largest file from the fewest bytes: one region of 8 planes that are all the same byte; and a deflate bomb."""
    size = 4 << 20
    bomb = packed_file(structure([ONE], [(0, size // 8, [0] * 8)], b""), size, result=b"\x07" * size)
    deflate_bomb = packed_file(bytes(64 << 20), 4, structure=1000)
    for data in (bomb, deflate_bomb):
        tracemalloc.start()
        try:
            unpack(data)
        except PackedStreamError:
            assert data is deflate_bomb
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= 4 * size + 3 * len(data) + (8 << 20)


def test_a_caller_may_set_a_lower_limit(tflite: bytes, small: bytes) -> None:
    assert unpack(small, max_bytes=len(tflite)) == tflite
    with pytest.raises(PackedLimitError):
        unpack(small, max_bytes=len(tflite) - 1)
