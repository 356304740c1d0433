import numpy as np
import pytest

from runtime_py.packed import unpack
from tests.toolchain import tiny_nets
from toolchain.convert import flatbuffer
from toolchain.convert.tie import tie, weight_only
from toolchain.errors import ConversionError
from toolchain.pack.packed import pack
from toolchain.parity import host


def float_form() -> bytes:
    return tiny_nets.converter().float32(tiny_nets.encoded())


def grid_form() -> bytes:
    return weight_only(tiny_nets.encoded(), float_form())


@pytest.mark.parametrize("runtime", host.RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_grid_computes_the_same_bits_as_the_decoded_floats(runtime: host.Runtime) -> None:
    if runtime.version() is None:
        pytest.skip(f"{runtime.name} is not installed")
    pictures = tiny_nets.images(16)
    grid = host.embeddings(grid_form(), pictures, tiny_nets.CONTRACT, runtime)
    assert np.array_equal(grid, host.embeddings(float_form(), pictures, tiny_nets.CONTRACT, runtime))


def test_a_grid_stays_one_xnnpack_partition() -> None:
    host.check_runs_everywhere("grid", grid_form())


def test_every_encoded_tensor_is_tied_to_its_codes_in_tflites_order() -> None:
    model, content = tiny_nets.encoded(), grid_form()
    tied = tie(model, content)
    assert set(tied) == set(model.encodings)
    for name, tensor in tied.items():
        codes = model.encodings[name].grid()[0]
        if name == "depthwise.0.weight":
            expected = codes.transpose(1, 2, 3, 0)  # [1, h, w, C]
        elif codes.ndim == 4:
            expected = codes.transpose(0, 2, 3, 1)  # [O, h, w, I]
        else:
            expected = codes  # [O, I]
        assert np.array_equal(tensor.codes, expected.reshape(-1))
        assert content[tensor.offset : tensor.offset + codes.size] == expected.tobytes()


def test_what_is_tied_packs_and_unpacks_to_the_same_file() -> None:
    content = grid_form()
    packed = pack(content, tie(tiny_nets.encoded(), content))
    assert unpack(packed) == content
    assert len(packed) < len(content)


def test_an_encoding_that_is_not_what_was_converted_is_refused_by_name() -> None:
    model = tiny_nets.encoded()
    other = model.with_weights({"project.0.weight": tiny_nets.binary(model.net.state_dict()["project.0.weight"])})
    with pytest.raises(ConversionError, match=r"^project\.0\.weight: encoded as \[8, 8, 1, 1\], but no weight"):
        weight_only(other, float_form())
    with pytest.raises(ConversionError, match=r"^project\.0\.weight: its int8 codes are not in the \.tflite"):
        tie(other, grid_form())


def test_a_scale_that_is_off_by_one_bit_is_refused() -> None:
    model = flatbuffer.read(grid_form())
    tensor = next(item for item in model.subgraphs[0].tensors if item.quantization is not None and item.quantization.scale is not None)
    scale = tensor.quantization.scale.copy()
    scale[0] = np.nextafter(scale[0], np.float32(np.inf))
    tensor.quantization.scale = scale
    with pytest.raises(ConversionError, match="its int8 codes are not in the .tflite"):
        tie(tiny_nets.encoded(), flatbuffer.write(model))


def test_tensors_without_an_encoding_stay_float() -> None:
    model = flatbuffer.read(grid_form())
    held = [flatbuffer.constant(model, item) for item in model.subgraphs[0].tensors if flatbuffer.is_constant(model, item)]
    stem = tiny_nets.encoded().net.state_dict()["stem.0.weight"].permute(0, 2, 3, 1).numpy()
    assert any(array.dtype == np.float32 and array.shape == stem.shape and np.array_equal(array, stem) for array in held)
    assert sum(array.dtype == np.int8 for array in held) == len(tiny_nets.encoded().encodings)


def test_without_encodings_nothing_changes() -> None:
    plain = tiny_nets.converter().float32(tiny_nets.folded())
    assert len(weight_only(tiny_nets.folded(), plain)) == pytest.approx(len(plain), abs=64)  # one unused operator code
    assert tie(tiny_nets.folded(), plain) == {}
