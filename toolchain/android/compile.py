"""Java sources to class files, and those to dex."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolchain.android import class_files, tools
from toolchain.errors import PackagingError


def compile_java(files: Sequence[Path], class_path: Sequence[Path], out: Path) -> None:
    """Compiles to Java 8 class files in the folder `out`. Error: PackagingError with javac's first error."""
    out.mkdir(parents=True)
    listed = out.parent / f"{out.name}.files"
    # A path may hold spaces; backslashes escape within quotes.
    listed.write_text("".join('"{}"\n'.format(str(path).replace("\\", "\\\\")) for path in files))
    path = ":".join(map(str, class_path))
    # No annotation processor is looked for, and nothing but what was listed is compiled.
    options = ["--release", "8", "-encoding", "UTF-8", "-nowarn", "-Xlint:-options", "-proc:none", "-implicit:none", "-g:source,lines"]
    tools.run(["javac", *options, "-cp", path, "-d", out, f"@{listed}"], "compiling the Java sources")


def dex(places: Sequence[Path], dx: Path, work: Path) -> bytes:
    """One dex file of the class files in `places` (folders or jars), by dx. Error: PackagingError where a class must not
    become dex, or where all do not fit into one file (65,536 methods)."""
    jar, out = work / "classes.jar", work / "classes.dex"
    jar.write_bytes(class_files.jar_of(places))
    # 25, although the app asks for 26: from 26 on dx writes an invokedynamic as invoke-custom, where it now refuses it.
    command: list[str | Path] = [
        "java",
        "-Xmx1g",
        "-cp",
        dx,
        "com.android.dx.command.Main",
        "--dex",
        "--min-sdk-version=25",
        f"--output={out}",
        jar,
    ]
    tools.run(command, "making dex of the class files")
    if not out.is_file():
        raise PackagingError("dx: expected one classes.dex, got none; try again with more memory")
    return out.read_bytes()
