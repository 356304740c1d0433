"""The one training loop: it learns, resumes exactly, gives the same bytes for a seed, and runs on several processes."""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from runtime_py.bundle import InputContract
from toolchain.backbones import MobileFaceNet
from toolchain.data.augment import Augment
from toolchain.data.faces import Faces
from toolchain.errors import DataError, RecipeError, ToolchainError
from toolchain.losses import ArcFace, Train
from toolchain.model import Model
from toolchain.progress import Progress
from toolchain.stage import Context
from toolchain.training.loop import Batch, Phase, TrainSettings, fit

QUIET = Progress(quiet=True)


def blobs(people: int = 4, each: int = 8) -> Faces:
    """Images of one colour a person with noise: enough for a loop to learn from, made in a moment."""
    random = np.random.default_rng(0)
    colours = random.integers(40, 215, (people, 1, 1, 3))
    images = np.concatenate([np.clip(colour + random.normal(0, 12, (each, 112, 112, 3)), 0, 255) for colour in colours])
    return Faces(images.astype(np.uint8), tuple(f"p{row // each}/{row % each}.png" for row in range(people * each)))


def net() -> nn.Module:
    torch.manual_seed(0)
    return MobileFaceNet(width=0.125, embedding_size=16).build()


class ToColour(nn.Module):
    """A target that can be learnt: the mean colour."""

    def __init__(self, stop_after: int | None = None) -> None:
        super().__init__()
        self.calls, self.stop_after = 0, stop_after

    def forward(self, net: nn.Module, batch: Batch) -> Tensor:
        if self.calls == self.stop_after:
            raise KeyboardInterrupt
        self.calls += 1
        return functional.mse_loss(net(batch.images)[:, :3], batch.images.mean((2, 3)))


SETTINGS = TrainSettings(phases=(Phase(6, 32, 2e-3), Phase(2, 48, 1e-3)), batch=8, checkpoint_every=3)
CONTRACT = InputContract.parse("rgb,-1..1")


def weights(net: nn.Module) -> bytes:
    return b"".join(value.numpy().tobytes() for value in net.state_dict().values())


def trained(work: Path, seed: int = 0) -> bytes:
    student = net()
    fit(student, ToColour(), blobs(), CONTRACT, SETTINGS, Context(work, seed=seed, progress=QUIET), "run")
    return weights(student)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first = trained(tmp_path / "a")
    assert trained(tmp_path / "b") == first != trained(tmp_path / "c", seed=1)


def test_a_stopped_run_goes_on_exactly(tmp_path: Path) -> None:
    student = net()
    context = Context(tmp_path / "stopped", progress=QUIET)
    with pytest.raises(KeyboardInterrupt):
        fit(student, ToColour(stop_after=5), blobs(), CONTRACT, SETTINGS, context, "run")
    assert float(torch.tensor(1e-40) / 2) > 0  # denormal floats are flushed while it trains, and no longer
    again = net()  # as a new process would start
    fit(again, ToColour(), blobs(), CONTRACT, SETTINGS, context, "run")
    assert weights(again) == trained(tmp_path / "whole")


@pytest.mark.parametrize(("optimizer", "precision"), [("muon", "32-true"), ("adamw", "32-true"), ("adamw", "bf16-mixed")])
def test_it_learns_and_logs_json_lines(
    tmp_path: Path, optimizer: Literal["muon", "adamw"], precision: Literal["32-true", "bf16-mixed"]
) -> None:
    student, faces = net(), blobs()
    settings = TrainSettings((Phase(60, 32, 3e-3),), batch=8, optimizer=optimizer, precision=precision, validate_every=20)
    images = torch.from_numpy(faces.images).permute(0, 3, 1, 2).float() / 127.5 - 1
    images = functional.interpolate(images, size=(32, 32), mode="area")

    def error(trained: nn.Module) -> dict[str, float]:
        with torch.no_grad():
            return {"error": float(functional.mse_loss(trained.eval()(images)[:, :3], images.mean((2, 3))))}

    before = error(student)["error"]
    fit(student, ToColour(), faces, CONTRACT, settings, Context(tmp_path, progress=QUIET), "run", error)
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [20, 40, 60]
    assert lines[-1]["error"] < 0.5 * before


