"""A level is rebuilt from the whole net's model byte for byte, and whatever is not its form is refused with the page's code."""

from __future__ import annotations

import hashlib
import itertools
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest

from runtime_py import prefixes
from runtime_py.errors import PackedError
from tests.tiny_tflite import wide_and_half
from toolchain.convert import flatbuffer
from toolchain.errors import ConversionError
from toolchain.pack.prefixes import cut

WIDE, HALF = wide_and_half()
STORED = cut(HALF, WIDE)


def structure_of(stored: bytes) -> bytearray:
    return bytearray(zlib.decompress(stored[84:], -15))


def stored_with(structure: bytes, /, **changed: int | bytes) -> bytes:
    """STORED with another structure and other fields of its header, sizes and hashes otherwise as they must be."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = deflater.compress(structure) + deflater.flush()
    fields: dict[str, int | bytes] = {
        "magic": b"PFPK", "version": 256, "zero": 0, "size": len(HALF), "structure": len(structure), "deflated": len(deflated),
        "whole": hashlib.sha256(WIDE).digest(), "level": hashlib.sha256(HALF).digest(),
    }  # fmt: skip
    return struct.pack("<4sHHIII32s32s", *{**fields, **changed}.values()) + deflated


def entry_with(number: int, value: int) -> bytes:
    """The structure with a number of its first entry changed: 0 gap, 1 source, 2 width, 3 to 6 sizes, 7 to 10 kept."""
    structure = structure_of(STORED)
    struct.pack_into("<I", structure, 4 + 4 * number, value)
    return bytes(structure)


def crafted() -> Iterator[tuple[str, str, bytes]]:
    """(what is wrong, its code, the bytes), to be rebuilt from WIDE; the Java SDK's tests read them too."""
    structure = bytes(structure_of(STORED))
    yield "nothing", "accepted", STORED
    yield "too short for a header", "packed.format", STORED[:83]
    yield "another magic", "packed.format", stored_with(structure, magic=b"PFPX")
    yield "the version of a whole model", "packed.version", stored_with(structure, version=1)
    yield "a later version", "packed.version", stored_with(structure, version=257)
    yield "no zero at byte 6", "packed.format", stored_with(structure, zero=1)
    yield "a size past the limit", "packed.limit", stored_with(structure, size=(64 << 20) + 1)
    yield "a structure past the limit", "packed.limit", stored_with(structure, structure=len(HALF) + (4 << 20) + 1)
    yield "a byte too many", "packed.format", STORED + b"\0"
    yield "a byte too few", "packed.format", STORED[:-1]
    yield "of another whole net", "packed.hash", stored_with(structure, whole=bytes(32))
    yield "a structure that is longer than stated", "packed.stream", stored_with(structure, structure=len(structure) - 1)
    yield "a structure that is shorter than stated", "packed.stream", stored_with(structure, structure=len(structure) + 1)
    yield "no DEFLATE stream", "packed.stream", stored_with(structure, deflated=9)[:84] + b"\xff" * 9
    yield "an empty structure", "packed.format", stored_with(b"")
    yield "more prefixes than allowed", "packed.limit", stored_with(struct.pack("<I", 65537) + structure[4:])
    yield "more prefixes than there are", "packed.format", stored_with(struct.pack("<I", 65536) + structure[4:])
    yield "a width of 0", "packed.format", stored_with(entry_with(2, 0))
    yield "a width of 9", "packed.format", stored_with(entry_with(2, 9))
    yield "more kept than there is", "packed.format", stored_with(entry_with(10, 1 << 20))
    yield "nothing kept", "packed.format", stored_with(entry_with(10, 0))
    yield "a source beyond the whole net", "packed.format", stored_with(entry_with(1, len(WIDE)))
    yield "a source whose end does not fit 32 bits", "packed.format", stored_with(entry_with(1, 2**32 - 1))
    yield (
        "sizes whose product does not fit 64 bits",
        "packed.format",
        stored_with(structure[:16] + struct.pack("<8I", *[2**32 - 1] * 8) + structure[48:]),
    )
    yield "a gap past the end", "packed.format", stored_with(entry_with(0, 2**32 - 1))
    yield "a skeleton that is too long", "packed.format", stored_with(structure + b"\0")
    yield "a skeleton that is too short", "packed.format", stored_with(structure[:-1])
    yield "another place of the whole net", "packed.hash", stored_with(entry_with(1, 0))
    yield "another level", "packed.hash", stored_with(structure, level=bytes(32))


