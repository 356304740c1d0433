"""What may become dex: class files of Java 8 at most that name no method at run time.

dx 16 takes an invokedynamic silently into an invoke-custom that fails on a phone, and does not know later class files. So
they are looked for in the constant pool (The Java Virtual Machine Specification, 4.4) before dx sees them.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from toolchain.android.archive import Entry, archive
from toolchain.errors import PackagingError

JAVA_8 = 52
_UTF8, _LONG, _DOUBLE = 1, 5, 6
# Bytes behind the tag of each kind of constant, except Utf8, which states its own.
_BYTES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
_AT_RUN_TIME = {15: "method handle", 16: "method type", 17: "dynamic constant", 18: "invokedynamic"}

_TOOLS = "org/bytedeco/javacpp/tools/"
_TOOLS_AT_RUN_TIME = {"Logger", "Info", "InfoMap", "InfoMapper", "BuildEnabled", "Slf4jLogger"}
"""Of JavaCPP's build tools those that its other classes name; the rest needs Maven or javax.management, which a phone lacks."""


def class_files(place: Path) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of the class files in a folder or jar that belong into an app, by name."""
    if place.is_dir():
        for path in sorted(place.rglob("*.class")):
            yield path.relative_to(place).as_posix(), path.read_bytes()
        return
    with zipfile.ZipFile(place) as jar:
        for name in sorted(jar.namelist()):
            tool = name.startswith(_TOOLS) and name[len(_TOOLS) :].removesuffix(".class").split("$")[0] not in _TOOLS_AT_RUN_TIME
            if name.endswith(".class") and not name.startswith("META-INF/") and not name.endswith("module-info.class") and not tool:
                yield name, jar.read(name)


def jar_of(places: Sequence[Path]) -> bytes:
    """One jar of all class files in `places`. Error: PackagingError where one of them must not become dex."""
    entries = [Entry(name, data, alignment=1) for place in places for name, data in class_files(place)]
    for entry in entries:
        check(entry.name, entry.data)
    return archive(entries)


def check(name: str, data: bytes) -> None:
    """Error: PackagingError where the class file is later than Java 8 or holds a lambda or its like."""
    version, constants = struct.unpack_from(">HH", data, 6)
    if version > JAVA_8:
        raise PackagingError(f"{name}: expected a class file of Java 8 at most ({JAVA_8}), got {version}; compile with --release 8")
    offset, number = 10, 1
    while number < constants:
        tag = data[offset]
        if tag in _AT_RUN_TIME:
            raise PackagingError(f"{name}: expected no {_AT_RUN_TIME[tag]} in it, got one; write the lambda out as a class")
        offset += 1 + (2 + struct.unpack_from(">H", data, offset + 1)[0] if tag == _UTF8 else _BYTES[tag])
        # Of a long or a double the next number is not used.
        number += 2 if tag in (_LONG, _DOUBLE) else 1
