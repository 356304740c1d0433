"""As much of an ELF file as packaging looks at (System V ABI, chapters 4 and 5; 64 bits, little-endian)."""

from __future__ import annotations

import struct

from toolchain.errors import PackagingError

MACHINES = {"arm64-v8a": 183, "x86_64": 62}
"""e_machine by Android's name of the processor: EM_AARCH64, EM_X86_64."""

_LOAD = 1


def load_alignments(library: bytes, name: str, abi: str) -> tuple[int, ...]:
    """The alignment in bytes of each segment that is loaded. Error: PackagingError where `library` is no ELF file for `abi`."""
    if len(library) < 64 or library[:6] != b"\x7fELF\2\1":
        raise PackagingError(f"{name}: expected a 64-bit ELF library, got something else")
    machine = struct.unpack_from("<H", library, 18)[0]
    if machine != MACHINES[abi]:
        raise PackagingError(f"{name}: expected a library for {abi} (e_machine {MACHINES[abi]}), got e_machine {machine}")
    start, size, count = struct.unpack_from("<Q", library, 32)[0], *struct.unpack_from("<HH", library, 54)
    headers = [start + size * number for number in range(count)]
    return tuple(struct.unpack_from("<Q", library, at + 48)[0] for at in headers if struct.unpack_from("<I", library, at)[0] == _LOAD)
