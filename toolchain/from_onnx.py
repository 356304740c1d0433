"""An ONNX face embedder as a torch net, through onnx2torch, in the plain layers that the stages of this project know."""

from __future__ import annotations

from contextlib import redirect_stderr
from io import StringIO
from typing import Any

import numpy as np
import onnx
import onnx2torch
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx2torch.node_converters.activations import OnnxPReLU
from onnx2torch.node_converters.binary_math_operations import OnnxBinaryMathOperation
from torch import Tensor, fx, nn

from runtime_py.bundle import InputContract
from toolchain import onnx_session
from toolchain.convert.route import OPSET
from toolchain.errors import DataError


def net_from_onnx(name: str, data: bytes, contract: InputContract) -> fx.GraphModule:
    """The net of an ONNX file, in evaluation mode: `[N, 3, H, W]` in the contract's range to `[N, D]`.

    `name` is used in messages. Errors: DataError where the bytes are no ONNX, where input or output are not those of a
    face embedder of the contract's size, where a layer is unknown to onnx2torch or misread by it, where weights are not of 32 bits, or
    where the batch size is fixed in a layer.
    """
    model = _parse(name, data)
    _check_input(name, model, contract)
    _any_batch_size(model)
    read = model.SerializeToString()  # before the model is rewritten, so that a mistake of ours is seen too
    try:
        _constants_as_initializers(model)
        net = onnx2torch.convert(model)
    except Exception as error:  # it trusts the file, and fails on what it did not expect in every way there is
        advice = f"export it at opset {OPSET}, of plain layers"
        raise DataError(f"{name}: onnx2torch cannot make a torch net of it: {_one_line(error)}; {advice}") from None
    _check_floats(name, net)
    _plain_layers(net)
    net = _flat_output(net.eval())
    images = _check_runs(name, net, contract)
    _check_same(name, net, read, images[:1])
    return net


def _parse(name: str, data: bytes) -> onnx.ModelProto:
    model = onnx_session.load(name, data)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, TypeError) as error:
        raise DataError(f"{name}: expected an ONNX model, onnx's checker refuses it: {_one_line(error)}") from None
    return model


def _check_input(name: str, model: onnx.ModelProto, contract: InputContract) -> None:
    held = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in held]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise DataError(f"{name}: expected one input and one output, got {len(inputs)} and {len(model.graph.output)}")
    kind = inputs[0].type.tensor_type
    sizes = [item.dim_value if item.HasField("dim_value") else None for item in kind.shape.dim]
    wanted = [None, 3, contract.height, contract.width]
    fits = len(sizes) == 4 and all(size is None or size <= 0 or size == want for size, want in zip(sizes[1:], wanted[1:], strict=True))
    if kind.elem_type != TensorProto.FLOAT or not fits:
        kinds = TensorProto.DataType
        got = kinds.Name(kind.elem_type) if kind.elem_type in kinds.values() else f"type {kind.elem_type}"
        shape = ["?" if size is None else size for size in sizes]
        size = f"{contract.height} x {contract.width}"
        raise DataError(
            f"{name}: expected input FLOAT [N, 3, {contract.height}, {contract.width}], got {got} {shape}; export it with 32-bit floats, "
            f"colours before rows and columns, and faces of {size}, the only size that is taken"
        )


def _constants_as_initializers(model: onnx.ModelProto) -> None:
    """Constant nodes, and initializers behind a Cast to float or of another name, become initializers: onnx2torch makes plain layers
    only of such weights."""
    constants = [node for node in model.graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]
    for node in constants:
        model.graph.initializer.append(numpy_helper.from_array(numpy_helper.to_array(node.attribute[0].t), node.output[0]))
        model.graph.node.remove(node)
    # Weights that are stored in 16 bits, to be computed with in 32.
    held = {item.name: item for item in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "Cast" and node.input[0] in held]:
        if helper.get_node_attr_value(node, "to") == TensorProto.FLOAT:
            values = numpy_helper.to_array(held[node.input[0]]).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
            model.graph.node.remove(node)
    # torch's exporter stores equal tensors once and names the others by Identity nodes.
    held = {item.name: item for item in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "Identity" and node.input[0] in held]:
        copied = model.graph.initializer.add()
        copied.CopyFrom(held[node.input[0]])
        copied.name = node.output[0]
        model.graph.node.remove(node)


def _any_batch_size(model: onnx.ModelProto) -> None:
    """A batch size that the file states for its input and output is a habit of exporters, not a property of the net."""
    for item in (*model.graph.input, *model.graph.output):
        if item.type.tensor_type.shape.dim:
            item.type.tensor_type.shape.dim[0].dim_param = "N"
    del model.graph.value_info[:]


def _check_floats(name: str, net: fx.GraphModule) -> None:
    """Stages, encodings and every comparison take weights of 32 bits."""
    for parameter, value in net.named_parameters():
        if value.dtype != torch.float32:
            got = str(value.dtype).removeprefix("torch.")
            raise DataError(f"{name}: {parameter}: expected weights of 32-bit floats, got {got}; give the model before it was made that")


