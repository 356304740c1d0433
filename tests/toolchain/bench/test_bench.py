import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from runtime_py.bundle import Bundle
from tests.toolchain import tiny_nets
from toolchain.bench.bench import Bench, Row, bench
from toolchain.bench.resident import resident_bytes
from toolchain.bench.runners import OTHERS, Runner, other_runner
from toolchain.bench.timing import Spread, interleaved, pinned, ratios
from toolchain.cli import main
from toolchain.errors import RecipeError
from toolchain.progress import Progress

QUIET = Progress(quiet=True)


@pytest.fixture(scope="module")
def found(face_bundle: Path) -> Bench:
    bundle = Bundle.open(face_bundle)
    return bench(bundle, bundle.variants, (), None, 1, 3, QUIET)


def test_each_variant_is_timed_beside_the_reference(found: Bench) -> None:
    assert [row.name for row in found.rows] == ["float", "int8", "packed"] and found.reference == "float"
    assert found.rows[0].ratio == Spread(1, 1, 1), "the reference over itself, round by round"
    for row in found.rows:
        assert row.milliseconds.low <= row.milliseconds.median <= row.milliseconds.high and row.milliseconds.low > 0
        assert row.runtime.startswith("ai-edge-litert ") and row.load is not None and row.load.median >= 0


def test_the_cosine_shows_that_the_variants_are_one_net(found: Bench) -> None:
    cosines = {row.name: row.cosine for row in found.rows}
    # int8 here is the same net between an int8 input (the picture's own grid) and an int8 output of step 0.25.
    assert cosines["float"] == pytest.approx(1, abs=1e-9) == cosines["packed"] and cosines["int8"] > 0.9


def test_what_ran_in_the_delegate_is_said(found: Bench) -> None:
    assert "XNNPACK, the whole graph in one part" in {row.delegated for row in found.rows}


def test_a_variant_takes_more_memory_than_it_stores(face_bundle: Path) -> None:
    bundle = Bundle.open(face_bundle)
    taken = resident_bytes(bundle, "packed")
    assert taken is not None and bundle.variant("packed").bytes.raw < taken < 100e6


def row(name: str, low: float, variant: bool = True, cosine: float = 1.0) -> Row:
    spread = Spread(low + 0.1, low, low + 0.2)
    return Row(name, "a runtime", "all of it", spread, spread, cosine, spread if variant else None)


def test_a_variant_that_is_mostly_slower_is_warned_of() -> None:
    rows = (row("fp32", 0.9), row("int8", 0.95), row("binary", 1.2), row("openvino", 2.0, variant=False))
    warnings = Bench("b.pface", "0" * 64, "fp32", 1, 1, 9, rows, {}).warnings()
    assert warnings == ["binary is slower than fp32: 1.30 times its time (1.20 to 1.40 in half of the rounds)"]


def test_another_net_under_the_name_of_a_runtime_is_warned_of() -> None:
    rows = (row("fp32", 0.9), row("ncnn", 0.5, variant=False, cosine=0.02))
    assert "ncnn ran another net than fp32" in Bench("b.pface", "0" * 64, "fp32", 1, 1, 9, rows, {}).warnings()[0]


def test_what_slows_a_whole_round_cancels_out() -> None:
    milliseconds = np.array([[1.0, 2.0], [10.0, 20.0], [3.0, 6.0]])
    assert ratios(milliseconds, 0).tolist() == [[1, 2]] * 3


def test_each_has_its_turn_in_every_round_and_none_always_follows_the_same() -> None:
    turns: list[str] = []

    class Named(Runner):
        def __init__(self, name: str) -> None:
            self.name = name

        def run(self) -> npt.NDArray[np.float32]:
            turns.append(self.name)
            return np.zeros(1, np.float32)

    interleaved([Named("a"), Named("b")], 2, 1, QUIET)
    assert "".join(turns) == "aaabbb" + "ab" + "ba", "a warm-up of three each, then the rounds"


def test_the_process_is_held_to_its_processors_and_let_go_again() -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system does not hold processes to processors")
    before = os.sched_getaffinity(0)
    with pinned(1) as count:
        assert count == 1 == len(os.sched_getaffinity(0))
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("name", OTHERS)
def test_another_runtime_computes_what_torch_computes(name: str) -> None:
    pytest.importorskip(name)
    if name == "ncnn":
        pytest.importorskip("pnnx")
    model, picture = tiny_nets.tiny_model(), tiny_nets.images(1, seed=3)[0]
    batch = torch.from_numpy(picture[None]).permute(0, 3, 1, 2)
    expected = model.embed(batch).numpy()[0].astype(np.float64)
    got = other_runner(name, model, picture, 1).run().astype(np.float64)
    # Float32 sums in another order.
    assert got @ expected / np.linalg.norm(got) / np.linalg.norm(expected) > 1 - 1e-5


def test_an_unknown_runtime_is_refused_by_name() -> None:
    with pytest.raises(RecipeError, match="--against tensorrt: expected some of onnxruntime, openvino, ncnn"):
        other_runner("tensorrt", tiny_nets.tiny_model(), tiny_nets.images(1)[0], 1)


def test_a_bundle_of_other_weights_asks_for_the_model_to_compare(face_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(face_bundle), "--against", "onnxruntime", "--quiet"]) == 2
    assert "--against: give --weights, the model for other runtimes" in capsys.readouterr().err
