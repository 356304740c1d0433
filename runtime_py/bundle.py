"""The bundle: one .pface file that holds a manifest and blobs (docs/bundle-format.md).

Checked in this order, all before any native code sees a byte: the file's own hash, the container, the manifest, each
blob's hash, the structure of each .tflite. A packed variant is rebuilt when it is asked for, and checked against the
hash of what it must become; a level of another variant is rebuilt from that one.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from runtime_py import container, packed, prefixes
from runtime_py.errors import BundleHashError, BundleManifestError, BundleModelError, BundleReadError, BundleVariantError
from runtime_py.manifest import InputContract, Manifest, Threshold, Variant, read_manifest
from runtime_py.regular import read_regular

__all__ = ["Bundle", "InputContract", "check_tflite"]


class Bundle:
    """A verified bundle, held in memory. It never changes and may be shared between threads."""

    def __init__(self, manifest: Manifest, members: dict[str, memoryview], sha256: str, source: str) -> None:
        self.manifest = manifest
        self.sha256 = sha256
        """sha256 of the whole file, as sha256sum prints it."""
        self.source = source
        """Where it came from, for messages."""
        self._members = members

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Bundle:
        """Reads and verifies the file at `path`. It is read, not mapped: what was verified is what is used, even where
        somebody changes the file meanwhile. Errors: BundleError and its subclasses."""
        return cls.parse(read_regular(Path(path), "a bundle (.pface)", container.MAX_BUNDLE_BYTES, BundleReadError), str(path))

    @classmethod
    def parse(cls, data: bytes, source: str) -> Bundle:
        """Verifies a bundle's bytes; `source` names it in messages. Errors: as `open`."""
        members = container.open_container(data, source)
        manifest = read_manifest(bytes(members[container.MANIFEST]), source)
        stated, stored = {file.path for file in manifest.files}, set(members) - {container.MANIFEST}
        if stated != stored:
            odd = sorted(stated ^ stored)[0]
            raise BundleManifestError(
                f"{source}: expected the blobs that the manifest lists, got {odd} in only one of them; build the bundle again"
            )
        for file in manifest.files:
            digest = hashlib.sha256(members[file.path]).hexdigest()
            if (file.size, file.sha256) != (len(members[file.path]), digest):
                raise BundleHashError(
                    f"{source}: {file.path}: expected {file.size} bytes of sha256 {file.sha256}, got {len(members[file.path])} of {digest}"
                )
            if file.role in ("model", "detector"):
                check_tflite(members[file.path], f"{source}: {file.path}")
        return cls(manifest, members, hashlib.sha256(data).hexdigest(), source)

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the variants, in the manifest's order."""
        return tuple(variant.name for variant in self.manifest.variants)

    @property
    def default_variant(self) -> str:
        return self.manifest.default_variant

    def variant(self, name: str | None = None) -> Variant:
        """What the manifest says of a variant (None: the default one). Error: BundleVariantError."""
        wanted = self.default_variant if name is None else name
        for variant in self.manifest.variants:
            if variant.name == wanted:
                return variant
        raise BundleVariantError(f"{self.source}: expected one of the variants {', '.join(self.variants)}, got {wanted!r}")

    def level(self, name: str, variant: str | None = None) -> Variant:
        """What the manifest says of the level of that name of a variant's net (None: the default one's). Error: BundleVariantError."""
        of = self.variant(variant).name
        levels = self.manifest.levels_of(of)
        if levels is None:
            raise BundleVariantError(f"{self.source}: expected a variant with levels, got {of}, which has none; leave the level out")
        found = levels.named(name)
        if found is None:
            known = ", ".join(level.name for level in levels.levels)
            raise BundleVariantError(f"{self.source}: expected one of the levels {known} of {levels.whole}, got {name!r}")
        return self.variant(found.variant)

    def template_variant(self, variant: Variant) -> Variant:
        """The variant whose templates those of `variant` count as: itself, or, of a level, the whole net, with which it shares the
        embedding space."""
        levels = self.manifest.levels_of(variant.name)
        return variant if levels is None else self.variant(levels.whole)

    def shared_thresholds(self, variant: Variant) -> tuple[Threshold, ...]:
        """The thresholds for comparisons of `variant` with whatever counts as its templates: its own, or, of a level, those that hold
        whichever level made the template."""
        levels = self.manifest.levels_of(variant.name)
        return variant.thresholds if levels is None else levels.shared_thresholds(variant.name, variant.thresholds)

    def manifest_text(self) -> str:
        """The manifest as it lies in the file, JSON."""
        return bytes(self._members[container.MANIFEST]).decode("utf-8")

    def blob(self, path: str) -> memoryview:
        """The bytes of a blob, not copied and not writable. Error: BundleVariantError."""
        if path not in self._members:
            raise BundleVariantError(f"{self.source}: expected one of its files, got {path!r}; `inspect` lists them")
        return self._members[path]

    def model(self, name: str | None = None) -> bytes:
        """The .tflite of a variant (None: the default one), ready to run; a packed one is rebuilt, each time.

        Errors: BundleVariantError, and for a packed variant PackedError, BundleHashError, BundleModelError.
        """
        variant = self.variant(name)
        blob = self.blob(variant.file)
        if not variant.packed:
            return bytes(blob)
        levels = self.manifest.levels_of(variant.name)
        if levels is None or variant.name == levels.whole:
            model = packed.unpack(blob)
        else:
            model = prefixes.rebuild(blob, self.model(levels.whole))
        digest = hashlib.sha256(model).hexdigest()
        where = f"{self.source}: {variant.file}"
        if (len(model), digest) != (variant.size, variant.sha256):
            raise BundleHashError(
                f"{where}: expected to rebuild {variant.size} bytes of sha256 {variant.sha256}, got {len(model)} of {digest}"
            )
        check_tflite(memoryview(model), where)
        return model


def check_tflite(model: memoryview, where: str) -> None:
    """Refuses what is plainly no .tflite: its identifier, and the root table with its vtable within the file.

    The hashes say that the bytes are those that were written; this says that they are of the right kind, before a native
    parser that trusts them. Error: BundleModelError.
    """
    size = len(model)
    if size < 16 or model[4:8] != b"TFL3":
        raise BundleModelError(f"{where}: expected a .tflite (TFL3 at byte 4), got {bytes(model[:8])!r} and {size} bytes in all")
    root = int.from_bytes(model[:4], "little")
    vtable = root - int.from_bytes(model[root : root + 4], "little", signed=True)
    if root % 4 or not 8 <= root <= size - 4 or vtable % 2 or not 8 <= vtable <= size - 4:
        raise BundleModelError(
            f"{where}: expected the root table of a .tflite within {size} bytes, got it at {root} with its vtable at {vtable}"
        )
    vtable_size, table_size = (int.from_bytes(model[vtable + at : vtable + at + 2], "little") for at in (0, 2))
    if vtable_size < 4 or vtable_size % 2 or vtable + vtable_size > size or table_size < 4 or root + table_size > size:
        raise BundleModelError(
            f"{where}: expected a root table of a .tflite, got a vtable of {vtable_size} bytes and a table of {table_size}"
        )