def _plain_layers(net: fx.GraphModule) -> None:
    """Additions become torch.add, and PReLU with a slope a channel or one in all becomes torch's, whose slopes are parameters and can
    be trained."""
    modules = dict(net.named_modules())
    for node in list(net.graph.nodes):
        layer = modules.get(node.target) if node.op == "call_module" else None
        if isinstance(layer, OnnxPReLU) and node.args[1].op == "get_attr":
            slope = net.get_buffer(node.args[1].target)
            if _by_channel(slope, modules.get(node.args[0].target)):
                plain = nn.PReLU(slope.numel())
                plain.weight = nn.Parameter(slope.detach().clone().reshape(-1))
                setattr(net, node.target, plain)
                node.args = (node.args[0],)
        elif isinstance(layer, OnnxBinaryMathOperation) and layer.math_op_function is torch.add and layer.axis is None:
            with net.graph.inserting_before(node):
                node.replace_all_uses_with(net.graph.call_function(torch.add, node.args))
            net.graph.erase_node(node)
    net.graph.eliminate_dead_code()
    net.delete_all_unused_submodules()
    net.recompile()
    initializers = dict(net.named_children()).get("initializers")
    for name in [] if initializers is None else [name for name, _ in initializers.named_buffers()]:
        if not any(node.op == "get_attr" and node.target == f"initializers.{name}" for node in net.graph.nodes):
            delattr(initializers, name)


def _by_channel(slope: Tensor, before: nn.Module | None) -> bool:
    """Whether a PReLU's slopes are torch's, one a channel or one in all. ONNX broadcasts them from the last axis: `[C, 1, 1]` on maps,
    and `[C]` only behind a layer that gives `[N, C]`; `[C]` on maps is one a column."""
    sizes = list(slope.shape)
    if slope.numel() == 1:
        return True
    if len(sizes) == 1:
        return isinstance(before, nn.Linear | nn.BatchNorm1d)
    return sizes[-2:] == [1, 1] and (len(sizes) == 3 or (len(sizes) == 4 and sizes[0] == 1))


def _flat_output(net: fx.GraphModule) -> fx.GraphModule:
    """Ends the graph with a flatten, so that `[N, D, 1, 1]` becomes `[N, D]`; it changes nothing on `[N, D]`."""
    output = next(node for node in net.graph.nodes if node.op == "output")
    with net.graph.inserting_before(output):
        output.args = (net.graph.call_function(torch.flatten, (output.args[0], 1)),)
    net.recompile()
    return net


@torch.no_grad()
def _check_runs(name: str, net: fx.GraphModule, contract: InputContract) -> Tensor:
    """Two images at once must give what each gives alone: training, encoding and parity use batches. Returns these two."""
    values = np.random.default_rng(0).uniform(0, 255, (2, 3, contract.height, contract.width))
    images = torch.from_numpy(values * contract.scale + contract.offset).float()
    try:
        with redirect_stderr(StringIO()):  # torch.fx prints a stack trace before it raises
            both, alone = net(images), net(images[:1])
    except Exception as error:  # as in conversion
        reason = _one_line(error)
        raise DataError(f"{name}: the net does not run on two images at once ({reason}); export it with a free batch size") from None
    if both.ndim != 2 or both.shape[0] != 2 or both.dtype != torch.float32 or not torch.isfinite(both).all():
        got = f"{str(both.dtype).removeprefix('torch.')} {list(both.shape)}"
        raise DataError(f"{name}: expected a finite float32 embedding [N, D] of each image, got {got}")
    # 1e-3 of the embedding's length: batching may change the order of sums in fp32 (about 1e-5 here), not the result.
    if (both[:1] - alone).norm() > 1e-3 * alone.norm():
        raise DataError(f"{name}: an image's embedding depends on its batch; export it in evaluation mode with a free batch size")
    return images


@torch.no_grad()
def _check_same(name: str, net: fx.GraphModule, model: bytes, image: Tensor) -> None:
    """The torch net must compute what the file says. Every later comparison is with torch, and would not see a layer that was misread:
    onnx2torch ignores some settings of Resize, for one."""
    ours = net(image).double().numpy().reshape(-1)
    theirs = onnx_session.run(name, onnx_session.session(name, model), image.numpy()).astype(np.float64).reshape(-1)
    # Again 1e-3: sums in another order.
    if ours.shape != theirs.shape or not np.linalg.norm(ours - theirs) <= 1e-3 * np.linalg.norm(theirs):
        lengths = np.linalg.norm(ours) * np.linalg.norm(theirs)
        found = f"cosine {ours @ theirs / lengths:.4f}" if ours.shape == theirs.shape and lengths > 0 else "of another size or length zero"
        raise DataError(
            f"{name}: the torch net gives another embedding than onnxruntime ({found}): onnx2torch misreads one of its layers; export it "
            "with plainer ones, where Resize and PRelu are the first to look at"
        )


def _one_line(error: Any) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
