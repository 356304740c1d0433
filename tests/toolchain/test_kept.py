"""Kept results: found again only for what they were made from, and never believed when damaged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from runtime_py.bundle import InputContract
from toolchain.data.faces import Faces
from toolchain.distill import Distill, Inherit, Teacher
from toolchain.encodings import Binary, Palette
from toolchain.errors import DataError
from toolchain.kept import Kept, KeptBytes, own_key, read_result, shipped_key, write_result
from toolchain.model import Model
from toolchain.progress import Progress
from toolchain.stage import Context, Stage
from toolchain.training.loop import Phase, TrainSettings


@dataclass(frozen=True)
class Shift(Stage):
    """Adds `by` to every bias; counts how often it ran."""

    trains: ClassVar[bool] = True
    runs: ClassVar[list[Path]] = []
    by: float = 1.0

    def transform(self, model: Model, context: Context) -> Model:
        self.runs.append(context.work)
        return model.with_weights({name: value + self.by for name, value in model.net.state_dict().items() if name.endswith("bias")})


def tiny() -> Model:
    torch.manual_seed(0)
    return Model(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 4)), InputContract(4, 4))


def encoded() -> Model:
    """The tiny model with one encoding of each kind and a range."""
    model = tiny()
    scale = np.array([0.5, 0.25, 1.0, 2.0], np.float32)
    signs = Binary(np.random.default_rng(0).random((4, 3, 3, 3)) < 0.5, scale)
    palette = Palette(np.array([-3, 0, 7], np.int8), np.random.default_rng(1).integers(0, 3, (4, 16)).astype(np.uint8), scale)
    return replace(model.with_weights({"0.weight": signs, "3.weight": palette}), ranges={"embedding": (-1.5, 2.0)})


def faces(seed: int) -> Faces:
    pixels = np.random.default_rng(seed).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    return Faces(pixels, ("a/0.png", "b/0.png"))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    Shift.runs.clear()
    return Context(tmp_path / "work", faces=faces(0), progress=Progress(quiet=True))


def test_a_result_comes_back_with_its_weights_encodings_and_ranges(tmp_path: Path) -> None:
    before, after = tiny(), encoded()
    write_result(tmp_path / "r.safetensors", before, after)
    again = read_result(tmp_path / "r.safetensors", before)
    assert again.fingerprint() == after.fingerprint()
    assert dict(again.ranges) == {"embedding": (-1.5, 2.0)}
    assert isinstance(again.encodings["0.weight"], Binary) and isinstance(again.encodings["3.weight"], Palette)


def test_an_encoding_that_a_stage_drops_stays_dropped(tmp_path: Path) -> None:
    before = encoded()
    after = before.with_weights({"0.weight": before.net.state_dict()["0.weight"]})  # the same values, stored as floats
    write_result(tmp_path / "r.safetensors", before, after)
    assert set(read_result(tmp_path / "r.safetensors", before).encodings) == {"3.weight"}


def test_only_what_changed_is_stored(tmp_path: Path) -> None:
    before = tiny()
    write_result(tmp_path / "same", before, before)
    write_result(tmp_path / "changed", before, before.with_weights({"3.weight": torch.zeros(4, 16)}))
    assert 4 * 16 * 4 <= (tmp_path / "changed").stat().st_size - (tmp_path / "same").stat().st_size < 4 * 16 * 4 + 200  # its header


def test_the_same_stage_model_images_and_seed_run_once(context: Context, tmp_path: Path) -> None:
    kept = Kept(tmp_path / "own", tmp_path / "none")
    first = kept.apply(Shift(), tiny(), context)
    second = kept.apply(Shift(), tiny(), context)
    assert len(Shift.runs) == 1 and first.fingerprint() == second.fingerprint()


def test_another_setting_model_image_or_seed_runs_again(context: Context, tmp_path: Path) -> None:
    kept = Kept(tmp_path / "own", tmp_path / "none")
    kept.apply(Shift(), tiny(), context)
    kept.apply(Shift(by=2.0), tiny(), context)
    kept.apply(Shift(), encoded(), context)
    kept.apply(Shift(), tiny(), replace(context, faces=faces(1)))
    kept.apply(Shift(), tiny(), replace(context, seed=1))
    assert len(Shift.runs) == 5
    assert len(set(Shift.runs)) == 5, "each has a working folder of its own, so that no run goes on from another's checkpoint"


def test_another_teacher_of_the_same_name_makes_another_key(context: Context, tmp_path: Path) -> None:
    path = tmp_path / "t.onnx"
    teacher = Teacher(path, InputContract(4, 4))
    settings = TrainSettings((Phase(1),))
    for stage in (Distill((teacher,), settings), Inherit(teacher, (teacher,))):
        keys = []
        for data in (b"one", b"two"):
            path.write_bytes(data)
            keys.append((own_key(stage, tiny(), context), shipped_key(stage, tiny())))
        path.unlink()
        assert keys[0][0] != keys[1][0]
        assert keys[0][1] == keys[1][1] == shipped_key(stage, tiny()), "what comes with the package is found without the teachers"
        with pytest.raises(DataError, match="t.onnx"):
            own_key(stage, tiny(), context)


def test_what_comes_with_the_package_is_found_without_images(context: Context, tmp_path: Path) -> None:
    model, shipped = tiny(), tmp_path / "shipped"
    write_result(shipped / f"{shipped_key(Shift(), model)}.safetensors", model, encoded())
    kept = Kept(tmp_path / "own", shipped)
    found = kept.find(Shift(), model, replace(context, faces=None))
    assert found is not None and found.fingerprint() == encoded().fingerprint()
    assert kept.find(Shift(by=2.0), model, replace(context, faces=None)) is None
    assert not Shift.runs


def test_a_damaged_result_of_ones_own_is_made_again(context: Context, tmp_path: Path) -> None:
    kept = Kept(tmp_path / "own", tmp_path / "none")
    expected = kept.apply(Shift(), tiny(), context)
    path = tmp_path / "own" / f"{own_key(Shift(), tiny(), context)}.safetensors"
    data = bytearray(path.read_bytes())
    for damage in (data[:-1], data[:-1] + bytes([data[-1] ^ 64]), b""):
        path.write_bytes(damage)
        assert kept.apply(Shift(), tiny(), context).fingerprint() == expected.fingerprint()
        assert path.read_bytes() == bytes(data)


def test_a_damaged_result_of_the_package_is_an_error(context: Context, tmp_path: Path) -> None:
    path = tmp_path / f"{shipped_key(Shift(), tiny())}.safetensors"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(DataError, match="damaged"):
        Kept(tmp_path / "own", tmp_path).apply(Shift(), tiny(), context)


def test_a_training_stage_may_not_change_layers(tmp_path: Path) -> None:
    other = Model(nn.Sequential(nn.Linear(2, 2)), InputContract(4, 4))
    with pytest.raises(DataError, match="layers"):
        write_result(tmp_path / "r.safetensors", tiny(), other)
    assert not (tmp_path / "r.safetensors").exists()


def test_bytes_are_made_once_and_again_where_they_were_damaged(tmp_path: Path) -> None:
    kept, made = KeptBytes(tmp_path), []

    def make() -> bytes:
        made.append("once")
        return b"forty-two"

    assert kept.get("key", make) == kept.get("key", make) == b"forty-two" and len(made) == 1
    (path,) = tmp_path.iterdir()
    held = path.read_bytes()
    for damaged in (held[:-1] + b"O", bytes(32) + held[32:], held[:-1], held + b"!", held[:20], b""):
        path.write_bytes(damaged)
        made.clear()
        assert kept.get("key", make) == b"forty-two" and made == ["once"] and path.read_bytes() == held
    assert kept.get("another", lambda: b"") == b"" and kept.get("another", make) == b"", "nothing is something too"