def test_arcface_training_pulls_a_persons_faces_together(tmp_path: Path) -> None:
    faces = Faces(np.ascontiguousarray(blobs().images[:, :48, :48]), blobs().names)
    model = Model(net(), InputContract.parse("rgb,-1..1", 48, 48))
    settings = TrainSettings(phases=(Phase(100, 48, 3e-3),), batch=16, augment=Augment(brightness=0, saturation=0, contrast=0))
    before = model.fingerprint()
    result = Train(ArcFace(scale=16, margin_radians=0.2), settings).apply(model, Context(tmp_path, faces=faces, progress=QUIET))
    images = torch.from_numpy(faces.images).permute(0, 3, 1, 2)
    same = torch.from_numpy(faces.labels)[:, None] == torch.from_numpy(faces.labels)[None]

    def gap(embeddings: Tensor) -> float:
        cosines = embeddings @ embeddings.T
        return float(cosines[same].mean() - cosines[~same].mean())

    assert gap(result.embed(images)) > gap(model.embed(images)) + 0.1
    assert model.fingerprint() == before


def shallow() -> nn.Module:
    """Two convolutions with batch norm: so shallow that rounding does not grow within a few steps."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16)]
    return nn.Sequential(*layers, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Recorded(ToColour):
    """Keeps the loss of every step of this process, and kills the process before a step if asked."""

    def __init__(self, killed_at: int | None = None) -> None:
        super().__init__()
        self.losses: list[float] = []
        self.killed_at = killed_at

    def forward(self, net: nn.Module, batch: Batch) -> Tensor:
        if len(self.losses) == self.killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        loss = super().forward(net, batch)
        self.losses.append(float(loss.detach()))
        return loss


def recorded_run(work: Path, killed_at: int | None = None) -> list[float]:
    """The loss of every step, the mean over processes where there are several."""
    objective = Recorded(killed_at)
    fit(shallow(), objective, blobs(), CONTRACT, SETTINGS, Context(work, progress=QUIET), "run")
    curve = torch.tensor(objective.losses, dtype=torch.float64)
    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(curve)
        curve /= torch.distributed.get_world_size()
    return curve.tolist()


def python(script: Path, *launcher: str) -> subprocess.CompletedProcess[str]:
    """Runs `script` in a process of its own, which can import these tests."""
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run([sys.executable, *launcher, str(script)], cwd=root, env=environment, capture_output=True, text=True)


def kept_tensors(work: Path) -> dict[str, Tensor]:
    return load_file(work / "run.safetensors")


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    """The same faces with the same augmentation, one batch norm, the mean of both gradients: what differs is the order of the sums.

    A float32 sum of n terms errs by about sqrt(n) * 2^-24, 3e-6 for a map of 16 x 16 pixels of 8 faces: so much may the first loss differ,
    and was seen to by 1e-6 over all steps. In a deeper net the optimiser, which divides each gradient by its own size, makes more of it.
    """
    script = tmp_path / "two.py"
    script.write_text(
        "import json, torch\n"
        "from pathlib import Path\n"
        "from tests.toolchain.training.test_train import recorded_run\n"
        f"work = Path({str(tmp_path / 'two')!r})\n"
        "curve = recorded_run(work)\n"
        "if torch.distributed.get_rank() == 0:\n"
        "    (work / 'curve.json').write_text(json.dumps(curve))\n"
    )
    done = python(script, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    assert done.returncode == 0, done.stderr[-2000:]
    two, one = json.loads((tmp_path / "two" / "curve.json").read_text()), recorded_run(tmp_path / "one")
    assert len(one) == SETTINGS.steps and two[0] == pytest.approx(one[0], rel=1e-5) and two == pytest.approx(one, rel=1e-4)
    ours, theirs = kept_tensors(tmp_path / "two"), kept_tensors(tmp_path / "one")
    assert ours.keys() == theirs.keys()
    running = [name for name in ours if "running_" in name]
    assert running and all(torch.allclose(ours[name], theirs[name], rtol=1e-2, atol=1e-3) for name in running)


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    """SIGKILL, which no process can prepare for, in the middle of a step."""
    script = tmp_path / "killed.py"
    work = tmp_path / "killed"
    script.write_text(
        "from pathlib import Path\nfrom tests.toolchain.training.test_train import recorded_run\n"
        f"recorded_run(Path({str(work)!r}), killed_at=5)\n"
    )
    assert python(script).returncode == -signal.SIGKILL
    rest = recorded_run(work)
    whole = recorded_run(tmp_path / "whole")
    assert rest == whole[3:], "from the checkpoint after step 3 on"
    assert all(torch.equal(value, kept_tensors(work)[name]) for name, value in kept_tensors(tmp_path / "whole").items())


@pytest.mark.parametrize(("device", "asked"), [("cpu", ("cpu", 1)), ("cuda", ("cuda", 1)), ("cuda:1", ("cuda", [1]))])
def test_it_runs_on_the_device_that_was_asked_for(
    device: str, asked: tuple[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SeenError(Exception):
        pass

    def fabric(accelerator: str, devices: object, **_: object) -> None:
        raise SeenError(accelerator, devices)

    monkeypatch.setattr("toolchain.training.loop.Fabric", fabric)
    with pytest.raises(SeenError) as seen:
        fit(net(), ToColour(), blobs(), CONTRACT, SETTINGS, Context(tmp_path, device=device, progress=QUIET), "run")
    assert seen.value.args == asked


def test_too_few_faces_and_foreign_checkpoints_are_refused(tmp_path: Path) -> None:
    context = Context(tmp_path, progress=QUIET)
    with pytest.raises(DataError, match="at least 8 faces"):
        fit(net(), ToColour(), blobs(1, 4), CONTRACT, SETTINGS, context, "run")
    fit(net(), ToColour(), blobs(), CONTRACT, SETTINGS, context, "run")
    other = MobileFaceNet(width=0.25, embedding_size=16).build()
    with pytest.raises(DataError, match="another net"):
        fit(other, ToColour(), blobs(), CONTRACT, SETTINGS, context, "run")


class Blurred(ToColour):
    """Keeps the rows of each batch whose fine stripes are gone."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[int]] = []

    def forward(self, net: nn.Module, batch: Batch) -> Tensor:
        self.rows.append(batch.index[batch.images.std((1, 2, 3)) < 0.9].tolist())
        return super().forward(net, batch)


