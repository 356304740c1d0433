import json
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import Tensor, nn

from runtime_py.bundle import InputContract
from tests.toolchain import tiny_nets
from toolchain.backbones import MobileFaceNet
from toolchain.compress.channel_groups import channel_groups, with_channels
from toolchain.convert.route import to_onnx
from toolchain.errors import DataError, ToolchainError
from toolchain.from_onnx import net_from_onnx
from toolchain.load import load_model, read_header, save_model
from toolchain.model import Model

BACKBONE = MobileFaceNet(embedding_size=32, width=0.125, activation="relu")


def mobile_face_net() -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Model(BACKBONE.build().eval(), BACKBONE.input)


def tiny_onnx(folder: Path) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(to_onnx(tiny_nets.folded()))
    return path


def test_a_saved_model_is_loaded_with_its_contract_and_provenance(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_model(path, mobile_face_net(), {"data": "drawn faces"})
    assert load_model(path).fingerprint() == mobile_face_net().fingerprint()
    header = read_header(path)
    assert (header.backbone, header.input, header.provenance) == (BACKBONE, BACKBONE.input, {"data": "drawn faces"})


def test_a_weights_file_whose_first_byte_is_a_pickles_is_loaded(tmp_path: Path) -> None:
    """safetensors begins with the length of its header, a multiple of 8: one file in 32 begins with 0x80, as pickles do."""
    path, model = tmp_path / "net.safetensors", mobile_face_net()
    for length in range(0, 257, 8):
        save_model(path, model, {"note": "n" * length})
        if path.read_bytes()[0] == 0x80:
            break
    assert path.read_bytes()[0] == 0x80 and load_model(path).fingerprint() == model.fingerprint()


def test_the_same_model_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_model(tmp_path / name, mobile_face_net(), {"b": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a", "b"]


def test_a_net_whose_channels_were_pruned_is_loaded_with_those_that_are_left(tmp_path: Path) -> None:
    path, whole = tmp_path / "net.safetensors", mobile_face_net()
    kept = [(group, torch.arange(1, group.size, 2)) for group in channel_groups(whole.net)]
    pruned = whole.with_net(with_channels(whole.net, kept))
    save_model(path, pruned)
    assert load_model(path).fingerprint() == pruned.fingerprint() != whole.fingerprint()
    images = torch.randint(0, 256, (2, 3, 112, 112), dtype=torch.uint8)
    assert torch.equal(load_model(path).embed(images), pruned.embed(images))


def test_a_net_of_no_backbone_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="expected a net that a backbone's build"):
        save_model(tmp_path / "net.safetensors", tiny_nets.folded())
    assert not list(tmp_path.iterdir())


def test_an_onnx_net_computes_what_it_computed_in_torch(tmp_path: Path) -> None:
    model = load_model(tiny_onnx(tmp_path), tiny_nets.CONTRACT)
    pictures = torch.from_numpy(tiny_nets.images(8)).permute(0, 3, 1, 2)
    # Batch norm is folded on export, which rounds each weight once more: 2^-24 each over five layers.
    assert (model.embed(pictures) - tiny_nets.tiny_model().embed(pictures)).abs().max() < 1e-5


def test_an_onnx_net_has_plain_layers_that_train(tmp_path: Path) -> None:
    net = load_model(tiny_onnx(tmp_path), tiny_nets.CONTRACT).net
    kinds = [type(layer) for layer in net.modules()]
    assert kinds.count(nn.PReLU) == 2 and kinds.count(nn.Conv2d) == 4 and kinds.count(nn.Linear) == 1
    assert sum(parameter.numel() for parameter in net.parameters()) == sum(p.numel() for p in tiny_nets.folded().net.parameters()) + 11
    assert to_onnx(Model(net, tiny_nets.CONTRACT)) == to_onnx(Model(net, tiny_nets.CONTRACT))


def test_an_onnx_net_needs_its_contract(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"an ONNX file does not say what its pixels mean.*--input rgb,0\.\.255"):
        load_model(tiny_onnx(tmp_path))


@pytest.mark.parametrize("content", [b"", b"no model at all", bytes(64)])
def test_without_a_contract_too_a_file_of_neither_kind_is_told_so(tmp_path: Path, content: bytes) -> None:
    """Not that its pixels are unknown: with --input it would be no better."""
    (tmp_path / "net.safetensors").write_bytes(content)
    with pytest.raises(DataError, match=r"net\.safetensors: expected weights, got a file that is neither safetensors nor ONNX"):
        load_model(tmp_path / "net.safetensors")


def test_an_onnx_net_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected input FLOAT \[N, 3, 112, 112\], got FLOAT \[1, 3, 16, 16\]"):
        load_model(tiny_onnx(tmp_path), InputContract())


def test_a_contract_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_model(path, mobile_face_net())
    assert load_model(path, BACKBONE.input).input == BACKBONE.input
    with pytest.raises(DataError, match="leave --input out"):
        load_model(path, InputContract.parse("bgr,0..255"))


def constant_net(folder: Path, operation: str, inputs: list[str], output: list[int]) -> Path:
    """A net of one operation, for what the tiny net does not have."""
    graph = helper.make_graph(
        [helper.make_node(operation, inputs, ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output)],
        [numpy_helper.from_array(np.array([2, 24], np.int64), "shape")],
    )
    path = folder / "net.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())
    return path


def test_an_onnx_net_whose_images_mix_in_a_batch_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract = InputContract(4, 4)
    with pytest.raises(DataError, match=r"net\.onnx: .*batch"):
        load_model(constant_net(tmp_path, "Reshape", ["x", "shape"], [2, 24]), contract)
    assert capsys.readouterr().err == ""


def test_an_onnx_operation_that_is_unknown_to_torch_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^[^\n]*onnx2torch cannot make a torch net of it[^\n]*$"):
        load_model(constant_net(tmp_path, "Hardmax", ["x"], ["N", 3, 4, 4]), InputContract(4, 4))


class Payload:
    """Would make a file if it were ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_pickle_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "net.pt"
    path.write_bytes(pickle.dumps(Payload(tmp_path / "run"), protocol))
    with pytest.raises(DataError, match="a pickle"):
        load_model(path, tiny_nets.CONTRACT)
    assert not (tmp_path / "run").exists()


def test_torchs_own_files_are_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "net.pth")
    with pytest.raises(DataError, match="a pickle"):
        load_model(tmp_path / "net.pth", tiny_nets.CONTRACT)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "a Git-LFS pointer"),
        (b"", "expected an ONNX model"),
        (b"no model at all", "expected an ONNX model"),
        (struct.pack("<Q", 4) + b"{bad", "expected safetensors, got a damaged file"),
        (struct.pack("<Q", 2) + b"{}", "safetensors without the entry pocketface"),
    ],
)
def test_what_is_no_weights_file_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "net.bin"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"^[^\n]*{message}[^\n]*$"):
        load_model(path, tiny_nets.CONTRACT)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load_model(tmp_path / "nowhere.safetensors")


def facts(**changed: object) -> dict[str, str]:
    held = {
        "version": 1,
        "backbone": {"type": "MobileFaceNet", "embedding_size": 32, "width": 0.125, "activation": "relu"},
        "input": {"height": 112, "width": 112, "color": "rgb", "scale": 2 / 255, "offset": -1.0},
        "provenance": {},
    }
    return {"pocketface": json.dumps({**held, **changed})}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": 2}, "expected weights file version 1, got 2"),
        ({"backbone": {"type": "Encoding"}}, "unknown backbone Encoding"),
        ({"backbone": {"type": "MobileFaceNet", "width": 0.3}}, "MobileFaceNet.width"),
        ({"backbone": {"type": "MobileFaceNet", "depth": 3}}, "cannot be understood"),
        ({"input": {"height": 112, "colour": "rgb"}}, "cannot be understood"),
        ({"input": None}, "cannot be understood"),
        ({"input": {"color": "BGR"}}, "input.color: expected 'rgb' or 'bgr'"),
        ({"input": {"height": "112"}}, "input.height: expected a whole number"),
        ({"input": {"scale": None}}, "input.scale: expected a number"),
        ({"backbone": {"type": "MobileFaceNet", "embedding_size": 1.5}}, "backbone.embedding_size: expected a whole number"),
        ({"backbone": {"type": "MobileFaceNet", "embedding_size": 10**30}}, "cannot be built"),
        ({"provenance": [1, 2]}, "provenance: expected an object"),
    ],
)
def test_a_header_that_makes_no_sense_is_one_line(tmp_path: Path, changed: dict, message: str) -> None:
    path = tmp_path / "net.safetensors"
    save_file(mobile_face_net().net.state_dict(), path, facts(**changed))
    with pytest.raises(DataError, match=f"^[^\n]*{message}[^\n]*$"):
        load_model(path)


def changed_state(change: str) -> dict[str, Tensor]:
    state = {name: tensor.clone() for name, tensor in mobile_face_net().net.state_dict().items()}
    if change == "missing":
        del state["linear.weight"]
    elif change == "unknown":
        state["other"] = torch.zeros(1)
    elif change == "shape":
        state["linear.weight"] = state["linear.weight"][:4].clone()
    elif change == "dtype":
        state["linear.weight"] = state["linear.weight"].half()
    else:
        state["linear.weight"][0] = torch.nan
    return state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", "linear.weight is missing"),
        ("unknown", "other is no tensor of this backbone"),
        ("shape", r"linear.weight: expected torch.float32 \[32, 64, 1, 1\], got torch.float32 \[4, 64, 1, 1\]"),
        ("dtype", "got torch.float16"),
        ("nan", "linear.weight holds values that are not finite"),
    ],
)
def test_tensors_of_another_net_are_named(tmp_path: Path, change: str, message: str) -> None:
    path = tmp_path / "net.safetensors"
    save_file(changed_state(change), path, facts())
    with pytest.raises(DataError, match=message):
        load_model(path)


def test_an_onnx_file_with_its_weights_elsewhere_is_refused(tmp_path: Path) -> None:
    path = tiny_onnx(tmp_path)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(DataError, match="its weights lie in other files"):
        load_model(path, tiny_nets.CONTRACT)


@pytest.mark.skipif("POCKETFACE_DATA" not in os.environ, reason="POCKETFACE_DATA names no folder with weights/")
def test_mobilefacenet_y1_folds_its_last_batch_norm_and_computes_what_onnxruntime_computes() -> None:
    import onnxruntime

    from toolchain.compress.fold_batch_norm import fold_batch_norms

    path = Path(os.environ["POCKETFACE_DATA"]) / "weights" / "teacher_y1.onnx"
    net = net_from_onnx(str(path), path.read_bytes(), InputContract.parse("rgb,0..255"))
    folded = fold_batch_norms(net)
    assert not any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) for layer in folded.modules())
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 112, 112))).float()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {session.get_inputs()[0].name: pixels.numpy()})
    with torch.no_grad():
        # fp32 sums in another order over 50 layers: about 1.4e-5 of the embedding's length.
        assert np.linalg.norm(folded(pixels).numpy() - expected) < 1e-4 * np.linalg.norm(expected)
