import torch

from runtime_py.packed import unpack
from tests.toolchain import tiny_nets
from toolchain.compress.layers import LARGEST_HALF
from toolchain.compress.round_to_half import RoundToHalf
from toolchain.convert.compressed import Compressed
from toolchain.convert.tie import tie
from toolchain.model import Model
from toolchain.pack.packed import pack


def rounded(model: Model) -> Model:
    return RoundToHalf().apply(model, tiny_nets.context(tiny_nets.session_folder()))


def test_what_has_no_encoding_is_rounded_and_what_has_one_stays() -> None:
    before, after = tiny_nets.encoded(), rounded(tiny_nets.encoded())
    assert dict(after.encodings) == dict(before.encodings)
    for name, value in after.net.named_parameters():
        old = before.net.get_parameter(name)
        assert torch.equal(value, old) if name in before.encodings else torch.equal(value, old.half().float())
    assert not torch.equal(after.net.get_parameter("stem.0.weight"), before.net.get_parameter("stem.0.weight"))


def test_a_tensor_beyond_the_range_of_fp16_stays() -> None:
    bias = torch.full((12,), 2 * LARGEST_HALF)
    assert torch.equal(rounded(tiny_nets.folded().with_weights({"shrink.0.bias": bias})).net.get_parameter("shrink.0.bias"), bias)


def test_rounded_parameters_take_less_in_the_packed_form() -> None:
    stored = []
    for model in (tiny_nets.encoded(), rounded(tiny_nets.encoded())):
        tflite = Compressed().convert(model, tiny_nets.converter(), tiny_nets.context(tiny_nets.session_folder()))
        stored.append(pack(tflite, tie(model, tflite)))
        assert unpack(stored[-1]) == tflite
    # The stem's 216 weights in two bytes each in place of four; its biases and slopes are too few to be cut out.
    assert len(stored[0]) - len(stored[1]) > 216
