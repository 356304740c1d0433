"""An ONNX file becomes the net that it says, or is refused: what it may read, and what it computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import nn

from runtime_py.bundle import InputContract
from toolchain.errors import DataError
from toolchain.from_onnx import net_from_onnx

SIDE = 8
CONTRACT = InputContract(SIDE, SIDE, "rgb", 2 / 255, -1.0)
RANDOM = np.random.default_rng(0)


def weights(*shape: int) -> npt.NDArray[np.float32]:
    return RANDOM.standard_normal(shape).astype(np.float32)


def made(
    nodes: list[NodeProto], held: Mapping[str, npt.NDArray[np.generic]], output: TensorProto.DataType = TensorProto.FLOAT
) -> ModelProto:
    """A model of `nodes` from x to y, with the constants that they read."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", output, ["N", "D"])],
        [numpy_helper.from_array(array, name) for name, array in held.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def embedder(middle: list[NodeProto], held: Mapping[str, npt.NDArray[np.generic]], sides: int = SIDE) -> ModelProto:
    """A convolution to 8 maps `a`, `middle` from a to b of 8 maps, and a linear layer over all of b."""
    ends = {"first": weights(8, 3, 3, 3), "last": weights(8 * sides * sides, 4)}
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"], pads=[1, 1, 1, 1]),
        *middle,
        helper.make_node("Flatten", ["b"], ["flat"]),
        helper.make_node("Gemm", ["flat", "last"], ["y"]),
    ]
    return made(nodes, {**ends, **held})


def net(model: ModelProto) -> nn.Module:
    return net_from_onnx("net.onnx", model.SerializeToString(), CONTRACT)


def outside(shape: tuple[int, ...]) -> TensorProto:
    """A tensor whose values lie in the file `secret` of the working folder."""
    tensor = TensorProto(name="secret", data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="secret")
    return tensor


def as_initializer() -> ModelProto:
    model = embedder([helper.make_node("Add", ["a", "secret"], ["b"])], {})
    model.graph.initializer.append(outside((SIDE,)))
    return model


def as_constant() -> ModelProto:
    constant = helper.make_node("Constant", [], ["secret"], value=outside((SIDE,)))
    return embedder([constant, helper.make_node("Add", ["a", "secret"], ["b"])], {})


def as_sparse_values() -> ModelProto:
    model = embedder([helper.make_node("Add", ["a", "secret"], ["b"])], {})
    sparse = model.graph.sparse_initializer.add(dims=[SIDE])
    sparse.values.CopyFrom(outside((2,)))
    sparse.indices.CopyFrom(numpy_helper.from_array(np.array([1, 2], np.int64), ""))
    return model


def as_sparse_constant() -> ModelProto:
    model = as_sparse_values()
    sparse = model.graph.sparse_initializer.pop()
    constant = NodeProto(op_type="Constant", output=["secret"])
    constant.attribute.add(name="sparse_value", type=AttributeProto.SPARSE_TENSOR).sparse_tensor.CopyFrom(sparse)
    model.graph.node.insert(0, constant)
    return model


def in_a_subgraph() -> ModelProto:
    def branch(constant: TensorProto) -> object:
        nodes = [helper.make_node("Constant", [], ["c"], value=constant), helper.make_node("Add", ["a", "c"], ["d"])]
        return helper.make_graph(nodes, "branch", [], [helper.make_tensor_value_info("d", TensorProto.FLOAT, ["N", 8, SIDE, SIDE])])

    inside = numpy_helper.from_array(weights(SIDE))
    chosen = helper.make_node("If", ["yes"], ["b"], then_branch=branch(outside((SIDE,))), else_branch=branch(inside))
    return embedder([chosen], {"yes": np.array(True)})


def in_a_function() -> ModelProto:
    nodes = [helper.make_node("Constant", [], ["c"], value=outside((SIDE,))), helper.make_node("Add", ["i", "c"], ["o"])]
    model = embedder([helper.make_node("Own", ["a"], ["b"], domain="own")], {})
    model.functions.append(helper.make_function("own", "Own", ["i"], ["o"], nodes, [helper.make_opsetid("", 17)]))
    model.opset_import.append(helper.make_opsetid("own", 1))
    return model


@pytest.mark.parametrize("model", [as_initializer, as_constant, as_sparse_values, as_sparse_constant, in_a_subgraph, in_a_function])
def test_no_tensor_may_be_read_from_another_file(model: Callable[[], ModelProto], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_bytes(weights(SIDE).tobytes())
    with pytest.raises(DataError, match=r"^net\.onnx: its weights lie in other files"):
        net(model())


def resized(mode: str, coordinates: str, **more: str) -> ModelProto:
    scales = {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, 1.5, 1.5], np.float32)}
    node = helper.make_node("Resize", ["a", "roi", "scales"], ["b"], mode=mode, coordinate_transformation_mode=coordinates, **more)
    return embedder([node], scales, 12)


@pytest.mark.parametrize(
    "model",
    [
        resized("nearest", "asymmetric", nearest_mode="round_prefer_floor"),
        resized("nearest", "half_pixel", nearest_mode="floor"),
        resized("nearest", "align_corners", nearest_mode="floor"),
    ],
)
def test_a_net_that_onnx2torch_misreads_is_refused(model: ModelProto) -> None:
    with pytest.raises(DataError, match=r"^net\.onnx: the torch net gives another embedding than onnxruntime \(cosine 0\.\d+\)"):
        net(model)


def test_a_net_that_onnx2torch_reads_well_is_not() -> None:
    net(resized("nearest", "asymmetric", nearest_mode="floor"))
    net(resized("linear", "half_pixel"))


