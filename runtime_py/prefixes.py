"""Rebuilds the .tflite of a level from that of the whole net, byte for byte. The form: docs/bundle-format.md, "Levels".

A level of a net computes with the first channels of every layer, so each of its constants is a prefix of one of the whole net's:
the first rows, columns and so on of it. What is stored of a level says which, and holds the rest of its file, deflated.
"""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runtime_py.errors import PackedFormatError, PackedHashError, PackedLimitError, PackedVersionError
from runtime_py.packed import MAGIC, MAX_DIRECTORY_BYTES, MAX_REGIONS, MAX_TFLITE_BYTES, MAX_WIDTH, inflate

VERSION = 256
"""Of the forms that begin with MAGIC those below 256 hold a whole model: their readers say of a level that they do not know its
version."""
HEADER = struct.Struct("<4sHHIII32s32s")
"""magic, version, zero, tflite size, structure size, deflated size, sha256 of the whole net's .tflite, sha256 of the level's."""
AXES = 4
_ENTRY = struct.Struct(f"<III{AXES}I{AXES}I")
"""gap, source, width, sizes, kept."""


@dataclass(frozen=True)
class Header:
    """The fixed fields at the start of a level, checked."""

    tflite_size: int
    structure_size: int
    deflated_size: int
    whole_sha256: bytes
    sha256: bytes


@dataclass(frozen=True)
class Prefix:
    """At `offset` of the level's .tflite lie the first `kept` entries along each axis of an array of `sizes`, which lies at `source` of
    the whole net's, its last axis running fastest, with `width` bytes a value."""

    offset: int
    source: int
    width: int
    sizes: tuple[int, ...]
    kept: tuple[int, ...]

    @property
    def length(self) -> int:
        """Bytes in the level's .tflite."""
        return self.width * math.prod(self.kept)

    def cut(self, whole: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The bytes `[length]`, from those of the whole net's .tflite."""
        count = self.width * math.prod(self.sizes)
        array = whole[self.source : self.source + count].reshape(*self.sizes, self.width)
        return np.ascontiguousarray(array[tuple(slice(kept) for kept in self.kept)]).reshape(-1)


def rebuild(data: bytes | memoryview, whole: bytes, max_bytes: int = MAX_TFLITE_BYTES) -> bytes:
    """The .tflite of the level that is stored as `data`, where `whole` is the whole net's.

    Takes at most 4 * (its size) + 8 MiB, and 1 KiB for each entry, of memory beside `whole`, and the .tflite is at most `max_bytes`.
    Errors: PackedError and its subclasses, for whatever bytes come in (docs/bundle-format.md lists them in order).
    """
    view = memoryview(data).cast("B")
    header = read_header(view, max_bytes)
    digest = hashlib.sha256(whole).digest()
    if digest != header.whole_sha256:
        raise PackedHashError(f"level: expected to be cut from a model of sha256 {header.whole_sha256.hex()}, got {digest.hex()}")
    prefixes, skeleton = _read_structure(inflate(view[HEADER.size :], header.structure_size, "level"), header.tflite_size, len(whole))
    source, result = np.frombuffer(whole, np.uint8), np.empty(header.tflite_size, np.uint8)
    end = taken = 0
    for item in prefixes:
        result[end : item.offset] = skeleton[taken : taken + item.offset - end]
        taken += item.offset - end
        end = item.offset + item.length
        result[item.offset : end] = item.cut(source)
    result[end:] = skeleton[taken:]
    rebuilt = result.tobytes()
    digest = hashlib.sha256(rebuilt).digest()
    if digest != header.sha256:
        raise PackedHashError(f"level: expected sha256 {header.sha256.hex()}, rebuilt {digest.hex()}; get the bundle again")
    return rebuilt


def read_header(view: memoryview, max_bytes: int = MAX_TFLITE_BYTES) -> Header:
    """The header of a level, after every check that needs no inflating."""
    if len(view) < HEADER.size:
        raise PackedFormatError(f"level: expected at least {HEADER.size} bytes, got {len(view)}")
    magic, version, zero, size, structure, deflated, whole, digest = HEADER.unpack_from(view)
    if magic != MAGIC:
        raise PackedFormatError(f"level: expected {MAGIC!r} at byte 0, got {magic!r}")
    if version != VERSION:
        raise PackedVersionError(f"level: expected version {VERSION}, got {version}; use a release of the runtime that reads it")
    if zero != 0:
        raise PackedFormatError(f"level: expected 0 at byte 6, got {zero}")
    if size > max_bytes:
        raise PackedLimitError(f"level: expected at most {max_bytes} bytes of .tflite, got {size}")
    if structure > size + MAX_DIRECTORY_BYTES:
        raise PackedLimitError(f"level: expected at most {size + MAX_DIRECTORY_BYTES} bytes of structure, got {structure}")
    if len(view) != HEADER.size + deflated:
        raise PackedFormatError(f"level: expected {HEADER.size + deflated} bytes in all, got {len(view)}")
    return Header(size, structure, deflated, whole, digest)


def _read_structure(structure: bytes, tflite_size: int, whole_size: int) -> tuple[list[Prefix], npt.NDArray[np.uint8]]:
    """(prefixes, skeleton)."""
    count = int.from_bytes(structure[:4], "little") if len(structure) >= 4 else -1
    start = 4 + count * _ENTRY.size
    if count > MAX_REGIONS:
        raise PackedLimitError(f"level: expected at most {MAX_REGIONS} prefixes, got {count}")
    if count < 0 or start > len(structure):
        raise PackedFormatError(f"level: the structure ends at byte {len(structure)}, its entries go on to {start}")
    prefixes: list[Prefix] = []
    end = 0
    for index, (gap, source, width, *numbers) in enumerate(_ENTRY.iter_unpack(structure[4:start])):
        sizes, kept = tuple(numbers[:AXES]), tuple(numbers[AXES:])
        item = Prefix(end + gap, source, width, sizes, kept)
        fits = 1 <= width <= MAX_WIDTH and all(1 <= least <= size for least, size in zip(kept, sizes, strict=True))
        if not fits or source + width * math.prod(sizes) > whole_size:
            raise PackedFormatError(f"level: prefix {index}: expected the first entries of an array in {whole_size} bytes, got {item}")
        prefixes.append(item)
        end = item.offset + item.length
    held = len(structure) - start
    if end > tflite_size or held != tflite_size - sum(item.length for item in prefixes):
        raise PackedFormatError(f"level: expected prefixes within {tflite_size} bytes and a skeleton of the rest, got {end} and {held}")
    return prefixes, np.frombuffer(structure, np.uint8, held, start)
