"""A .tflite against an ONNX model, whoever made them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.tiny_tflite import with_int8_ends
from tests.toolchain import tiny_nets
from toolchain.cli import main
from toolchain.convert import flatbuffer
from toolchain.convert.route import to_onnx
from toolchain.errors import DataError
from toolchain.kept import KeptBytes
from toolchain.parity.against import against
from toolchain.progress import Progress

QUIET = Progress(quiet=True)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> KeptBytes:
    return KeptBytes(tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(net.tflite with NHWC input, net.onnx with NCHW input) of one net."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "net.tflite").write_bytes(tiny_nets.converter().float32(tiny_nets.folded()))
    (folder / "net.onnx").write_bytes(to_onnx(tiny_nets.folded()))
    return folder / "net.tflite", folder / "net.onnx"


def test_a_pair_of_one_net_agrees_to_the_last_bits(pair: tuple[Path, Path], kept: KeptBytes) -> None:
    found = against(*pair, tiny_nets.CONTRACT, None, None, kept, QUIET)
    assert found.failure() is None and len(found.agreements) >= 1
    # Sums of some hundred terms in float32, in another order: about sqrt(300) 2^-24 = 1e-6 of a component at most 1.
    assert all(item.max_abs < 1e-5 for item in found.agreements)


def test_int8_ends_are_quantized_and_dequantized(pair: tuple[Path, Path], kept: KeptBytes, tmp_path: Path) -> None:
    # Input in steps of 2/255, a pixel each, so that nothing is lost; outputs of about +-4 in steps of 0.05.
    path = tmp_path / "int8.tflite"
    path.write_bytes(with_int8_ends(pair[0].read_bytes(), (2 / 255, 0), (0.05, 0)))
    found = against(path, pair[1], tiny_nets.CONTRACT, None, 0.99, kept, QUIET)
    assert found.failure() is None
    assert all(1e-5 < item.max_abs < 0.1 for item in found.agreements)


def test_another_net_does_not_pass(pair: tuple[Path, Path], kept: KeptBytes, tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(to_onnx(tiny_nets.tiny_model(seed=7)))
    failure = against(pair[0], path, tiny_nets.CONTRACT, None, None, kept, QUIET).failure()
    assert failure is not None and "least cosine" in str(failure)


def test_the_command_needs_to_know_what_the_pair_takes(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["parity", str(pair[0]), "--against", str(pair[1]), "--quiet"]
    assert main(words) == 2 and "--input" in capsys.readouterr().err
    assert main([*words, "--input", "bgr,-1..1"]) == 0
    assert "net.onnx on onnxruntime" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--against {onnx}", "the .tflite that is to agree with it is missing"),
        ("face.pface --against {onnx}", "face.pface: --against takes a .tflite, not a bundle"),
        ("{tflite} --against {onnx} --weights {onnx}", "leave out --weights"),
        ("{tflite} --against {onnx} --variants fp32", "leave out --weights and --variants"),
        ("{tflite} --against missing.onnx --input rgb,0..255", "missing.onnx: expected an ONNX model, cannot read it"),
    ],
)
def test_what_is_missing_or_too_much_is_named(
    words: str, message: str, pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parity", *words.format(tflite=pair[0], onnx=pair[1]).split()]) == 2
    assert message in capsys.readouterr().err


def test_files_of_another_kind_are_named(pair: tuple[Path, Path], kept: KeptBytes, tmp_path: Path) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("not a model")
    with pytest.raises(DataError, match=r"text\.onnx: expected an ONNX model"):
        against(pair[0], text, tiny_nets.CONTRACT, None, None, kept, QUIET)
    with pytest.raises(DataError, match=r"net\.onnx: expected a \.tflite"):
        against(pair[1], pair[1], tiny_nets.CONTRACT, None, None, kept, QUIET)
    outside = tmp_path / "outside.onnx"
    onnx.save(onnx.load(pair[1]), outside, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(DataError, match=r"outside\.onnx: its weights lie in other files"):
        against(pair[0], outside, tiny_nets.CONTRACT, None, None, kept, QUIET)
    damaged = tmp_path / "damaged.tflite"
    whole = pair[0].read_bytes()
    damaged.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(DataError, match=r"damaged\.tflite"):
        against(damaged, pair[1], tiny_nets.CONTRACT, None, None, kept, QUIET)


@pytest.mark.parametrize("damage", ["opcode", "tensor", "inputs", "weight"])
def test_a_file_whose_indices_lead_nowhere_is_one_line(pair: tuple[Path, Path], kept: KeptBytes, tmp_path: Path, damage: str) -> None:
    model = flatbuffer.read(pair[0].read_bytes())
    graph = model.subgraphs[0]
    first = next(operator for kind, operator in flatbuffer.operations(model) if kind == "CONV_2D")
    if damage == "opcode":
        first.opcodeIndex = 999
    elif damage == "tensor":
        first.inputs = np.full_like(first.inputs, len(graph.tensors))
    elif damage == "inputs":
        graph.inputs = None
    else:
        first.inputs = first.inputs[:1]
    path = tmp_path / "damaged.tflite"
    path.write_bytes(flatbuffer.write(model))
    with pytest.raises(DataError, match=r"damaged\.tflite: expected a \.tflite, its tables lead nowhere [^\n]*$"):
        against(path, pair[1], tiny_nets.CONTRACT, None, None, kept, QUIET)