CRAFTED = list(crafted())


def code(stored: bytes) -> str:
    try:
        prefixes.rebuild(stored, WIDE)
    except PackedError as error:
        assert "\n" not in str(error)
        return error.code
    return "accepted"


def test_a_level_is_rebuilt_as_the_page_says() -> None:
    """By the page alone, number by number: what another language would write."""
    structure = bytes(structure_of(STORED))
    (count,) = struct.unpack_from("<I", structure)
    rebuilt, at = bytearray(), 4 + 44 * count
    for number in range(count):
        gap, source, width, *numbers = struct.unpack_from("<11I", structure, 4 + 44 * number)
        sizes, kept = numbers[:4], numbers[4:]
        rebuilt += structure[at : at + gap]
        at += gap
        for index in itertools.product(*map(range, kept)):
            place = 0
            for size, step in zip(sizes, index, strict=True):
                place = place * size + step
            rebuilt += WIDE[source + width * place : source + width * (place + 1)]
    rebuilt += structure[at:]
    assert bytes(rebuilt) == HALF == prefixes.rebuild(STORED, WIDE)


def test_what_is_stored_of_a_level_holds_none_of_its_weights() -> None:
    weights = 4 * (3 * 192 + 3 + 4 * 3 + 4)
    assert len(structure_of(STORED)) == 4 + 44 * 4 + len(HALF) - weights
    assert cut(HALF, WIDE) == STORED, "the same input gives the same bytes"


@pytest.mark.parametrize(("what", "expected", "stored"), CRAFTED, ids=[what for what, _, _ in CRAFTED])
def test_every_way_to_be_wrong_has_its_code(what: str, expected: str, stored: bytes) -> None:
    assert code(stored) == expected


def test_damage_is_a_packed_error_or_harmless() -> None:
    """Bits of the stored form and, deflated anew, of its structure. What is rebuilt all the same is the level, by its hash: some bits mean
    nothing, such as how long an axis is of which only the first entry is taken."""
    random = np.random.default_rng(0)
    codes = []
    for _ in range(300):
        damaged, structure = bytearray(STORED), structure_of(STORED)
        damaged[int(random.integers(len(damaged)))] ^= 1 << int(random.integers(8))
        structure[int(random.integers(4 + 44 * 4))] ^= 1 << int(random.integers(8))
        codes += [code(bytes(damaged)), code(stored_with(bytes(structure)))]
    assert codes.count("accepted") < 60 and set(codes) >= {"packed.format", "packed.hash", "packed.stream"}


def test_weights_that_are_no_prefix_are_not_stored_twice() -> None:
    """Another net of the same shapes, and one whose operators are others."""
    model = flatbuffer.read(HALF)
    weight = next(tensor for tensor in model.subgraphs[0].tensors if tensor.name == b"000.FULLY_CONNECTED.1")
    buffer = model.buffers[weight.buffer]
    buffer.data = np.array(buffer.data, np.uint8)
    buffer.data[2] ^= 1
    with pytest.raises(
        ConversionError, match=r"000.FULLY_CONNECTED.1: expected the first \[1, 1, 3, 192\] of the whole net's \[1, 1, 6, 192\]"
    ):
        cut(flatbuffer.write(model), WIDE)
    with pytest.raises(ConversionError, match="other values"):
        cut(WIDE, HALF)
