"""The command line: each command's own result, and one line for whatever is wrong with what it is given."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import toolchain
from runtime_py.bundle import Bundle
from tests.conftest import RECIPE, Built
from toolchain.bundling.golden import golden_photographs
from toolchain.cli import main
from toolchain.commands import commands
from toolchain.methods import FAMILIES, methods

COMMANDS = [name for name, _ in commands()]
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 4012345\n"


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory, built: Built) -> Path:
    """A folder with something of every bad kind, in every suffix that a command takes."""
    folder = tmp_path_factory.mktemp("bad")
    whole = built.bundle.read_bytes()
    contents = {
        "lfs": LFS,
        "pickle": pickle.dumps({"weight": np.zeros(4)}),
        "empty": b"",
        "text": b"not what was expected\n",
        "damaged": whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:],
        "cut": whole[:-100],
    }
    for kind, content in contents.items():
        for suffix in ("pface", "safetensors", "onnx", "tar", "jpg", "txt", "py"):
            (folder / f"{kind}.{suffix}").write_bytes(content)
    (folder / "folder").mkdir()
    return folder


KINDS = ("lfs", "pickle", "empty", "text", "missing")
BAD: dict[str, list[str]] = {
    "build": [
        "build nonesuch --target android-arm64",
        *[f"build {{bad}}/{kind}.py --target android-arm64" for kind in KINDS],
        *[f"build {{bad}}/{kind}.pface --target android-arm64" for kind in KINDS],
        *[f"build {{recipe}} --target android-arm64 --weights {{bad}}/{kind}.safetensors" for kind in KINDS],
        *[f"build {{recipe}} --target android-arm64 --weights {{bad}}/{kind}.onnx --input rgb,0..255" for kind in KINDS],
        "build {recipe} --target android-arm64 --weights {bad}/text.onnx",
        *[f"build {{recipe}} --target android-arm64 --images {{bad}}/{kind}.tar" for kind in KINDS],
        "build {recipe} --target android-arm64 --images {bad}/folder",
        "build {recipe} --target android-arm64 --images {faces} --accuracies {bad}/lfs.txt",
        "build {recipe} --target android-arm64",
        "build {recipe} --target android-arm64 --variants int4",
        "build {recipe} --target android-arm64 --images {faces} --allow int4",
        "build {recipe} --target android-arm64 --input rgb,0..255",
        "build {recipe} --target android-arm64 --images {faces} --out face.zip",
        "build {recipe} --target android-arm64 --images {faces} --cache {bad}/text.txt",
        "build {recipe} --target android-arm64 --images {faces} --out {bad}/text.txt/face.pface",
        "build {recipe} --target android-arm64 --images {faces} --device cuda:99",
        "build {recipe} --target android-arm64 --seed -1",
    ],
    "train": [
        "train nonesuch --images {faces} --out {out}",
        "train {bad}/pickle.py --images {faces} --out {out}",
        *[f"train {{recipe}} --images {{bad}}/{kind}.tar --out {{out}}" for kind in KINDS],
        "train {recipe} --images {bad}/folder --out {out}",
    ],
    "evaluate": [
        *[f"evaluate {{bad}}/{kind}.pface --images {{faces}}" for kind in (*KINDS, "damaged", "cut")],
        *[f"evaluate {{bad}}/{kind}.safetensors --images {{faces}}" for kind in KINDS],
        *[f"evaluate {{bad}}/{kind}.onnx --input rgb,0..255 --images {{faces}}" for kind in KINDS],
        *[f"evaluate {{bundle}} --images {{bad}}/{kind}.tar" for kind in KINDS],
        "evaluate {bundle} --images {bad}/folder",
        *[f"evaluate {{bundle}} --images {{faces}} --variant fp32 --pairs {{bad}}/{kind}.txt" for kind in KINDS],
        "evaluate {bundle} --images {faces} --variant int4",
        "evaluate {bundle} --images {faces} --input rgb,0..255",
        "evaluate {bundle} --images {faces} --variant fp32 --record {bad}/lfs.txt",
        *[f"evaluate {{bundle}} --images {{faces}} --variant fp32 --groups {{bad}}/{kind}.txt" for kind in KINDS],
        "evaluate {bundle} --images {faces} --pairs {bad}/text.txt --groups {bad}/text.txt",
        "evaluate {bad}/text.onnx --images {faces} --groups {bad}/text.txt",
    ],
    "calibrate": [
        *[f"calibrate {{bad}}/{kind}.pface --faces {{faces}} --out {{out}}.pface" for kind in (*KINDS, "damaged", "cut")],
        *[f"calibrate {{bundle}} --faces {{bad}}/{kind}.tar --out {{out}}.pface" for kind in KINDS],
        "calibrate {bundle} --faces {bad}/folder --out {out}.pface",
        "calibrate {bundle} --faces {faces} --out {out}",
        "calibrate {bundle} --faces {faces} --out {bundle}",
        "calibrate {bundle} --faces {faces} --out {bad}/text.txt/own.pface",
    ],
    "convert": [
        *[f"convert {{bad}}/{kind}.pface --out {{out}}" for kind in (*KINDS, "damaged", "cut")],
        *[f"convert {{recipe}} --weights {{bad}}/{kind}.safetensors --out {{out}}" for kind in KINDS],
        "convert {bundle} --variants int4 --out {out}",
        "convert {bundle} --images {faces} --out {out}",
        "convert {bundle} --input rgb,0..255 --out {out}",
        "convert {bundle} --steps 5 --out {out}",
        "convert {bundle} --out {bad}/text.txt",
        "convert nonesuch --out {out}",
        "convert {recipe} --images {bad}/folder --out {out}",
    ],
    "parity": [
        "parity nonesuch",
        "parity {bad}/lfs.py",
        *[f"parity {{recipe}} --weights {{bad}}/{kind}.onnx --input rgb,0..255" for kind in KINDS],
        "parity {recipe} --images {bad}/folder",
        *[f"parity {{bad}}/{kind}.pface" for kind in (*KINDS, "damaged", "cut")],
        "parity {bundle} --images {bad}/folder",
        "parity {bundle} --variants int4",
        "parity {bundle} --record {out}",
        "parity {bundle} --on adb --variants int8",
        "parity {recipe} --on arm64",
        "parity {bundle} --against {bad}/text.onnx",
        "parity {bad}/missing.tflite",
        *[f"parity {{bad}}/{kind}.onnx --against {{bad}}/text.onnx --input rgb,0..255" for kind in KINDS],
    ],
    "setup-arm64": ["setup-arm64 --mirror http://127.0.0.1:9/debian"],
    "align": [
        "align {bad}/missing --out {out}",
        "align {bad}/folder --out {out}",
        "align {bad}/lfs.tar --out {out}",
        "align {faces} --out {bad}/text.txt",
        "align {faces} --out {bad}",
        "align {faces} --out {long}",
        *[f"align {{faces}} --out {{out}} --bundle {{bad}}/{kind}.pface" for kind in (*KINDS, "damaged", "cut")],
    ],
    "inspect": [
        *[f"inspect {{bad}}/{kind}.pface" for kind in (*KINDS, "damaged", "cut")],
        "inspect {bundle} --cache {long}",
    ],
    "methods": ["methods nonesuch"],
    "report": [
        *[f"report {{bad}}/{kind}.pface --out {{out}}" for kind in (*KINDS, "damaged", "cut")],
        "report {bundle} --out {bad}/text.txt",
        "report {bundle} --images {bad}/folder --out {out}",
        "report {bundle} --show-faces --out {out}",
    ],
    "sensitivity": [
        "sensitivity nonesuch",
        "sensitivity {recipe}",
        "sensitivity {bad}/text.onnx --weights {bad}/text.safetensors",
        "sensitivity {bundle}",
        *[f"sensitivity {{bad}}/{kind}.pface" for kind in (*KINDS, "damaged", "cut")],
        *[f"sensitivity {{bad}}/{kind}.onnx --input rgb,0..255" for kind in KINDS],
        *[f"sensitivity {{bad}}/{kind}.safetensors" for kind in KINDS],
        "sensitivity default --forms 9-bit",
        "sensitivity default --forms palette",
        "sensitivity default --images {bad}/folder",
    ],
    "sweep": [
        "sweep nonesuch --set width=0.25 --images {faces}",
        "sweep {long} --set width=0.25 --images {faces}",
        "sweep {recipe} --set widht=0.25 --images {faces}",
        "sweep {recipe} --set width=half --images {faces}",
        "sweep {recipe} --set width=0.3 --images {faces}",
        "sweep {recipe} --set width=0.25 --set width=0.5 --images {faces}",
        "sweep {recipe} --set width=0.25 --images {bad}/folder",
        "sweep {recipe} --set width=0.25 --images {bad}/lfs.tar",
        "sweep {recipe} --set width=0.25 --images {faces} --variants int4",
        "sweep {recipe} --set width=0.25 --images {faces} --address nowhere",
        "sweep {recipe} --set width=0.25 --images {faces} --address nowhere:1 --jobs 2",
    ],
    "aar": ["aar --out {bad}/text.txt/repository"],
    "apk": [
        *[f"apk {{bad}}/{kind}.pface --out {{out}}.apk" for kind in (*KINDS, "damaged", "cut")],
        "apk {bundle} --out {bad}/text.txt/demo.apk",
    ],
    "bench": [
        *[f"bench {{bad}}/{kind}.pface" for kind in (*KINDS, "damaged", "cut")],
        "bench {bundle} --variants int4",
        "bench {bundle} --against nonesuch",
        "bench {bundle} --against onnxruntime --weights {bad}/text.onnx --input rgb,0..255",
    ],
    "bench-gallery": ["bench-gallery --templates 10 --probes 300"],
    "bench-jvm": [f"bench-jvm {{bad}}/{kind}.pface" for kind in (*KINDS, "damaged", "cut")],
    "bench-threads": [
        *[f"bench-threads {{bad}}/{kind}.pface" for kind in (*KINDS, "damaged", "cut")],
        "bench-threads {bundle} --variant int4",
    ],
    "photographs": [
        *[f"photographs {{bad}}/{kind}.pface {{faces}}" for kind in (*KINDS, "damaged", "cut")],
        "photographs {bundle} {bad}/missing",
        "photographs {bundle} {bad}/lfs.tar",
        "photographs {bundle} {faces} --variant int4",
    ],
    "table": [
        "table nonesuch",
        "table small-nets",
        "table small-nets --images {bad}/folder",
        "table small-nets --images {long}",
        "table low-rank --images {faces} --seeds 5",
        "table widths --images {faces} --lfw {faces}",
    ],
}


def test_bad_input_is_tried_on_every_command() -> None:
    assert set(BAD) == set(COMMANDS)


@pytest.mark.parametrize("line", [line for lines in BAD.values() for line in lines])
def test_bad_input_gives_one_line_a_code_and_leaves_nothing_behind(
    line: str, bad: Path, built: Built, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(built.cache / "other"))
    before = {path: path.stat().st_mtime_ns for path in bad.rglob("*")}
    places = {"bad": bad, "recipe": RECIPE, "faces": built.faces, "bundle": built.bundle, "out": tmp_path / "out", "long": "a" * 300}
    words = line.format(**places).split()
    quiet = [] if words[0] == "methods" else ["--quiet"]
    cache = (
        ["--cache", str(built.cache)]
        if words[0] in ("build", "train", "evaluate", "calibrate", "parity") and "--cache" not in words
        else []
    )
    assert main([*words, *quiet, *cache]) == 2
    printed = capfd.readouterr()
    errors = [item for item in printed.err.splitlines() if not item.startswith("INFO:")]  # TFLite says what it uses
    assert printed.out == "" and len(errors) == 1, printed.err
    assert errors[0].startswith(f"toolchain {words[0]}: ") and len(errors[0]) > 40
    assert list(tmp_path.iterdir()) == []
    assert {path: path.stat().st_mtime_ns for path in bad.rglob("*")} == before


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonesuch",
        "build",
        "build --target windows",
        "build --target android-arm64 --weights net.onnx --input rgb",
        "build --target android-arm64 --steps 0",
        "build --target android-arm64 --steps ²",
        "bench face.pface --threads 1000000000000",
        "bench-threads face.pface --threads 1000000000",
        "build --target android-arm64 --steps " + "9" * 5000,
        "build --target android-arm64 --variants ,",
        "evaluate --images",
        "inspect",
    ],
)
def test_a_command_line_that_makes_no_sense_gives_one_line(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "--help" in error and "invalid" not in error.replace("invalid choice", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0 and "examples:\n" in shown and f"  toolchain {command}" in shown


def test_convert_writes_the_models_that_the_bundle_runs(built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(built.bundle), "--out", str(tmp_path / "tflite"), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    bundle = Bundle.open(built.bundle)
    assert set(listed) == set(bundle.variants)
    for name, item in listed.items():
        content = Path(item["file"]).read_bytes()
        assert content == bundle.model(name) and item["sha256"] == hashlib.sha256(content).hexdigest()


def test_convert_of_a_recipe_gives_what_its_bundle_holds(built: Built, tmp_path: Path) -> None:
    arguments = ["convert", str(built.recipe), "--images", str(built.faces), "--variants", "clustered", "--quiet"]
    assert main([*arguments, "--out", str(tmp_path), "--cache", str(built.cache)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["clustered.tflite"]
    assert (tmp_path / "clustered.tflite").read_bytes() == Bundle.open(built.bundle).model("clustered")


def test_parity_lists_every_variant_on_every_runtime(built: Built, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["parity", str(built.recipe), "--images", str(built.faces), "--cache", str(built.cache), "--quiet", "--json"]
    assert main(arguments) == 0
    rows = json.loads(capsys.readouterr().out)["parity"]
    assert {(row["variant"], row["runtime"]) for row in rows} >= {(name, "ai-edge-litert") for name in Bundle.open(built.bundle).variants}
    assert all(row["faces"] >= 256 and row["min_cosine"] <= 1 + 1e-9 for row in rows if "ms" in row)


def test_parity_shows_its_figures_where_a_gate_is_missed_too(built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strict = tmp_path / "strict.py"
    strict.write_text(
        "from dataclasses import replace\nfrom tests.tiny_recipe import RECIPE as TINY\nfrom toolchain.recipe import Gate\n"
        "RECIPE = replace(TINY, variants=tuple(replace(item, gate=Gate(min_cosine=0.9999999)) for item in TINY.variants))\n"
    )
    arguments = ["parity", str(strict), "--variants", "int8", "--images", str(built.faces), "--cache", str(built.cache), "--quiet"]
    assert main([*arguments, "--json"]) == 4
    printed = capsys.readouterr()
    assert json.loads(printed.out)["parity"][0]["min_cosine"] < 0.9999999 and "the gate asks for" in printed.err


def test_evaluate_shows_its_figures_where_they_cannot_be_recorded(
    built: Built, bad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", str(built.bundle), "--images", str(built.faces), "--variant", "fp32", "--cache", str(built.cache), "--quiet"]
    assert main([*arguments, "--record", str(bad / "text.txt" / "figures.json"), "--json"]) == 2
    printed = capsys.readouterr()
    assert "fp32" in json.loads(printed.out) and "figures.json: cannot be written" in printed.err


def test_inspect_gives_the_manifest_as_it_lies_in_the_file(built: Built, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["inspect", str(built.bundle), "--cache", str(built.cache)]
    assert main([*command, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["sha256"] == hashlib.sha256(built.bundle.read_bytes()).hexdigest()
    assert shown["manifest"] == json.loads(Bundle.open(built.bundle).manifest_text())
    # What runs is in memory at least once; None where the system does not say.
    raw = {item["name"]: item["bytes"]["raw"] for item in shown["manifest"]["variants"]}
    assert all(shown["resident"][name] is None or shown["resident"][name] >= size for name, size in raw.items())
    assert main(command) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("fp32", "clustered", "blazeface", "not measured", "Apache-2.0"))


def test_align_turns_photographs_into_faces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = tmp_path / "photos" / "ann"
    photos.mkdir(parents=True)
    for number, (picture, _) in enumerate(golden_photographs()):
        Image.fromarray(picture).save(photos / f"{number}.png")
    Image.new("RGB", (200, 200), "grey").save(photos / "nobody.png")
    assert main(["align", str(tmp_path / "photos"), "--out", str(tmp_path / "faces"), "--quiet", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["written"] == 3 and {item["code"] for item in done["left_out"]} == {"face.none", "other-faces"}
    assert sorted(path.name for path in (tmp_path / "faces" / "ann").iterdir()) == ["0.png", "1.png", "2.png"]


def test_methods_finds_what_each_family_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "--json"]) == 0
    listed = {(item["family"], item["name"]) for item in json.loads(capsys.readouterr().out)}
    expected = {
        ("backbones", "MobileFaceNet"),
        ("losses", "ArcFace"),
        ("distill", "feature_consistency"),
        ("compress", "Palettize"),
        ("compress", "FoldBatchNorm"),
        ("encodings", "Binary"),
        ("convert", "Int8Dynamic"),
    }
    assert expected <= listed
    assert {family for family, _ in listed} == set(FAMILIES)
    assert all(item.summary for item in methods()), "every method says what it is"
    assert not {name for _, name in listed} & {"Stage", "Variant", "Encoding", "Backbone", "Loss"}, "bases are no methods"


@pytest.mark.parametrize("output", ["full", "latin-1"])
def test_an_output_that_takes_no_result_is_no_stack_trace(output: str) -> None:
    root = str(Path(toolchain.__file__).parents[1])
    with open("/dev/full" if output == "full" else os.devnull, "w") as out:
        ran = subprocess.run(
            [sys.executable, "-m", "toolchain.cli", "table"],
            env={**os.environ, "PYTHONPATH": root, "PYTHONIOENCODING": "latin-1"},
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )
    expected = (2, "cannot be read or written (No space left on device); give another place or make room") if output == "full" else (0, "")
    assert ran.returncode == expected[0] and ran.stderr.count("\n") == (output == "full") and expected[1] in ran.stderr


def test_help_needs_no_torch() -> None:
    code = "import sys; from toolchain.cli import parser; parser(); sys.exit('torch' in sys.modules)"
    root = str(Path(toolchain.__file__).parents[1])
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": root}).returncode == 0


def test_ctrl_c_while_the_commands_are_imported_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("toolchain.cli.parser", stopped)
    assert main(["inspect", "face.pface"]) == 130
    assert capsys.readouterr().err == "toolchain: stopped; nothing half-written was left, run the same command again to go on\n"


def test_ctrl_c_leaves_nothing_half_written_and_says_how_to_go_on(built: Built, tmp_path: Path) -> None:
    root = str(Path(toolchain.__file__).parents[1])
    command = [sys.executable, "-m", "toolchain.cli", "build", str(RECIPE), "--target", "linux-x86_64", "--images", str(built.faces)]
    command += ["--steps", "100000", "--out", str(tmp_path / "out" / "face.pface"), "--cache", str(tmp_path / "cache")]
    running = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": root},
        stderr=subprocess.PIPE,
        text=True,
        # What runs in the background of a shell has SIGINT ignored, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 240
    while not list((tmp_path / "cache" / "work").glob("*")):  # made when training starts
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=120)
    assert running.returncode == 130
    last = errors.strip().splitlines()[-1]
    assert last == "toolchain build: stopped; nothing half-written was left, run the same command again to go on"
    assert "Traceback" not in errors
    assert not (tmp_path / "out").exists() and not list(tmp_path.rglob("*.part"))
