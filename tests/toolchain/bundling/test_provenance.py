"""What a bundle states of its weights comes from the file itself, whatever it is called."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.toolchain import tiny_nets
from toolchain.backbones import MobileFaceNet
from toolchain.bundling.provenance import UNSTATED, provenance
from toolchain.convert.route import to_onnx
from toolchain.errors import DataError
from toolchain.load import save_model
from toolchain.model import Model

BACKBONE = MobileFaceNet(embedding_size=32, width=0.125, activation="relu")
LICENCE = {"covers": "weights", "spdx": "MIT", "terms": "Keep the notice."}


@pytest.mark.parametrize("name", ["net.safetensors", "net.bin", "net"])
def test_licences_are_read_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    with torch.random.fork_rng():
        model = Model(BACKBONE.build().eval(), BACKBONE.input)
    save_model(tmp_path / name, model, {"licences": [LICENCE], "note": "ours"})
    assert [licence.spdx for licence in provenance(tmp_path / name).licences] == ["MIT"]
    save_model(tmp_path / name, model)
    assert provenance(tmp_path / name) == UNSTATED
    save_model(tmp_path / name, model, {"licences": [{**LICENCE, "spdx": 1}]})
    with pytest.raises(DataError, match=r"provenance\.licences\[0\]\.spdx: expected text"):
        provenance(tmp_path / name)


def test_an_onnx_file_states_nothing_whatever_it_is_called(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(to_onnx(tiny_nets.folded()))
    assert provenance(path) == provenance(None) == UNSTATED


def test_missing_weights_are_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere.safetensors: cannot be read"):
        provenance(tmp_path / "nowhere.safetensors")
