"""Zip files whose bytes follow from their entries alone: what an APK, an AAR and a jar are."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.errors import PackagingError

PAGE = 16_384
"""Android 15's largest memory page: what starts at a multiple of it can be mapped where it lies."""

_NO_TIME, _FIRST_DAY = 0, 0x0021  # 1980-01-01, the least date that a zip can state
_ALIGNMENT = 0xD935  # the extra field that zipalign and apksigner write, and keep
_STORED, _DEFLATED = 0, 8


@dataclass(frozen=True)
class Entry:
    """A file of an archive. `alignment` in bytes: its data are stored as they are and start at a multiple of it; 0: they are
    deflated."""

    name: str
    data: bytes
    alignment: int = 0


def archive(entries: Sequence[Entry]) -> bytes:
    """The zip of `entries`, in their order. Error: PackagingError where a name occurs twice."""
    names = [entry.name for entry in entries]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise PackagingError(f"{twice}: expected each file once in an archive, got it twice; rename one of them")
    body, directory = bytearray(), bytearray()
    for entry in entries:
        offset, name = len(body), entry.name.encode()
        stored = entry.alignment > 0
        data = entry.data if stored else _deflate(entry.data)
        extra = _padding(offset + 30 + len(name), entry.alignment) if stored else b""
        flags = 0 if entry.name.isascii() else 0x0800
        shared = struct.pack(
            "<HHHHIII", flags, _STORED if stored else _DEFLATED, _NO_TIME, _FIRST_DAY, zlib.crc32(entry.data), len(data), len(entry.data)
        )
        body += b"PK\3\4" + struct.pack("<H", 20) + shared + struct.pack("<HH", len(name), len(extra)) + name + extra + data
        directory += b"PK\1\2" + struct.pack("<HH", 20, 20) + shared + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, offset) + name
    end = struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(directory), len(body), 0)
    return bytes(body + directory + b"PK\5\6" + end)


def _deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


def _padding(data_offset: int, alignment: int) -> bytes:
    """The extra field that moves data from `data_offset`, where they would start without it, to a multiple of `alignment`."""
    zeros = -(data_offset + 6) % alignment
    return struct.pack("<HHH", _ALIGNMENT, 2 + zeros, alignment) + bytes(zeros)


def data_offset(file: Path, entry: zipfile.ZipInfo) -> int:
    """Where in `file` the data of `entry` start."""
    with file.open("rb") as opened:
        opened.seek(entry.header_offset + 26)
        name, extra = struct.unpack("<HH", opened.read(4))
    return entry.header_offset + 30 + name + extra


def read_entries(path: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Named files of a zip. Error: PackagingError where one is missing."""
    with zipfile.ZipFile(path) as opened:
        held = set(opened.namelist())
        found = {}
        for name in names:
            if name not in held:
                raise PackagingError(f"{path}: expected {name} in it, not found; remove the file, so that it is fetched again")
            found[name] = opened.read(name)
    return found
