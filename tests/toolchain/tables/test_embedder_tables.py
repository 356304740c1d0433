"""The tables of MobileFaceNets, made whole on drawn people and again from what was kept. One step a net: what is learnt is not judged
here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.toolchain.tiny_teachers import exported, settled
from toolchain.backbones import MobileFaceNet
from toolchain.cli import main
from toolchain.data.faces import is_aside
from toolchain.recipes import find_recipe
from toolchain.tables import find_table


@pytest.fixture(scope="module")
def pairs(drawn_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds of two pairs of each kind, of the drawn people, whose images are named by numbers."""
    people = sorted(folder.name for folder in drawn_faces.iterdir())
    lines = ["2\t2"]
    for fold in (0, 1):
        one, other = people[2 * fold], people[2 * fold + 1]
        lines += [f"{person}\t0\t1" for person in (one, other)]
        lines += [f"{one}\t{number}\t{other}\t{number}" for number in (0, 1)]
    path = tmp_path_factory.mktemp("pairs") / "pairs.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def made(name: str, faces: Path, pairs: Path, cache: Path, out: Path) -> list[str]:
    arguments = ["table", name, "--images", str(faces), "--lfw", str(faces), "--pairs", str(pairs), "--steps", "1", "--seeds", "1"]
    return [*arguments, "--cache", str(cache), "--out", str(out), "--json", "--quiet"]


def test_the_assignment_and_the_widths_are_made_and_made_again_from_what_was_kept(
    drawn_faces: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, out = tmp_path / "cache", tmp_path / "table.md"
    command = made("assignment", drawn_faces, pairs, cache, out)
    assert main(command) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    recipes = [row["recipe"] for row in rows]
    assert recipes == ["mobilefacenet_full", "mobilefacenet", *(f"mobilefacenet_{how}" for how in ("pc", "fc", "cc", "ec"))]
    widths = [find_recipe(name).backbone.width for name in recipes]  # type: ignore[union-attr]
    assert widths == [1.0, 0.5, 0.5, 0.5, 0.5, 0.5]
    aside = sum(is_aside(folder.name) for folder in drawn_faces.iterdir())
    for row in rows:
        (seed,) = row["seeds"]
        assert seed["people"]["rank1"]["identities"] == aside and seed["people"]["rank1"]["probes"] == 7 * aside
        assert 8 * seed["lfw"] in range(9), "two folds of four pairs"
    assert any("toolchain table assignment" in line for line in out.read_text().splitlines())
    # Six nets: two from scratch, the wide one the teacher of the other four.
    kept = sorted([*cache.glob("shared/teachers/*/train.safetensors"), *cache.glob("stages/*.safetensors")])
    assert len(kept) == 6
    stamps = {path: path.stat().st_mtime_ns for path in kept}
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == rows
    # Each width costs a conversion: one of the five is enough here.
    monkeypatch.setattr(find_table("widths"), "_ROWS", find_table("widths")._ROWS[2:3])
    assert main(made("widths", drawn_faces, pairs, cache, out)) == 0
    (half,) = json.loads(capsys.readouterr().out)["rows"]
    assert half["width"] == 0.5 and half["multiply_adds"] == rows[1]["multiply_adds"] + 256 * (512 - 128), "512 numbers in place of 128"
    assert half["milliseconds"] > 0 and half["tflite_bytes"] > 4 * half["parameters"] * 0.95
    assert half["seeds"] == rows[1]["seeds"], "the very net of the assignment"
    assert stamps == {path: path.stat().st_mtime_ns for path in kept}, "nothing was trained again"


def test_images_of_a_protocol_need_their_pairs(drawn_faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "assignment", "--images", str(drawn_faces), "--lfw", str(drawn_faces)]) == 2
    assert "--lfw and --pairs belong together" in capsys.readouterr().err


def test_each_lever_is_tried_alone_and_judged_by_the_teacher_on_faces_kept_aside(
    drawn_faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a small teacher of our own in the place of the recipe's, and a narrow net."""
    torch.manual_seed(0)
    wide = exported(settled(MobileFaceNet(width=0.25, embedding_size=16).build(), 0), tmp_path / "wide.onnx")
    table = find_table("levers")
    monkeypatch.setattr(table, "Y1", wide)
    monkeypatch.setattr(table, "RECIPE", replace(table.RECIPE, backbone=replace(table.RECIPE.backbone, width=0.125)))
    monkeypatch.setattr(table, "FACES", 40)
    unlabelled = tmp_path / "faces" / "unlabelled"
    unlabelled.mkdir(parents=True)
    for path in sorted(drawn_faces.glob("*/*1.png"))[:6]:
        (unlabelled / f"{path.parent.name}.png").write_bytes(path.read_bytes())
    arguments = ["table", "levers", "--images", str(drawn_faces), str(tmp_path / "faces"), "--steps", "1", "--seeds", "1"]
    assert main([*arguments, "--cache", str(tmp_path / "cache"), "--json", "--quiet"]) == 0
    printed = json.loads(capsys.readouterr().out)
    rows = printed["rows"]
    assert all(-1 <= row["aside_cosine"][0] <= 1 for row in rows)
    first = rows[0]["stage"]
    changed = [{name for name in row["stage"] if row["stage"][name] != first.get(name)} for row in rows]
    live = [{"live"}, {"live", "mixup"}, {"live", "cut"}, {"live", "maps"}]
    assert changed == [set(), {"views"}, {"settings"}, set(), *live, {"by"}, {"even"}, set()]
    assert [row["after"] is None for row in rows] == [True] * 10 + [False]
    assert rows[3]["aside_cosine"] != rows[0]["aside_cosine"], "the row of the unlabelled faces saw others"
    assert "40 labelled faces, 6 unlabelled ones" in printed["notes"][0]
    assert "from what it inherits of wide.onnx" in printed["notes"][2]
