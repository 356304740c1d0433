from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runtime_py
from runtime_py.cli import main
from runtime_py.commands import _marked
from runtime_py.detector import Detection
from tests.face_bundle import SIZE
from toolchain.data.png import png
from toolchain.data.synthetic import Identity, View, beside, crop, photograph

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """one.png (a face), two.png (two faces), none.png (no face), cut.png (truncated), note.txt."""
    folder = tmp_path_factory.mktemp("photos")
    pictures = [photograph(Identity.draw(5, number), View.draw(5, number, 0, 0.4), size, size) for number, size in enumerate((200, 300))]
    (folder / "one.png").write_bytes(png(pictures[0].image))
    (folder / "two.png").write_bytes(png(beside(pictures)[0]))
    (folder / "none.png").write_bytes(png(np.zeros((64, 64, 3), np.uint8)))
    (folder / "cut.png").write_bytes((folder / "one.png").read_bytes()[:2000])
    (folder / "note.txt").write_text("not an image")
    return folder


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it, with what the TFLite runtime writes by itself."""
    command = [sys.executable, "-m", "runtime_py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONWARNINGS": "error"})


# embed


def test_embed_names_faces_and_says_what_it_skipped(face_bundle: Path, photos: Path, tmp_path: Path, capfd: Capture) -> None:
    out = tmp_path / "faces.npz"
    assert main(["embed", str(face_bundle), str(photos), "--out", str(out)]) == 3
    skipped = capfd.readouterr().err.splitlines()
    assert [line.split(": expected")[0] for line in skipped] == ["skipped cut.png", "skipped none.png"]
    with np.load(out, allow_pickle=False) as arrays:
        assert arrays["names"].tolist() == ["one.png", "two.png#0", "two.png#1"]
        assert arrays["embeddings"].shape == (3, SIZE) and arrays["embeddings"].dtype == np.float32
        recognizer = runtime_py.load(face_bundle)
        assert np.array_equal(arrays["embeddings"][1:], recognizer.embed(recognizer.faces(photos / "two.png")))
        assert str(arrays["variant"]) == "float" and str(arrays["bundle_sha256"]) == recognizer.bundle.sha256


def test_the_same_embeddings_are_the_same_file(face_bundle: Path, photos: Path, tmp_path: Path) -> None:
    outs = [tmp_path / "a.npz", tmp_path / "b.npz"]
    assert [main(["embed", str(face_bundle), str(photos / "one.png"), "--out", str(out)]) for out in outs] == [0, 0]
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_embed_takes_aligned_crops_of_a_tar(face_bundle: Path, photos: Path, tmp_path: Path, capfd: Capture) -> None:
    aligned = crop(Identity.draw(5, 0), View())
    (tmp_path / "x.png").write_bytes(png(aligned))
    tar = tmp_path / "crops.tar.xz"
    with tarfile.open(tar, "w:xz") as archive:
        archive.add(tmp_path / "x.png", "someone/x.png")
        archive.add(photos / "one.png", "someone/photo.png")
    assert main(["embed", str(face_bundle), str(tar), "--aligned", "--variant", "int8", "--json"]) == 3
    result = json.loads(capfd.readouterr().out)
    assert result["names"] == ["someone/x.png"] and result["variant"] == "int8" and result["runtime"].startswith("ai-edge-litert")
    assert result["skipped"][0]["code"] == "image.array" and "leave out --aligned" in result["skipped"][0]["reason"]
    expected = runtime_py.load(face_bundle, "int8").embed(aligned)
    assert np.array_equal(np.array(result["embeddings"][0], np.float32), expected)


def test_embed_prints_numbers_where_no_file_was_asked_for(face_bundle: Path, photos: Path, capfd: Capture) -> None:
    assert main(["embed", str(face_bundle), str(photos / "one.png")]) == 0
    name, numbers = capfd.readouterr().out.rstrip("\n").split("\t")
    assert name == str(photos / "one.png") and len(numbers.split()) == SIZE


# verify, detect, inspect, selftest


def test_verify_says_same_or_different_by_its_exit_code(face_bundle: Path, photos: Path, capfd: Capture) -> None:
    one, two = str(photos / "one.png"), str(photos / "two.png")
    assert main(["verify", str(face_bundle), one, one, "--threshold", "0.9"]) == 0
    assert main(["verify", str(face_bundle), one, two, "--threshold", "0.9999", "--json"]) == 1
    assert main(["verify", str(face_bundle), one, two, "--variant", "int8"]) == 0  # it has no threshold to judge by
    same, *different, unjudged = capfd.readouterr().out.splitlines()
    assert same == "same: similarity 1.0000, threshold 0.9000 as given"
    assert json.loads("".join(different))["same"] is False
    assert unjudged.startswith("similarity ") and "toolchain calibrate" in unjudged


def test_verify_judges_at_a_false_match_rate(face_bundle: Path, photos: Path, capfd: Capture) -> None:
    one = str(photos / "one.png")
    assert main(["verify", str(face_bundle), one, one, "--fmr", "1e-3"]) == 0
    assert main(["verify", str(face_bundle), one, one, "--json"]) == 0
    text, *values = capfd.readouterr().out.splitlines()
    assert text == "same: similarity 1.0000, threshold 0.5000 at a false match rate of 0.001"
    assert json.loads("".join(values))["fmr"] == 0.001, "the rate that is used where none is asked for"
    assert main(["verify", str(face_bundle), one, one, "--fmr", "1e-4"]) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1 and "threshold for (0.001), got 0.0001" in error and "calibrate" in error


def test_detect_gives_boxes_and_draws_them(face_bundle: Path, photos: Path, tmp_path: Path, capfd: Capture) -> None:
    seen = tmp_path / "seen"
    assert main(["detect", str(face_bundle), str(photos), "--draw", str(seen), "--json"]) == 3
    result = json.loads(capfd.readouterr().out)
    assert [(found["name"], len(found["faces"])) for found in result["photographs"]] == [("one.png", 1), ("two.png", 2)]
    assert list(result["photographs"][0]["faces"][0]["key_points"]) == ["left-eye", "right-eye", "nose", "mouth", "left-ear", "right-ear"]
    assert [item["code"] for item in result["skipped"]] == ["image.truncated", "face.none"]
    assert sorted(path.name for path in seen.iterdir()) == ["one.png.png", "two.png.png"]
    marked, plain = (np.asarray(Image.open(path)) for path in (seen / "one.png.png", photos / "one.png"))
    left, top, right, bottom = (round(value) for value in result["photographs"][0]["faces"][0]["box"])
    assert (marked != plain).any() and marked[top, (left + right) // 2].tolist() == [0, 220, 0]


def test_drawing_what_reaches_far_out_of_the_photograph_takes_no_time() -> None:
    face = Detection((-1e9, 10.0, 1e9, 1e9), 1.0, np.array([[1e9, -1e9], [30.0, 40.0]]), ("a", "b"))
    start = time.process_time()
    drawn = np.asarray(Image.open(io.BytesIO(_marked(np.zeros((100, 100, 3), np.uint8), (face,)))))
    assert time.process_time() - start < 2  # pixel by pixel it was half a minute
    assert drawn[10].tolist() == [[0, 220, 0]] * 100 and drawn[40, 30].tolist() == [230, 30, 30]
    drawn = drawn.copy()
    drawn[10], drawn[39:42, 29:32] = 0, 0
    assert not drawn.any()


def test_inspect_shows_the_manifest(face_bundle: Path, capfd: Capture) -> None:
    assert main(["inspect", str(face_bundle)]) == 0
    text = capfd.readouterr().out
    assert "* float: " in text and "  packed: " in text and "blazeface-back (Apache-2.0)" in text
    assert main(["inspect", str(face_bundle), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["manifest"]["default_variant"] == "float"


def test_selftest_passes_and_fails_by_its_exit_code(face_bundle: Path, tmp_path: Path, capfd: Capture) -> None:
    assert main(["selftest", str(face_bundle)]) == 0
    assert "ok     embed packed" in capfd.readouterr().out
    from tests.runtime_py.changed import members
    from toolchain.pack.writer import write_bundle

    parts = dict(members(face_bundle.read_bytes()))
    manifest = json.loads(parts.pop("manifest.json"))
    manifest["preprocessing"]["input"]["color"] = "bgr"
    write_bundle(tmp_path / "wrong.pface", manifest, parts)
    assert main(["selftest", str(tmp_path / "wrong.pface"), "--json"]) == 4
    captured = capfd.readouterr()
    assert json.loads(captured.out)["passed"] is False
    assert captured.err.startswith("error: selftest: 7 of 15 checks failed, first tensor") and captured.err.count("\n") == 1


# Bad input


def test_bad_input_is_one_line_and_leaves_nothing_behind(face_bundle: Path, photos: Path, tmp_path: Path, capfd: Capture) -> None:
    out = tmp_path / "out"
    out.mkdir()
    damaged = tmp_path / "damaged.pface"
    data = bytearray(face_bundle.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    pointer = tmp_path / "pointer.pface"
    pointer.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    pickled = tmp_path / "model.pface"
    pickled.write_bytes(b"\x80\x04N.")
    empty = tmp_path / "empty"
    empty.mkdir()
    one, npz = photos / "one.png", out / "x.npz"
    cases: list[tuple[object, ...]] = [
        ("embed", tmp_path / "none.pface", one, "--out", npz),
        ("embed", damaged, one, "--out", npz),
        ("embed", pointer, one, "--out", npz),
        ("embed", pickled, one, "--out", npz),
        ("embed", face_bundle, photos / "missing.png", "--out", npz),
        ("embed", face_bundle, empty, "--out", npz),
        ("embed", face_bundle, one, "--out", out / "x.txt"),
        ("embed", face_bundle, one, "--variant", "int9"),
        ("verify", face_bundle, one, photos / "none.png"),
        ("verify", face_bundle, one, photos / "note.txt"),
        ("verify", face_bundle, one, one, "--threshold", "3"),
        ("verify", face_bundle, one, one, "--fmr", "0.5"),
        ("detect", face_bundle, empty, "--draw", out / "seen"),
        ("embed", face_bundle, one, "--out", out / ("x" * 300 + ".npz")),
        ("enrol", face_bundle, photos / "missing.png", "--gallery", out / "people", "--name", "Ann"),
        ("enrol", face_bundle, photos / "none.png", "--gallery", out / "people", "--name", "Ann"),
        ("enrol", face_bundle, one, "--gallery", out / "people", "--name", ""),
        ("enrol", face_bundle, one, "--gallery", out / "people", "--name", "Ann", "--again"),
        ("enrol", face_bundle, one, "--gallery", out / ("x" * 300), "--name", "Ann"),
        ("enrol", face_bundle, one, "--gallery", out / "people", "--name", "Ann", "--detector", "x" * 300),
        ("enrol", face_bundle, "--gallery", out / "people", "--name", "Ann", "--camera", "²"),
        ("enrol", face_bundle, "--gallery", out / "people", "--name", "Ann", "--camera", "9" * 9),
        ("enrol", face_bundle, "--gallery", out / "people", "--name", "Ann", "--camera", "9" * 25),
        ("import", out / "people", photos / "missing.pfpeople", "--passphrase-file", photos / "note.txt"),
        ("import", out / "people", photos / "note.txt", "--passphrase-file", photos / "note.txt"),
        ("people", out / ("x" * 300)),
        ("inspect", damaged),
        ("selftest", pointer),
    ]
    for case in cases[:3] + cases[4:5]:
        result = run(*case)
        assert result.returncode == 2 and result.stderr.startswith("error: ") and result.stderr.count("\n") == 1, (case, result.stderr)
    for case in cases:
        assert main([str(part) for part in case]) == 2, case
        error = capfd.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1, (case, error)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("name", ["none.png", "cut.png", "note.txt"])
def test_a_single_photograph_that_gives_nothing_is_one_line_and_no_file(face_bundle: Path, photos: Path, tmp_path: Path, name: str) -> None:
    result = run("embed", face_bundle, photos / name, "--out", tmp_path / "x.npz")
    assert result.returncode == 3 and result.stdout == ""
    assert result.stderr.startswith(f"skipped {photos / name}: expected ") and result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written_is_one_line(face_bundle: Path, photos: Path, tmp_path: Path, capfd: Capture) -> None:
    (tmp_path / "file").write_text("x")
    assert main(["embed", str(face_bundle), str(photos / "one.png"), "--out", str(tmp_path / "file" / "x.npz")]) == 2
    assert "cannot be written" in capfd.readouterr().err


def test_what_cannot_be_printed_is_one_line(face_bundle: Path) -> None:
    """And not exit code 1, which says that two faces are not one person's."""
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "runtime_py", "inspect", str(face_bundle)]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 2 and result.stderr.startswith("error: ") and result.stderr.count("\n") == 1, result.stderr