class Diverging(ToColour):
    """Makes of its loss what `broken` does, from a step on."""

    def __init__(self, at: int, broken: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.at, self.broken = at, broken

    def forward(self, net: nn.Module, batch: Batch) -> Tensor:
        loss = super().forward(net, batch)
        return loss if self.calls <= self.at else self.broken(loss)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda loss: loss * math.nan, "loss is nan"),
        (lambda loss: loss + math.inf, "loss is inf"),
        (lambda loss: (loss - loss.detach()).sqrt(), "gradient is (inf|nan)"),  # 0, with a slope that is infinite
    ],
)
def test_training_that_comes_to_no_number_stops_and_keeps_the_last_checkpoint(
    tmp_path: Path, broken: Callable[[Tensor], Tensor], said: str
) -> None:
    context = Context(tmp_path, progress=QUIET)
    with pytest.raises(ToolchainError, match=f"run: the {said} at step 6; lower the learning rate; the checkpoint of step 3 is kept"):
        fit(shallow(), Diverging(5, broken), blobs(), CONTRACT, SETTINGS, context, "run")
    assert all(bool(tensor.isfinite().all()) for tensor in kept_tensors(tmp_path).values())
    with pytest.raises(ToolchainError, match="at step 1; lower the learning rate; there is no checkpoint yet"):
        fit(shallow(), Diverging(0, broken), blobs(), CONTRACT, SETTINGS, replace(context, work=tmp_path / "fresh"), "run")


