"""Compiles the stand-in and the program that runs a model with a library of an APK."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolchain.android import tools

COMPILER, SYMBOLS, EMULATOR = "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-nm", "qemu-aarch64"
PROGRAMS = (COMPILER, SYMBOLS, EMULATOR)
_SYSROOT = "/usr/aarch64-linux-gnu"  # where Debian puts the arm64 C library for cross-compilers
_SOURCES = Path(__file__).parent
_WHAT = "building the stand-in for Android's C library"
# Android's libraries ask for these files and for symbols of these versions.
_OTHERS = ("libm", "libdl", "liblog")
_VERSIONS = "LIBC { global: *; };\nLIBC_N { global: __write_chk; } LIBC;\n"
_NOTHING: list[str | Path] = ["-x", "c", "/dev/null"]
_SHARED = ["-O1", "-fPIC", "-shared", "-nostdlib", "-fno-builtin", "-fno-stack-protector", "-mno-outline-atomics"]


@dataclass(frozen=True)
class Runner:
    """`folder` holds the program, the stand-in and the `library` that it runs."""

    folder: Path
    library: Path

    def command(self, model: Path) -> list[str]:
        """Runs the .tflite `model`: tensors from standard input, tensors to standard output."""
        emulator = [EMULATOR, "-L", _SYSROOT, "-E", f"LD_LIBRARY_PATH={self.folder}"]
        return [*emulator, str(self.folder / "runner"), str(self.library), str(model)]


def build(library: Path, folder: Path) -> Runner:
    """A runner for `library`, an arm64 library for Android. Error: PackagingError where it cannot be compiled."""
    tools.require(PROGRAMS, _WHAT)
    versions, trampolines, shim = folder / "versions.map", folder / "symbols.S", folder / "shim.o"
    versions.write_text(_VERSIONS)
    tools.run([COMPILER, *_SHARED[:2], *_SHARED[4:], "-Wall", "-c", "-o", shim, _SOURCES / "shim.c"], _WHAT)
    passed_on = sorted(_names(library, "--undefined-only", "U") - _names(shim, "--defined-only", "TDB"))
    trampolines.write_text(_trampolines(passed_on))
    parts_of: dict[str, list[str | Path]] = {"libc": [shim, trampolines], **dict.fromkeys(_OTHERS, _NOTHING)}
    for name, parts in parts_of.items():
        options: list[str | Path] = [f"-Wl,-soname,{name}.so", f"-Wl,--version-script={versions}", "-o", folder / f"{name}.so"]
        tools.run([COMPILER, *_SHARED, *options, *parts], _WHAT)
    # libm and libdl are linked although nothing here needs them: the library's calls are looked up in this process.
    linked = ["-Wl,--no-as-needed", "-lm", "-ldl"]
    tools.run([COMPILER, "-O1", "-Wall", "-o", folder / "runner", _SOURCES / "runner.c", *linked], _WHAT)
    return Runner(folder, library)


def _names(file: Path, which: str, kinds: str) -> set[str]:
    """The symbols of the given kinds (letters of nm) in an object file or a library."""
    dynamic = ["-D"] if file.suffix == ".so" else []
    lines = (line.split() for line in tools.run([SYMBOLS, *dynamic, which, file], _WHAT).splitlines())
    return {words[-1].split("@")[0] for words in lines if len(words) >= 2 and words[-2] in kinds}


def _trampolines(names: list[str]) -> str:
    """Assembler: a function for each name that jumps to where shim_targets says; register x16 is free for that at a call."""
    jumps = "".join(
        f".globl {name}\n.type {name}, %function\n{name}:\n"
        f"  adrp x16, shim_targets + {8 * number}\n  ldr x16, [x16, :lo12:shim_targets + {8 * number}]\n  br x16\n"
        for number, name in enumerate(names)
    )
    texts = "".join(f'name_{number}: .asciz "{name}"\n' for number, name in enumerate(names))
    places = "".join(f"  .quad name_{number}\n" for number in range(len(names)))
    hidden = "".join(f".hidden {name}\n.globl {name}\n" for name in ("shim_targets", "shim_names", "shim_count"))
    return (
        f"{hidden}.text\n{jumps}.section .rodata\n{texts}.align 3\nshim_count: .word {len(names)}\n"
        f'.section .data.rel.ro, "aw"\n.align 3\nshim_names:\n{places}.bss\n.align 3\nshim_targets: .zero {8 * len(names)}\n'
        '.section .note.GNU-stack, "", %progbits\n'
    )
