"""The container of a bundle: the one zip layout that is allowed, byte for byte (docs/bundle-format.md).

Writer and reader make headers by the same functions, and the reader compares: whatever could differ between two zip
readers (names given twice, sizes that disagree, data between members, compression, flags, comments) differs from the
one form and is refused.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Mapping

from runtime_py.errors import BundleContainerError, BundleHashError
from runtime_py.manifest import PATH

MANIFEST = "manifest.json"
ALIGNMENT = 16384
"""A blob starts on a page: Android 15 has pages of 16 KB."""
MAX_BUNDLE_BYTES = 1 << 30
MAX_MEMBERS = 4096
MAX_MANIFEST_BYTES = 8 << 20

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_VERSION = 10  # of the zip specification: stored members, no folders
_TIME, _DATE = 0, 0x21  # 1980-01-01, 00:00:00
_PADDING_ID = 0xD935  # the extra field that Android's zipalign pads with
_SEAL = b"sha256:"
SEAL_BYTES = len(_SEAL) + 64
LEAST_BYTES = _END.size + SEAL_BYTES


def seal(content: bytes) -> bytes:
    """The zip comment that closes a bundle: the sha256 of every byte before it."""
    return _SEAL + hashlib.sha256(content).hexdigest().encode()


def layout(members: Mapping[str, bytes]) -> bytes:
    """The bundle of `members`: manifest.json first, the others in the order of their names, sealed."""
    names = [MANIFEST, *sorted(name for name in members if name != MANIFEST)]
    parts: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for name in names:
        content = members[name]
        checksum = zlib.crc32(content)
        header = local_header(name, checksum, len(content), offset)
        directory.append(central_header(name, checksum, len(content), offset))
        parts += [header, content]
        offset += len(header) + len(content)
    content = b"".join(parts + directory) + end_record(len(names), sum(map(len, directory)), offset)
    return content + seal(content)


def local_header(name: str, checksum: int, size: int, offset: int) -> bytes:
    """The header at `offset` before a member's data, padded so that the data of a blob is aligned."""
    encoded = name.encode("ascii")
    extra = b"" if name == MANIFEST else _padding(offset + _LOCAL.size + len(encoded))
    fields = _LOCAL.pack(b"PK\x03\x04", _VERSION, 0, 0, _TIME, _DATE, checksum, size, size, len(encoded), len(extra))
    return fields + encoded + extra


def _padding(start: int) -> bytes:
    """An extra field of zeros that moves the next byte from `start` up to a multiple of ALIGNMENT."""
    length = -start % ALIGNMENT
    if length == 0:
        return b""
    if length < 6:  # an extra field takes 4 bytes, and this one states its alignment in 2 more
        length += ALIGNMENT
    return struct.pack("<HHH", _PADDING_ID, length - 4, ALIGNMENT) + bytes(length - 6)


def central_header(name: str, checksum: int, size: int, offset: int) -> bytes:
    encoded = name.encode("ascii")
    return (
        _CENTRAL.pack(b"PK\x01\x02", _VERSION, _VERSION, 0, 0, _TIME, _DATE, checksum, size, size, len(encoded), 0, 0, 0, 0, 0, offset)
        + encoded
    )


def end_record(members: int, directory_size: int, directory_offset: int) -> bytes:
    return _END.pack(b"PK\x05\x06", 0, 0, members, members, directory_size, directory_offset, SEAL_BYTES)


