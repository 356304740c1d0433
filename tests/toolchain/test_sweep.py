"""A sweep of the tiny recipe on Ray, in two processes of this machine: names and values, what is kept, the front and what is written."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from runtime_py.bundle import InputContract
from runtime_py.errors import BundleError
from tests.conftest import RECIPE, Built
from toolchain.bundling import build
from toolchain.cli import main
from toolchain.distill import Distill, Teacher
from toolchain.errors import RecipeError
from toolchain.recipe import Recipe
from toolchain.recipes import find_recipe
from toolchain.report import sweep_page
from toolchain.sweep import on_ray
from toolchain.sweep.points import Row, SweepOrder
from toolchain.sweep.settings import meant, point_recipe
from toolchain.sweep.sweep import Swept, point_key
from toolchain.training.loop import Phase, TrainSettings

TINY: Recipe = find_recipe(str(RECIPE))


def test_a_name_may_be_short_and_means_what_is_nearest_to_the_top() -> None:
    assert meant(TINY, "width") == meant(TINY, "backbone.width") == {("backbone", "width")}
    assert meant(find_recipe("mobilefacenet_ec"), "width") == {("backbone", "width")}, "not its teacher's"
    both = {("binary", "Palettize", "clusters"), ("clustered", "Palettize", "clusters")}
    assert meant(TINY, "clusters") == meant(TINY, "Palettize.clusters") == both
    assert meant(TINY, "clustered.clusters") == {("clustered", "Palettize", "clusters")}


def test_a_setting_changes_its_field_alone() -> None:
    found = point_recipe(TINY, {"clustered.clusters": "16", "learning_rate": "0.001"})
    clusters = {variant.name: variant.stages[-1] for variant in found.variants if variant.name in ("binary", "clustered")}
    assert {name: stage.clusters for name, stage in clusters.items()} == {"binary": 64, "clustered": 16}  # type: ignore[attr-defined]
    assert found.train[0].settings.phases[0].learning_rate == 0.001  # type: ignore[attr-defined]
    assert dataclasses.replace(found, variants=TINY.variants, train=TINY.train) == TINY


def test_weights_are_trained_anew_only_where_the_net_or_its_training_changes() -> None:
    default = find_recipe("default")
    assert point_recipe(default, {"clustered.clusters": "16"}).weights == default.weights
    assert point_recipe(default, {"width": "0.25"}).weights is None


def test_a_point_is_known_by_its_teachers_bytes_too(tmp_path: Path) -> None:
    path = tmp_path / "t.onnx"
    stage = Distill((Teacher(path, InputContract(32, 32)),), TrainSettings((Phase(1),)))
    keys = set()
    for data in (b"one", b"two"):
        path.write_bytes(data)
        keys.add(point_key(build.Order(dataclasses.replace(TINY, train=(stage,)), None, None, None, ()), "faces"))
    assert len(keys) == 2
    path.unlink()
    shipped = dataclasses.replace(find_recipe("default"), train=(stage,))
    assert point_key(build.Order(shipped, None, None, None, ()), "faces"), "no teacher is read where weights come with the recipe"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"widht": "0.5"}, "has no such field; it has .*backbone.width"),
        ({"width": "half"}, "backbone.width: expected a number, such as its 0.125 now, got 'half'"),
        ({"clustered.clusters": "16.5"}, "expected a whole number"),
        ({"width": "0.3"}, "MobileFaceNet.width: expected one of"),
    ],
)
def test_names_and_values_that_make_no_sense_are_refused(settings: dict[str, str], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        point_recipe(TINY, settings)


def row(stored: int, accuracy: float) -> Row:
    return Row({"width": "0.5"}, "fp32", stored, accuracy, 1.0, 0.5, (), "here:1")


def test_the_front_holds_what_nothing_else_is_both_as_small_and_as_accurate_as(tmp_path: Path) -> None:
    swept = Swept((row(100, 0.9), row(200, 0.9), row(200, 0.95), row(300, 0.8), row(100, 0.9)), {"width=2": "no memory"})
    assert swept.front() == [True, False, True, False, True]
    sweep_page.write_sweep(tmp_path / "out", "net", swept)
    assert [item["on_front"] for item in json.loads((tmp_path / "out" / "sweep.json").read_text())["rows"]] == swept.front()
    assert (tmp_path / "out" / "sweep.md").read_text().count("| yes |") == 3
    page = (tmp_path / "out" / "sweep.html").read_text()
    assert "<script" not in page and "width=2: no memory" in page and "Pareto front: 100 bytes 90.00 %" in page
    assert (tmp_path / "out" / "sweep.svg").read_text().startswith("<svg xmlns=")
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    sweep_page.write_sweep(tmp_path / "out", "net", Swept((), {"width=2": "no memory"}))
    held = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert held == ["sweep.html", "sweep.json", "sweep.md", "thesis.txt"], "no plot of an earlier sweep, and what is not its own"


def test_a_cluster_that_does_not_answer_is_said_at_once(built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for address in ("127.0.0.1:1", "nowhere"):
        command = ["sweep", str(RECIPE), "--images", str(built.faces), "--set", "width=0.25", "--address", address, "--quiet"]
        assert main([*command, "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "out")]) == 2
        assert f"no Ray cluster answers at {address}" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("error", [RecipeError("too wide"), BundleError("too wide"), OSError("too wide")])
def test_what_fails_in_a_worker_is_the_points_own_reason(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*given: object) -> None:
        raise error

    monkeypatch.setattr(on_ray, "measure_point", fail)
    monkeypatch.setattr(on_ray.build, "train", fail)
    order = SweepOrder(str(RECIPE), {}, ())
    assert on_ray._train(order, {}) == on_ray._measure(order, {}, None) == "too wide"


def test_what_ray_raises_is_the_points_own_reason() -> None:
    exceptions = pytest.importorskip("ray.exceptions")
    trace = "Traceback (most recent call last):\n  File ...\nValueError: no such shape\n"
    for raised, said in (
        (exceptions.RayTaskError("measure", trace, ValueError("no such shape")), "ValueError: no such shape"),
        (exceptions.WorkerCrashedError(), "its process died"),
        (exceptions.OutOfMemoryError("A node ran out of memory.\nMemory on it: ..."), "Ray lost it (A node ran out of memory."),
        (exceptions.RayError("connection lost"), "Ray lost it (connection lost)"),
    ):

        def get(reference: object, raised: Exception = raised) -> None:
            raise raised

        found = on_ray._outcome(SimpleNamespace(get=get, exceptions=exceptions), None)
        assert isinstance(found, str) and found.startswith(said) and "\n" not in found


def test_two_processes_make_the_points_and_a_second_run_takes_what_is_kept(
    built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recipe's own 32 clusters, which the bundle's build kept, and 300, which are refused before anything runs; then 16."""
    command = ["sweep", str(RECIPE), "--images", str(built.faces), "--variants", "clustered", "--jobs", "2", "--cache", str(built.cache)]
    command += ["--out", str(tmp_path / "out"), "--json", "--quiet"]
    assert main([*command, "--set", "clustered.clusters=32,300"]) == 2
    assert "Palettize.clusters: expected 2 to 255" in capsys.readouterr().err
    trained = {path: path.stat().st_mtime_ns for path in (built.cache / "stages").glob("*.safetensors")}
    assert main([*command, "--set", "clustered.clusters=32,16"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {item["settings"]["clustered.clusters"]: item for item in found["rows"]}
    stored = next(item["bytes"]["stored"] for item in built.report["variants"] if item["name"] == "clustered")
    assert rows["32"]["stored"] == stored > rows["16"]["stored"] and rows["16"]["on_front"]
    assert all(0 < item["accuracy"] <= 1 for item in rows.values()) and not found["failed"]
    workers = {item["worker"].rpartition(":")[2] for item in rows.values()}
    assert len(workers) == 2 and str(os.getpid()) not in workers
    assert trained.items() <= {path: path.stat().st_mtime_ns for path in (built.cache / "stages").glob("*.safetensors")}.items()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["sweep.html", "sweep.json", "sweep.md", "sweep.svg"]
    # One more point: what was measured is taken as it is, with its worker of then.
    assert main([*command, "--set", "clustered.clusters=16,32"]) == 0
    again = {item["settings"]["clustered.clusters"]: item for item in json.loads(capsys.readouterr().out)["rows"]}
    assert again == rows
