"""The tables are made whole by a command, beside their authors' figures, and again from what was kept. One step a net: what is learnt
is not judged here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from toolchain.cli import main
from toolchain.data import synthetic
from toolchain.errors import RecipeError
from toolchain.recipes import find_recipe
from toolchain.tables import find_table, table_names


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four drawn people with ten faces each, and one with too few."""
    folder = tmp_path_factory.mktemp("people")
    drawn = synthetic.faces(5, 10)
    for name, image in zip(drawn.names[:43], drawn.images[:43], strict=True):
        path = (folder / name).with_suffix(".png")
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


def test_the_module_table_is_the_authors_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "modules", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["weights"] for row in rows] == [1_179_648, 180_224, 133_376, 49_728]
    assert all(row["weights"] == row["authors_weights"] for row in rows)
    assert [round(100 * row["saved"], 2) for row in rows] == [0.0, 84.72, 88.69, 95.78]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(("name", "nets"), [("layer-substitution", 7), ("prioritisation", 8), ("small-nets", 9), ("xnor", 6)])
def test_a_table_that_trains_is_written_and_made_again_from_what_was_kept(
    name: str, nets: int, people: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["table", name, "--images", str(people), "--steps", "1", "--seeds", "1", "--cache", str(cache)]
    out = tmp_path / "table.md"
    assert main([*arguments, "--out", str(out), "--json", "--quiet"]) == 0
    first = json.loads(capsys.readouterr().out)["rows"]
    assert len(first) == nets
    # Four people of ten images: two of each are held. The fifth person has three images, fewer than ten.
    assert all((row["top1"][0]["probes"], row["top1"][0]["identities"]) == (8, 4) for row in first)
    lines = out.read_text().splitlines()
    assert len([line for line in lines if line.startswith("| ")]) == nets + 1
    assert any(f"toolchain table {name}" in line for line in lines)
    checkpoints = {path: path.stat().st_mtime_ns for path in (cache / "tables").glob("*/*.safetensors")}
    assert main([*arguments, "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == first
    assert checkpoints == {path: path.stat().st_mtime_ns for path in (cache / "tables").glob("*/*.safetensors")}


def test_quantized_nets_take_the_bytes_that_their_bits_say_beside_the_authors(
    people: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nets are those that the layer substitution kept."""
    arguments = ["--images", str(people), "--steps", "1", "--seeds", "1", "--cache", str(cache), "--json", "--quiet"]
    assert main(["table", "weight-quantization", *arguments]) == 0
    whole, *rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["bits"] for row in rows] == [6, 9, 8, 10]
    for row in rows:
        # Biases and codes of 2 bytes are a hundredth of a Flame net; batch norm, folded, and its biases less than that of the others.
        assert row["bytes"] == pytest.approx(row["fp32_bytes"] * row["bits"] / 32, rel=0.01)
        assert row["bits"] - 3 < row["entropy_bits"] < row["bits"] and row["top1"][0]["probes"] == 8
    assert rows[0]["fp32_bytes"] == whole["bytes"] and rows[0]["saved"] == pytest.approx(
        rows[0]["authors"]["saved_percent"] / 100, abs=1e-3
    )


def test_quantization_methods_stand_side_by_side_on_one_net(people: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--images", str(people), "--steps", "1", "--cache", str(cache), "--json", "--quiet"]
    assert main(["table", "quantization-methods", *arguments]) == 0
    plain, convolutions, _, whole, centred, binary = json.loads(capsys.readouterr().out)["rows"]
    assert centred["bytes"] == whole["bytes"] and centred["method"] == whole["method"] + ", centred"
    assert plain["bytes"] > convolutions["bytes"] > whole["bytes"] > binary["bytes"]
    # A classifier of 2,360 × 512 weights stays floats, 26 bits more each.
    assert convolutions["bytes"] - whole["bytes"] == 2360 * 512 * 26 / 8
    assert binary["entropy_bits"] <= 1


def test_tables_are_listed_and_unknown_ones_refused() -> None:
    assert {"layer-substitution", "modules", "small-nets"} <= set(table_names())
    with pytest.raises(RecipeError, match="no such table"):
        find_table("imagenet")


def test_every_table_is_on_the_page_and_every_page_that_it_names_is_there() -> None:
    docs = Path(__file__).parents[3] / "docs"
    page = (docs / "tables.md").read_text()
    assert [name for name in table_names() if f"`toolchain table {name}" not in page] == []
    assert [link for link in re.findall(r"\]\(([^)]+)\)", page) if not (docs / link).exists()] == []


def test_a_table_refuses_what_it_would_not_heed(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "low-rank", "--images", str(people), "--seeds", "5"]) == 2
    assert "--seeds: table low-rank has no use for it (it takes --full, --images, --steps); leave it out" in capsys.readouterr().err


def test_a_table_that_trains_asks_for_faces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "small-nets", "--cache", str(tmp_path)]) == 2
    assert "give labelled faces by --images" in capsys.readouterr().err


def test_the_flame_net_of_a_megabyte_stands_beside_vgg11(people: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--images", str(people), "--steps", "1", "--seeds", "1", "--cache", str(cache), "--json", "--quiet"]
    assert main(["table", "flame-1mb", *arguments]) == 0
    made = json.loads(capsys.readouterr().out)
    vgg, flame, quantized, coded = (row["bytes"] for row in made["rows"])
    assert vgg == pytest.approx(42e6, rel=0.01)
    assert quantized == pytest.approx(flame * 10 / 32, rel=0.01) and coded < quantized < 1.3e6
    assert sum("1.3 points" in note for note in made["notes"]) == 1


def test_a_recipe_is_found_by_hyphens_and_underscores_alike() -> None:
    assert find_recipe("flame-1mb") == find_recipe("flame_1mb")
