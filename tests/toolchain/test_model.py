"""The core's invariants: a weight equals its encoding's decode, and a model never changes."""

import numpy as np
import pytest
import torch
from torch import nn

from runtime_py.bundle import InputContract
from toolchain.encodings import Binary, Palette
from toolchain.errors import ToolchainError
from toolchain.model import Model


def tiny() -> Model:
    torch.manual_seed(0)
    return Model(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()), InputContract.parse("rgb,-1..1"))


def binary_of(weight: torch.Tensor) -> Binary:
    return Binary((weight >= 0).numpy(), weight.abs().mean((1, 2, 3)).numpy())


def test_a_weight_equals_its_encodings_decode() -> None:
    model = tiny()
    encoding = binary_of(model.net.state_dict()["0.weight"])
    encoded = model.with_weights({"0.weight": encoding})
    assert torch.equal(encoded.net.state_dict()["0.weight"], encoding.decode())
    assert encoded.encodings["0.weight"] is encoding


def test_a_model_whose_weight_differs_from_its_encoding_cannot_be_made() -> None:
    model = tiny()
    with pytest.raises(ToolchainError, match="decodes to"):
        Model(model.net, model.input, {"0.weight": binary_of(model.net.state_dict()["0.weight"])})


def test_with_weights_leaves_the_model_as_it_was() -> None:
    model = tiny()
    before = model.fingerprint()
    changed = model.with_weights({"0.bias": torch.zeros(4)})
    assert model.fingerprint() == before != changed.fingerprint()


def test_a_plain_weight_drops_the_encoding_and_changed_weights_drop_the_ranges() -> None:
    model = tiny()
    encoded = model.with_weights({"0.weight": binary_of(model.net.state_dict()["0.weight"])})
    ranged = Model(encoded.net, encoded.input, encoded.encodings, {"x": (0.0, 1.0)})
    plain = ranged.with_weights({"0.weight": torch.zeros(4, 3, 3, 3)})
    assert not plain.encodings and not plain.ranges


def test_a_tensor_of_another_name_or_shape_is_refused() -> None:
    with pytest.raises(ToolchainError, match="no such tensor"):
        tiny().with_weights({"9.weight": torch.zeros(1)})
    with pytest.raises(ToolchainError, match="expected shape"):
        tiny().with_weights({"0.bias": torch.zeros(5)})


def test_fingerprint_tells_encodings_ranges_and_inputs_apart() -> None:
    model = tiny()
    weight = model.net.state_dict()["0.weight"]
    encoding = binary_of(weight)
    encoded = model.with_weights({"0.weight": encoding})
    dense = model.with_weights({"0.weight": encoding.decode()})
    ranged = Model(dense.net, dense.input, {}, {"x": (0.0, 1.0)})
    other = Model(dense.net, InputContract.parse("bgr,-1..1"))
    assert len({item.fingerprint() for item in (model, encoded, dense, ranged, other)}) == 5


def test_the_colour_order_of_the_contract_is_honoured() -> None:
    red = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    red[:, 0] = 255
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 3, bias=False))
    with torch.no_grad():
        net[1].weight.zero_()
        for channel in range(3):
            net[1].weight[channel, channel * 16] = 1
    assert Model(net, InputContract.parse("rgb,0..1", 4, 4)).embed(red).tolist() == [[1, 0, 0]]
    assert Model(net, InputContract.parse("bgr,0..1", 4, 4)).embed(red).tolist() == [[0, 0, 1]]


def test_palette_decodes_to_level_times_channel_scale() -> None:
    palette = Palette(np.array([-3, 0, 5], np.int8), np.array([[0, 2], [1, 1]], np.uint8), np.array([0.5, 2.0], np.float32))
    assert palette.decode().tolist() == [[-1.5, 2.5], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("levels", "indices", "scale"),
    [([3, 1], [[0]], [1.0]), ([1, 3], [[2]], [1.0]), ([1], [[0]], [1.0, 2.0])],
    ids=["unsorted levels", "index past the levels", "scale of another length"],
)
def test_a_palette_that_makes_no_sense_is_refused(levels: list[int], indices: list[list[int]], scale: list[float]) -> None:
    with pytest.raises(ToolchainError, match=r"Palette\."):
        Palette(np.array(levels, np.int8), np.array(indices, np.uint8), np.array(scale, np.float32))