def test_a_damaged_checkpoint_and_one_that_cannot_be_written_are_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    recorded_run(tmp_path)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no checkpoint"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="run.safetensors: expected a checkpoint, got a damaged file .*; delete it"):
            recorded_run(tmp_path)
    script = tmp_path / "full.py"
    script.write_text(
        "import resource\nfrom pathlib import Path\n"
        "from tests.toolchain.training.test_train import recorded_run\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"recorded_run(Path({str(tmp_path / 'full')!r}))\n"
    )
    last = python(script).stderr.splitlines()[-1]
    assert "DataError" in last and "run.safetensors: cannot be written" in last
    assert not list((tmp_path / "full").iterdir())


def test_low_resolution_reaches_every_part_of_a_data_set(tmp_path: Path) -> None:
    """A batch comes in the order of the data set, in which faces of one source lie together."""
    stripes = np.zeros((64, 32, 32, 3), np.uint8)
    stripes[:, :, ::2] = 255  # each as wide as a pixel
    faces = Faces(stripes, tuple(f"p{row:02}/0.png" for row in range(64)))
    alone = Augment(flip=0, rotation_degrees=0, scale=0, shift=0, brightness=0, contrast=0, saturation=0, low_resolution=1, erase=0)
    objective = Blurred()
    settings = TrainSettings((Phase(8, 32),), batch=16, augment=alone)
    fit(shallow(), objective, faces, CONTRACT, settings, Context(tmp_path, progress=QUIET), "run")
    assert [len(rows) for rows in objective.rows] == [8] * 8
    # Half of two epochs is 64 faces, of which the second half of the data set is about half.
    assert 16 < sum(row >= 32 for rows in objective.rows for row in rows) < 48


def test_each_phase_has_its_own_warm_up_and_rate() -> None:
    phase = Phase(100, learning_rate=1.0, warmup=0.1, final=0.1)
    rates = [phase.rate(step) for step in range(100)]
    assert rates[0] == 0.1 and rates[9] == 1.0 and max(rates) == 1.0
    assert rates[-1] == pytest.approx(0.1, abs=2e-3)  # one step before the cosine's end
    assert SETTINGS.at(5)[1] == 5 and SETTINGS.at(6) == (SETTINGS.phases[1], 0)


@pytest.mark.parametrize(
    ("settings", "bad"),
    [
        *((Phase, bad) for bad in ({"steps": 0}, {"pixels": 50}, {"warmup": 2}, {"warmup": math.nan}, {"final": -1})),
        *((Phase, {"learning_rate": rate}) for rate in (-1, 0, math.nan, math.inf)),
        *((TrainSettings, bad) for bad in ({"phases": ()}, {"batch": 1}, {"optimizer": "sgd"}, {"precision": "fp16"}, {"clip_norm": 0})),
        *((TrainSettings, {name: 0}) for name in ("checkpoint_every", "validate_every")),
        *((TrainSettings, {"weight_decay": decay}) for decay in (-1, math.nan)),
        *(
            (Augment, bad)
            for bad in ({"flip": 2}, {"scale": 2}, {"scale": 1}, {"shift": -3}, {"rotation_degrees": -1}, {"erase": math.nan})
        ),
        *((Augment, {name: value}) for name in ("brightness", "contrast", "saturation") for value in (-1, math.nan)),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: Callable[..., object], bad: dict[str, object]) -> None:
    least: dict[object, dict[str, object]] = {Phase: {"steps": 5}, TrainSettings: {"phases": (Phase(5),)}, Augment: {}}
    with pytest.raises(RecipeError, match=settings.__name__):
        settings(**{**least[settings], **bad})