def test_closed_streams_are_no_error(face_bundle: Path) -> None:
    for closed in ("2>&-", ">&- 2>&-"):
        command = f'"{sys.executable}" -m runtime_py selftest "{face_bundle}" {closed}'
        assert subprocess.run(command, shell=True, stdout=subprocess.DEVNULL).returncode == 0, closed


@pytest.mark.parametrize(("option", "value"), [("--top", "0"), ("--top", "-1"), ("--top", "²"), ("--pictures", "9" * 25), ("--shots", "0")])
def test_numbers_out_of_their_bounds_are_refused(option: str, value: str, capfd: Capture) -> None:
    command = "enrol" if option == "--shots" else "identify"
    with pytest.raises(SystemExit) as stopped:
        main([command, "x.pface", "x.png", "--gallery", "people", option, value])
    assert stopped.value.code == 2 and "expected a number from 1 to" in capfd.readouterr().err


def test_no_passphrase_at_the_prompt_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    def ends(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", ends)
    assert main(["import", str(tmp_path / "people"), str(tmp_path / "x.pfpeople")]) == 2
    assert capfd.readouterr().err == "error: passphrase: expected one, got the end of the input; nothing was written\n"
    monkeypatch.setattr(sys, "stdin", None)  # as after `<&-`
    assert main(["import", str(tmp_path / "people"), str(tmp_path / "x.pfpeople")]) == 2
    assert capfd.readouterr().err == "error: expected a terminal to ask for the passphrase, got none; give --passphrase-file\n"


def test_help_has_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("embed", "verify", "detect", "inspect", "selftest"):
        with pytest.raises(SystemExit) as stopped:
            main([command, "--help"])
        text = capsys.readouterr().out
        assert stopped.value.code == 0 and f"python -m runtime_py {command} face.pface" in text and "exit codes:" in text
