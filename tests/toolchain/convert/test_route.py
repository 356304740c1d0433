import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import toolchain
from tests.toolchain import tiny_nets
from toolchain.convert import route, tensorflow_worker
from toolchain.convert.route import Onnx2Tf, to_onnx
from toolchain.errors import ConversionError
from toolchain.model import Model

ROOT = Path(toolchain.__file__).parents[1]
CONVERT = """
import hashlib, sys
from pathlib import Path
from tests.toolchain import tiny_nets
from toolchain.convert.route import Onnx2Tf
both = Onnx2Tf()
for form in (both.float32, both.float16):
    print(hashlib.sha256(form(tiny_nets.folded())).hexdigest())
"""


def test_another_process_folder_home_hash_seed_time_zone_and_thread_count_give_the_same_bytes(tmp_path: Path) -> None:
    here = [form(tiny_nets.folded()) for form in (tiny_nets.converter().float32, tiny_nets.converter().float16)]
    elsewhere = {
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "PYTHONHASHSEED": "12345",
        "TZ": "Pacific/Chatham",
        "LC_ALL": "C",
        "OMP_NUM_THREADS": "2",
        "TF_NUM_INTRAOP_THREADS": "2",
    }
    done = subprocess.run(
        [sys.executable, "-c", CONVERT], cwd=tmp_path, env={**os.environ, **elsewhere}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [hashlib.sha256(content).hexdigest() for content in here]
    assert not list(tmp_path.iterdir())  # nothing is left in the working directory or in HOME


def test_a_kept_conversion_is_read_and_not_made_again_unless_it_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []

    def counted(onnx_bytes: bytes) -> tuple[bytes, bytes]:
        runs.append(onnx_bytes)
        return b"float32", b"16"

    monkeypatch.setattr(route, "_convert", counted)
    model = tiny_nets.folded()
    assert (Onnx2Tf(tmp_path).float32(model), Onnx2Tf(tmp_path).float16(model)) == (b"float32", b"16")
    assert len(runs) == 1
    (kept,) = tmp_path.iterdir()
    for damage in (kept.read_bytes()[:-1], b""):
        kept.write_bytes(damage)
        assert Onnx2Tf(tmp_path).float16(model) == b"16"
    assert len(runs) == 3


def test_the_onnx_has_one_image_in_and_one_embedding_out_and_is_the_same_each_time() -> None:
    import onnx

    content = to_onnx(tiny_nets.tiny_model())
    assert content == to_onnx(tiny_nets.tiny_model())
    graph = onnx.load_model_from_string(content).graph
    shapes = [[size.dim_value for size in item.type.tensor_type.shape.dim] for item in (*graph.input, *graph.output)]
    assert shapes == [[1, 3, tiny_nets.SIDE, tiny_nets.SIDE], [1, 10]]
    assert not any(node.op_type == "BatchNormalization" for node in graph.node)


def test_converting_leaves_the_model_as_it_was() -> None:
    model = tiny_nets.tiny_model()
    before = model.fingerprint()
    to_onnx(model)
    assert model.fingerprint() == before
    assert [layer.num_parameters for layer in model.net.modules() if isinstance(layer, nn.PReLU)] == [8, 1]


def test_equal_slopes_of_two_layers_are_stored_twice_and_convert() -> None:
    """The exporter stores equal tensors once, and onnx2tf fails where two layers read one."""
    import onnx

    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.PReLU(8), nn.Conv2d(8, 8, 3, 2, 1), nn.PReLU(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(1)]
    model = Model(nn.Sequential(*layers).eval(), tiny_nets.CONTRACT)
    graph = onnx.load_model_from_string(to_onnx(model)).graph
    slopes = [node.input[1] for node in graph.node if node.op_type == "PRelu"]
    assert len(set(slopes)) == 2 and set(slopes) <= {item.name for item in graph.initializer}
    assert tiny_nets.converter().float32(model).startswith(b"TFL3", 4)


def test_an_operation_that_onnx_does_not_know_is_one_line() -> None:
    class Spectrum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            return torch.special.i1(x).flatten(1) * self.gain

    with pytest.raises(ConversionError, match=r"^torch to ONNX \(opset 17\)[^\n]*$"):
        Onnx2Tf().float32(Model(Spectrum(), tiny_nets.CONTRACT))


def test_a_failing_converter_is_one_line() -> None:
    class Pooled(nn.Module):
        """Adaptive pooling to a size that does not divide the map: ONNX cannot state it, TensorFlow's import fails."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.adaptive_max_pool2d(self.conv(x), 5).flatten(1)

    with pytest.raises(ConversionError, match=r"^(torch to ONNX|ONNX to TFLite)[^\n]*$"):
        Onnx2Tf().float32(Model(Pooled(), tiny_nets.CONTRACT))


def test_the_worker_refuses_the_network_and_nothing_else() -> None:
    with pytest.raises(PermissionError, match="network"):
        tensorflow_worker.refuse_network("socket.connect", (socket.socket, ("192.0.2.1", 80)))
    with pytest.raises(PermissionError, match="network"):
        tensorflow_worker.refuse_network("socket.getaddrinfo", ("example.org", 80, 0, 0, 0))
    tensorflow_worker.refuse_network("open", ("file", "r", 0))


def test_what_tflite_computes_is_what_torch_computes() -> None:
    from toolchain.parity import host

    pictures = tiny_nets.images(16)
    found = host.embeddings(tiny_nets.converter().float32(tiny_nets.folded()), pictures, tiny_nets.CONTRACT)
    expected = host.reference_embeddings(tiny_nets.tiny_model(), pictures)
    # Five layers of at most 192 products: sqrt(5 * 192) * 2^-24 = 2e-6 in the mean; ten times that at most.
    assert np.abs(found - expected).max() < 2e-5
