"""Stores a level as what it takes from the whole net's .tflite and what it does not (docs/bundle-format.md, "Levels")."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from runtime_py import prefixes
from runtime_py.errors import PackedError
from runtime_py.prefixes import Prefix
from toolchain.errors import ConversionError
from toolchain.pack.packed import BUFFER_DATA, deflate, position

_WIDTHS = {schema.TensorType.FLOAT32: 4, schema.TensorType.FLOAT16: 2}
"""Bytes of a value of the types that weights are of. Constants of others are shapes, which stay in the skeleton."""


def cut(tflite: bytes, whole: bytes) -> bytes:
    """The stored form of a level whose .tflite is `tflite`, to be rebuilt from `whole`, the .tflite of the net that it is a level of.
    The two graphs have the same operators. The same input gives the same bytes.

    Error: ConversionError where a float constant of the level is no prefix of the whole net's of the same place: then the weights would
    be stored twice.
    """
    found = _prefixes(tflite, whole)
    parts, skeleton, end = [struct.pack("<I", len(found))], [], 0
    for item in found:
        parts.append(struct.pack("<11I", item.offset - end, item.source, item.width, *item.sizes, *item.kept))
        skeleton.append(tflite[end : item.offset])
        end = item.offset + item.length
    structure = b"".join([*parts, *skeleton, tflite[end:]])
    deflated = deflate(structure)
    digests = hashlib.sha256(whole).digest(), hashlib.sha256(tflite).digest()
    header = prefixes.HEADER.pack(prefixes.MAGIC, prefixes.VERSION, 0, len(tflite), len(structure), len(deflated), *digests)
    stored = header + deflated
    try:
        prefixes.rebuild(stored, whole)  # it checks what it rebuilds by the hash in the header
    except PackedError as error:
        raise ConversionError(f"the stored level does not rebuild its .tflite: {error}") from None
    return stored


def _prefixes(tflite: bytes, whole: bytes) -> list[Prefix]:
    """Where the level's float constants lie in both files, in the order of the level's."""
    of_level, of_whole = _constants(tflite), _constants(whole)
    source = np.frombuffer(whole, np.uint8)
    found: dict[int, Prefix] = {}
    for name, (offset, width, kept) in of_level.items():
        if offset in found:
            continue  # two tensors of the same values that the converter merged
        if name not in of_whole:
            raise ConversionError(f"level: {name}: expected the operators of the whole net's .tflite, which has no such constant")
        at, _, sizes = of_whole[name]
        fits = all(least <= size for least, size in zip(kept, sizes, strict=True))
        item = Prefix(offset, at, width, sizes, kept)
        if not fits or item.cut(source).tobytes() != tflite[offset : offset + item.length]:
            raise ConversionError(
                f"level: {name}: expected the first {list(kept)} of the whole net's {list(sizes)}, got other values; "
                "freeze batch norm, and make the level from the very weights that the whole net has"
            )
        found[offset] = item
    return sorted(found.values(), key=lambda item: item.offset)


def _constants(tflite: bytes) -> dict[str, tuple[int, int, tuple[int, ...]]]:
    """By the name of each tensor that holds float constants: the byte at which they start, bytes a value, the shape in four axes."""
    model = schema.Model.GetRootAs(tflite, 0)
    graph = model.Subgraphs(0)
    found = {}
    for number in range(graph.TensorsLength()):
        tensor = graph.Tensors(number)
        buffer = model.Buffers(tensor.Buffer())
        if tensor.Type() not in _WIDTHS or buffer.DataIsNone():
            continue
        shape = tuple(int(size) for size in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
        name = tensor.Name().decode()
        if len(shape) > prefixes.AXES:
            raise ConversionError(f"level: {name}: expected a constant of at most {prefixes.AXES} axes, got {list(shape)}")
        found[name] = (position(buffer, BUFFER_DATA), _WIDTHS[tensor.Type()], (1,) * (prefixes.AXES - len(shape)) + shape)
    return found