def open_container(data: bytes, where: str) -> dict[str, memoryview]:
    """Members of a bundle by name, without a copy, after the seal and every byte outside the members were checked.

    Errors: BundleContainerError where it is no bundle, BundleHashError where a byte of it changed.
    """
    end_at = _check_seal(data, where)
    _, _, _, members, _, directory_size, directory_offset, _ = _END.unpack_from(data, end_at)
    if not 1 <= members <= MAX_MEMBERS:
        raise _wrong(where, f"1 to {MAX_MEMBERS} members", members)
    end = end_record(members, directory_size, directory_offset)
    if directory_offset + directory_size != end_at or data[end_at : end_at + _END.size] != end:
        raise _wrong(where, f"a directory that ends at byte {end_at}", f"{directory_size} bytes from {directory_offset}")
    view = memoryview(data)
    result: dict[str, memoryview] = {}
    at, offset, last = directory_offset, 0, ""
    for _ in range(members):
        name, size = _directory_entry(data, at, end_at, where)
        if (name == MANIFEST) != (not result) or name <= last:
            raise _wrong(where, f"{MANIFEST} first and then each name once, in order", repr(name))
        start, at = _check_member(data, name, size, offset, at, directory_offset, where)
        result[name] = view[start : start + size]
        offset, last = start + size, "" if name == MANIFEST else name
    if at != end_at or offset != directory_offset:
        raise _wrong(where, f"members that end at byte {directory_offset} and a directory that ends at {end_at}", f"{offset} and {at}")
    return result


def _check_seal(data: bytes, where: str) -> int:
    """Where the end record starts, once the file's own hash is right."""
    if len(data) > MAX_BUNDLE_BYTES:
        raise _wrong(where, f"at most {MAX_BUNDLE_BYTES} bytes", len(data))
    if data.startswith(b"version https://git-lfs"):
        raise BundleContainerError(f"{where}: expected a bundle (.pface), got a Git LFS pointer; run git lfs pull")
    end_at = len(data) - LEAST_BYTES
    if end_at < 0 or data[end_at : end_at + 4] != b"PK\x05\x06" or data[end_at + _END.size :][: len(_SEAL)] != _SEAL:
        raise _wrong(where, "a zip that ends in its sha256", f"{len(data)} bytes that do not, starting {data[:4]!r}")
    content = memoryview(data)[: end_at + _END.size]
    digest = hashlib.sha256(content).hexdigest()
    stated = data[-64:].decode("latin-1")
    if stated != digest:
        raise BundleHashError(
            f"{where}: expected sha256 {ascii(stated)[1:-1]} as the file ends, got {digest}; it was changed or damaged, get it again"
        )
    return end_at


def _directory_entry(data: bytes, at: int, end: int, where: str) -> tuple[str, int]:
    """Name and size that the directory entry at `at` states; that all the rest is as it must be is checked afterwards."""
    if at + _CENTRAL.size > end:
        raise _wrong(where, f"a directory entry at byte {at}", f"{end - at} bytes")
    fields = _CENTRAL.unpack_from(data, at)
    size, name_length = fields[9], fields[10]
    name = data[at + _CENTRAL.size : min(at + _CENTRAL.size + name_length, end)].decode("latin-1")
    if len(name) > 255 or re.fullmatch(PATH, name) is None:
        raise _wrong(where, "a name of lower-case letters, digits, dots, dashes and slashes", ascii(name[:60]))
    return name, size


def _check_member(data: bytes, name: str, size: int, offset: int, at: int, limit: int, where: str) -> tuple[int, int]:
    """Where the member's data starts and where the next directory entry starts, once both headers are the allowed ones."""
    if name == MANIFEST and size > MAX_MANIFEST_BYTES:
        raise _wrong(where, f"a manifest of at most {MAX_MANIFEST_BYTES} bytes", size)
    start = offset + len(local_header(name, 0, size, offset))
    if start + size > limit:
        raise _wrong(where, f"{name} to end before byte {limit}", start + size)
    checksum = zlib.crc32(memoryview(data)[start : start + size])
    local, central = local_header(name, checksum, size, offset), central_header(name, checksum, size, offset)
    if data[offset:start] != local or data[at : at + len(central)] != central:
        raise _wrong(where, f"{name} stored at byte {start} with the headers of the one allowed form", "other headers")
    return start, at + len(central)


def _wrong(where: str, expected: str, got: object) -> BundleContainerError:
    return BundleContainerError(f"{where}: expected {expected}, got {got}; it is not a bundle (.pface) or it was damaged, get it again")