def prelu(*shape: int) -> ModelProto:
    return embedder([helper.make_node("PRelu", ["a", "slope"], ["b"])], {"slope": np.abs(weights(*shape))})


@pytest.mark.parametrize("shape", [(8, 1, 1), (1, 8, 1, 1), (1,), (1, 1, 1), ()])
def test_slopes_a_channel_and_one_in_all_become_torchs(shape: tuple[int, ...]) -> None:
    assert any(isinstance(layer, nn.PReLU) for layer in net(prelu(*shape)).modules())


@pytest.mark.parametrize("shape", [(SIDE,), (SIDE, 1)])
def test_slopes_a_column_or_a_row_are_not_taken_for_channels(shape: tuple[int, ...]) -> None:
    """As many as there are channels; onnx2torch itself takes them for channels, so such a net is refused."""
    with pytest.raises(DataError, match="another embedding than onnxruntime"):
        net(prelu(*shape))


def test_slopes_a_column_of_maps_are_kept_where_they_can_be_told() -> None:
    """Twelve columns, eight channels."""
    scales = {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, 1.5, 1.5], np.float32)}
    resize = helper.make_node("Resize", ["a", "roi", "scales"], ["wide"], mode="linear", coordinate_transformation_mode="half_pixel")
    slopes = {"slope": np.abs(weights(12))}
    read = net(embedder([resize, helper.make_node("PRelu", ["wide", "slope"], ["b"])], {**scales, **slopes}, 12))
    assert not any(isinstance(layer, nn.PReLU) for layer in read.modules())


def test_slopes_behind_a_linear_layer_become_torchs() -> None:
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w"], ["a"]),
        helper.make_node("PRelu", ["a", "slope"], ["y"]),
    ]
    read = net(made(nodes, {"w": weights(3 * SIDE * SIDE, 4), "slope": np.abs(weights(4))}))
    assert any(isinstance(layer, nn.PReLU) for layer in read.modules())


@pytest.mark.parametrize(
    "operation", [helper.make_node("Cast", ["f"], ["y"], to=TensorProto.INT64), helper.make_node("ArgMax", ["f"], ["y"], axis=1)]
)
def test_an_output_of_integers_is_refused(operation: NodeProto) -> None:
    with pytest.raises(DataError, match=r"expected a finite float32 embedding \[N, D\] of each image, got int64 \[2, "):
        net(made([helper.make_node("Flatten", ["x"], ["f"]), operation], {}, TensorProto.INT64))


def test_what_onnxs_checker_refuses_is_said_as_it_says_it() -> None:
    with pytest.raises(DataError, match=r"^net\.onnx: expected an ONNX model, onnx's checker refuses it: [^\n]*Nonesuch"):
        net(made([helper.make_node("Nonesuch", ["x"], ["y"])], {}))


def test_an_input_of_another_type_or_size_is_named() -> None:
    model = made([helper.make_node("Flatten", ["x"], ["y"])], {})
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    with pytest.raises(
        DataError, match=r"expected input FLOAT \[N, 3, 8, 8\], got FLOAT16 \['\?', 3, 8, 8\]; export it with 32-bit floats, colours before"
    ):
        net(model)


def in_half(computed: bool) -> ModelProto:
    """The linear layer's weights in 16 bits: computed with in them too, or cast to 32 first."""
    nodes = [helper.make_node("Flatten", ["x"], ["flat"])]
    if computed:
        nodes += [helper.make_node("Cast", ["flat"], ["low"], to=TensorProto.FLOAT16), helper.make_node("Gemm", ["low", "w"], ["half"])]
        nodes += [helper.make_node("Cast", ["half"], ["y"], to=TensorProto.FLOAT)]
    else:
        nodes += [helper.make_node("Cast", ["w"], ["wide"], to=TensorProto.FLOAT), helper.make_node("Gemm", ["flat", "wide"], ["y"])]
    return made(nodes, {"w": weights(3 * SIDE * SIDE, 4).astype(np.float16)})


def test_weights_stored_in_16_bits_are_read_and_a_net_that_computes_in_them_is_refused() -> None:
    read = net(in_half(computed=False))
    assert any(isinstance(layer, nn.Linear) and layer.weight.dtype == torch.float32 for layer in read.modules())
    with pytest.raises(DataError, match=r"^net\.onnx: [^\n]*weight: expected weights of 32-bit floats, got float16; give the model before"):
        net(in_half(computed=True))


@pytest.mark.parametrize("opset", [11, 13, 20])
def test_older_and_newer_opsets_are_read(opset: int) -> None:
    model = embedder([helper.make_node("Relu", ["a"], ["b"])], {})
    model.opset_import[0].version = opset
    net(model)


def test_an_opset_that_is_too_new_is_one_line_that_names_one_that_is_not() -> None:
    model = embedder([helper.make_node("Relu", ["a"], ["b"])], {})
    model.opset_import[0].version, model.ir_version = 22, 10
    with pytest.raises(DataError, match=r"^net\.onnx: onnx2torch cannot make a torch net of it: [^\n]*; export it at opset 17, of plain"):
        net(model)


def test_a_damaged_constant_is_one_line() -> None:
    constant = numpy_helper.from_array(weights(SIDE), "c")
    constant.raw_data = constant.raw_data[:5]
    with pytest.raises(DataError, match=r"^net\.onnx: [^\n]*$"):
        net(embedder([helper.make_node("Constant", [], ["c"], value=constant), helper.make_node("Add", ["a", "c"], ["b"])], {}))
