import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.toolchain import tiny_nets
from toolchain.convert import flatbuffer
from toolchain.errors import ConversionError
from toolchain.parity import host


def tflite() -> bytes:
    return tiny_nets.converter().float32(tiny_nets.folded())


def data_positions(content: bytes) -> list[int]:
    root = schema.Model.GetRootAs(content, 0)
    buffers = [root.Buffers(index) for index in range(root.BuffersLength())]
    return [item._tab.Vector(item._tab.Offset(4)) for item in buffers if not item.DataIsNone()]


def test_writing_what_was_read_gives_the_same_bytes() -> None:
    assert flatbuffer.write(flatbuffer.read(tflite())) == tflite()
    assert flatbuffer.plain(tflite()) == tflite()


def test_tensor_data_starts_on_sixteen_bytes() -> None:
    positions = data_positions(tflite())
    assert positions and all(position % flatbuffer.ALIGNMENT == 0 for position in positions)


def test_the_signature_names_input_and_embedding() -> None:
    model = flatbuffer.read(tflite())
    (signature,) = model.signatureDefs
    assert signature.signatureKey.decode() == "serving_default"
    assert [item.name.decode() for item in (*signature.inputs, *signature.outputs)] == ["input", "embedding"]
    assert not model.metadata


def with_data_behind(content: bytes) -> bytes:
    """The same graph with tensor data behind the flatbuffer, as ai-edge-quantizer writes larger models."""
    model = flatbuffer.read(content)
    data = [b"" if item.data is None else item.data.tobytes() for item in model.buffers]
    end = 1 << 20  # any number but 0, so that the field is stored and the next writing has the same length
    for _ in range(2):
        positions = np.cumsum([end] + [len(item) for item in data])
        model.buffers = [schema.BufferT() for _ in data]
        for buffer, item, position in zip(model.buffers, data, positions, strict=False):
            if item:
                buffer.offset, buffer.size = int(position), len(item)
        head = flatbuffer.write(model)
        end = len(head)
    return head + b"".join(data)


def test_data_behind_the_flatbuffer_is_taken_in_and_computes_the_same() -> None:
    outside = with_data_behind(tflite())
    pictures = tiny_nets.images(4)
    expected = host.embeddings(tflite(), pictures, tiny_nets.CONTRACT)
    assert np.array_equal(host.embeddings(outside, pictures, tiny_nets.CONTRACT), expected)  # LiteRT reads it; the C API does not
    assert not flatbuffer.data_is_inline(outside)
    assert flatbuffer.plain(outside) == tflite()


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x80\x04pickled", bytes(64)])
def test_what_is_no_tflite_is_refused(content: bytes) -> None:
    with pytest.raises(ConversionError, match="expected a .tflite"):
        flatbuffer.read(content)
