"""The tables of Deep Compression and of low rank: what they count, by hand, and that a command makes them whole. A few steps a net: what
is learnt is not judged here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from runtime_py.bundle import InputContract
from toolchain.backbones import VGG11
from toolchain.cli import main
from toolchain.data import synthetic
from toolchain.encodings import Codebook
from toolchain.model import Model
from toolchain.progress import Progress
from toolchain.tables.base import TableOrder
from toolchain.tables.classification import People, settings
from toolchain.tables.deep_compression import Chain, steps_of, storage


def test_what_a_net_takes_by_hand() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    weight = torch.zeros(2, 12)
    weight[0, 3] = weight[0, 5] = 0.5
    weight[1, 0] = -1.0
    model = Model(net, InputContract(2, 2, "rgb", 1.0, 0.0)).with_weights({"1.weight": Codebook.of(weight)})
    found = storage(model)
    assert found.left == 3 / 24
    # Distances 4, 2, 7 of 5 bits; two biases of 4 bytes, then 2. Two values: 1 bit an index.
    assert found.pruned == 3 * (32 + 5) / 8 + 8
    assert found.shared == (3 * (1 + 5) + 2 * 32) / 8 + 4
    # Two values as often as 2 : 1, a bit each; three distances of 1, 2 and 2 bits; a byte for each symbol of either code.
    assert found.coded == (3 + 2 * 8 + 5 + 3 * 8 + 2 * 32) / 8 + 4


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six drawn people of ten faces each, of whom p1 and p2 are kept aside by their names."""
    folder = tmp_path_factory.mktemp("people")
    drawn = synthetic.faces(6, 10)
    for row, image in enumerate(drawn.images):
        path = folder / ("p0", "p5", "p6", "p8", "p1", "p2")[row // 10] / f"{row}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


def test_a_chain_gets_smaller_with_every_step(faces: Path, tmp_path: Path) -> None:
    """With one step of training, on the lightest VGG11."""
    chain = Chain("light", VGG11(module="flame", shrink=True, shallow=True), 0.1, 16, "", "", "")
    order = TableOrder(tmp_path, Progress(quiet=True), (faces,))
    people = People.read(order.images, order.cache, order.progress)
    rows = [value for _, value in steps_of(chain, people, settings(1, 64), order)]
    sizes = [row["bytes"] for row in rows]
    assert len(rows) == 6 and sizes[0] > sizes[1] > sizes[3] > sizes[4]
    # A tenth of the weights, but of the first and the depthwise layers 0.6: a twentieth of the weights of a net this light.
    assert 0.1 < 1 / rows[2]["ratio"] < 0.13
    assert rows[3]["top1"] == rows[4]["top1"] == rows[5]["top1"], "coding loses nothing"
    # rANS codes zeros with the rest, which at a tenth of the weights costs less than distances do; the graph is the rest of the file.
    assert sizes[5] < sizes[3]
    assert [value for _, value in steps_of(chain, people, settings(1, 64), order)] == rows, "made again from what was kept"


def test_low_rank_nets_stand_beside_the_whole_ones(faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "table.md"
    arguments = ["table", "low-rank", "--images", str(faces), "--steps", "1", "--cache", str(tmp_path / "cache"), "--out", str(out)]
    assert main([*arguments, "--json", "--quiet"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert len(rows) == 6 == len([line for line in out.read_text().splitlines() if line.startswith("| ")]) - 1
    for whole, half, quarter in (rows[:3], rows[3:]):
        for row, fewer in ((half, 2), (quarter, 4)):
            # Greedy stops at the first rank within the budget; a rank of a layer of these nets is a hundredth of it at most.
            assert fewer <= whole["multiply_adds"] / row["multiply_adds"] < 1.02 * fewer
            # No order between the two: of a half-width net either leaves next to nothing, and which is nearer is chance.
            assert row["cosine"] < 0.9999
        assert quarter["layers_replaced"] >= half["layers_replaced"] > 0
