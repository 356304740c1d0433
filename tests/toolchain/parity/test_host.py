from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.toolchain import tiny_nets
from toolchain.convert import flatbuffer
from toolchain.convert.quantizer import dynamic_range
from toolchain.errors import GateError
from toolchain.model import Model
from toolchain.parity import host
from toolchain.recipe import Gate


def tflite() -> bytes:
    return tiny_nets.converter().float32(tiny_nets.folded())


def parity(cosines: list[float], max_abs: float = 0.0) -> host.Parity:
    return host.Parity("a-runtime", "1.0", len(cosines), max_abs, np.array(cosines), 1, 1.0)


def broken(value: float) -> bytes:
    """The net with one bias of its last layer replaced."""
    model = flatbuffer.read(tflite())
    last = model.subgraphs[0].operators[-1]
    tensor = model.subgraphs[0].tensors[last.inputs[2]]
    bias = flatbuffer.constant(model, tensor).copy()
    bias[0] = value
    model.buffers[tensor.buffer].data = bias.view(np.uint8)
    return flatbuffer.write(model)


def test_the_numbers_are_what_their_names_say() -> None:
    result = parity([0.5] + [1.0] * 199)
    assert result.min_cosine == 0.5
    assert result.p1_cosine == 1.0  # 99 % of the faces reach it: 1 of 200 does not
    assert result.share_above(0.9) == 199 / 200


@pytest.mark.parametrize(
    ("result", "gate", "message"),
    [
        (parity([1.0], 0.2), Gate(max_abs=0.1), "largest difference 0.2, the gate allows 0.1"),
        (parity([0.8, 1.0]), Gate(min_cosine=0.9), "least cosine 0.80000, the gate asks for 0.90000"),
        (parity([0.8] * 5 + [1.0] * 95), Gate(p1_cosine=0.9), "first percentile of cosines 0.80000, the gate asks for 0.90000"),
        (parity([0.8, 1.0]), Gate(share_above=(0.9, 0.6)), "50.0% of the faces reach cosine 0.9, the gate asks for 60.0%"),
    ],
)
def test_a_gate_says_which_bound_was_missed_and_by_how_much(result: host.Parity, gate: Gate, message: str) -> None:
    assert host.missed(result, gate) == message
    assert host.missed(result, Gate()) is None


@pytest.mark.parametrize(
    ("result", "gate"),
    [
        (parity([1.0], 0.2), Gate(max_abs=0.2)),
        (parity([0.8, 1.0]), Gate(min_cosine=0.8)),
        (parity([0.8] + [1.0] * 199), Gate(p1_cosine=1.0)),  # the least of 200 is no first percentile
        (parity([0.8] + [0.9] * 3), Gate(share_above=(0.9, 0.75))),
    ],
)
def test_a_bound_that_is_just_reached_is_kept(result: host.Parity, gate: Gate) -> None:
    assert host.missed(result, gate) is None


def operator(name: str, inputs: list[int], outputs: list[int]) -> dict[str, object]:
    return {"op_name": name, "inputs": inputs, "outputs": outputs}


@pytest.mark.parametrize(
    ("operators", "count"),
    [
        ([operator("CONV_2D", [0, 7], [1]), operator("TfLiteXNNPackDelegate", [0, 7], [1])], 1),  # what it stands for is still listed
        ([operator("DELEGATE", [0, 7], [5]), operator("SOFTMAX", [5], [1])], 0),
        ([operator("QUANTIZE", [0], [5]), operator("DELEGATE", [5, 7], [1])], 0),
        ([operator("DELEGATE", [0], [5]), operator("DELEGATE", [5], [1])], 2),
        ([operator("CONV_2D", [0, 7], [1])], 0),
    ],
    ids=["whole", "one behind it", "one before it", "two", "none"],
)
def test_a_graph_is_whole_where_one_delegate_reads_its_input_and_gives_its_output(operators: list[dict[str, object]], count: int) -> None:
    assert host.partitions_of(operators, [0], [1]) == count


def test_a_change_of_one_bias_is_seen() -> None:
    pictures = tiny_nets.images(host.LEAST_FACES, seed=3)
    for result in host.compare(tiny_nets.folded(), broken(5.0), pictures):
        assert isinstance(result, host.Parity)
        assert result.min_cosine < 0.99 and result.faces == host.LEAST_FACES


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_embeddings_that_are_not_finite_are_never_let_through(value: float) -> None:
    with pytest.raises(GateError, match="not finite or of length zero; this variant must not ship"):
        host.compare(tiny_nets.folded(), broken(value), tiny_nets.images(host.LEAST_FACES))


def test_a_torch_net_that_gives_zeros_is_refused_too() -> None:
    model = tiny_nets.folded()
    state = model.net.state_dict()
    dead = model.with_weights({name: torch.zeros_like(state[name]) for name in ("linear.weight", "linear.bias")})
    with pytest.raises(GateError, match="torch: 256 of 256 embeddings"):
        host.compare(dead, tflite(), tiny_nets.images(host.LEAST_FACES))


def test_fewer_faces_than_a_percentile_needs_are_refused() -> None:
    with pytest.raises(GateError, match="expected at least 256 faces, got 255"):
        host.compare(tiny_nets.folded(), tflite(), tiny_nets.images(255))


def test_a_graph_that_xnnpack_runs_in_parts_is_refused() -> None:
    # XNNPACK has no depthwise convolution with int8 weights and float input.
    parts = dynamic_range(tflite(), ["DEPTHWISE_CONV_2D"])
    assert host.partitions(host.LITERT.interpreter(tflite())) == 1
    assert host.partitions(host.LITERT.interpreter(parts)) != 1
    with pytest.raises(GateError, match="XNNPACK runs the graph in"):
        host.check_runs_everywhere("dynamic", parts)


def test_colour_order_and_range_follow_the_contract() -> None:
    """The net takes BGR in -1..1. The same net that is told it takes RGB in 0..255 must see other numbers, on both sides alike."""
    other = replace(tiny_nets.CONTRACT, color="rgb", scale=1.0, offset=0.0)
    pictures = tiny_nets.images(host.LEAST_FACES)
    results = host.compare(Model(tiny_nets.folded().net, other), tflite(), pictures)
    assert isinstance(results[0], host.Parity) and results[0].min_cosine > 0.99999
    mine = host.embeddings(tflite(), pictures, tiny_nets.CONTRACT)
    assert float((mine * host.embeddings(tflite(), pictures, other)).sum(1).min()) < 0.99
