"""From photographs to people: who is enrolled, who is refused and why, who is found."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

import runtime_py
from runtime_py import errors, matching
from runtime_py.cli import main
from runtime_py.gallery import Gallery
from runtime_py.gallery.identifier import Identifier
from runtime_py.photographs import Named
from runtime_py.quality import quality
from runtime_py.recognizer import Recognizer
from tests.runtime_py.gallery.faces import model, unit
from toolchain.data.png import png
from toolchain.data.synthetic import Identity, View, beside, photograph


@pytest.fixture(scope="module")
def recognizer(face_bundle: Path) -> Recognizer:
    return runtime_py.load(face_bundle)


@pytest.fixture
def identifier(recognizer: Recognizer, tmp_path: Path) -> Identifier:
    return Identifier(recognizer, Gallery(tmp_path / "people"))


def drawn(number: int, look: float = 0.2) -> np.ndarray:
    return photograph(Identity.draw(11, number), View.draw(11, number, 0, look), 256, 256).image


def named(number: int) -> Named:
    return Named(f"{number}.png", png(drawn(number)))


def test_who_was_enrolled_is_found_again(identifier: Identifier) -> None:
    done = identifier.enrol("Ann", [named(0)], {"room": "12"})
    assert done.used == ("0.png",) and done.refused == () and done.person.metadata == {"room": "12"}
    (found,) = identifier.identify(named(0))
    assert found.person == identifier.gallery.named("Ann")
    assert found.candidates[0][1] == pytest.approx(1, abs=1e-6) and found.threshold.fmr == 0.001


def test_who_is_not_enrolled_is_nobody(identifier: Identifier) -> None:
    opposite = -identifier.recognizer.embed(identifier.recognizer.faces(drawn(0))[0])
    identifier.gallery.enrol("Ann", opposite, identifier.model)
    (found,) = identifier.identify(named(0))
    assert found.person is None and found.candidates[0][1] == pytest.approx(-1, abs=1e-6)


def test_each_photograph_that_will_not_do_is_refused_with_the_reason(identifier: Identifier) -> None:
    two = png(beside([photograph(Identity.draw(11, number), View.draw(11, number, 0, 0.2), 256, 256) for number in (0, 1)])[0])
    nobody = png(np.full((200, 200, 3), 128, np.uint8))
    dark = png((drawn(0) * 0.15).astype(np.uint8))
    done = identifier.enrol("Ann", [Named("two", two), Named("nobody", nobody), Named("dark", dark), Named("text", b"x"), named(0)])
    assert [(item.name, item.code) for item in done.refused] == [
        ("two", "face.several"),
        ("nobody", "face.none"),
        ("dark", "face.quality"),
        ("text", "image.format"),
    ]
    assert "light" in done.refused[2].reason and done.used == ("0.png",)
    with pytest.raises(errors.FaceQualityError, match="two: expected one face"):
        identifier.enrol("Bob", [Named("two", two)])
    assert len(identifier.gallery) == 1


@pytest.mark.parametrize("photographs", ["ann.jpg", b"ann", Path("ann.jpg"), np.zeros((64, 64, 3), np.uint8), None])
def test_one_photograph_is_not_taken_for_a_list(identifier: Identifier, photographs: Any) -> None:
    with pytest.raises(errors.SourceError, match="put it into a list"):
        identifier.enrol("Ann", photographs)


def test_a_face_is_not_enrolled_under_two_names(identifier: Identifier) -> None:
    identifier.enrol("Ann", [named(0)])
    with pytest.raises(errors.GalleryDuplicateError, match="under another name"):
        identifier.enrol("Bob", [named(0)])
    with pytest.raises(errors.GalleryDuplicateError, match="enrol them again"):
        identifier.enrol("Ann", [named(0)])
    assert identifier.enrol("Ann", [named(0)], again=True).person.name == "Ann"


def test_whoever_is_enrolled_again_must_not_look_like_somebody_else_too(identifier: Identifier) -> None:
    ann = identifier.enrol("Ann", [named(0)]).person
    template = identifier.recognizer.embed(identifier.recognizer.faces(drawn(0))[0])
    identifier.gallery.enrol("Bob", template, identifier.model)  # as an import may bring him in
    with pytest.raises(errors.GalleryDuplicateError, match="under another name"):
        identifier.enrol("Ann", [named(0)], again=True)
    assert identifier.gallery.person(ann.id) == ann


def test_somebody_is_found_from_the_threshold_on(identifier: Identifier) -> None:
    identifier.enrol("Ann", [named(0)])
    (found,) = identifier.identify(named(0))
    ((ann, _),) = found.candidates
    least = found.threshold.similarity
    assert [replace(found, candidates=((ann, alike),)).person for alike in (least, least - 1e-9)] == [ann, None]


def test_a_search_takes_the_size_of_the_gallery_into_account(identifier: Identifier) -> None:
    variant = identifier.recognizer.variant
    assert matching.threshold_in_search(variant, 0.01, 10).fmr == 0.001
    with pytest.raises(errors.ThresholdError, match="reaches 10 templates"):
        matching.threshold_in_search(variant, 0.01, 11)
    with pytest.raises(errors.ThresholdError):
        matching.threshold_in_search(variant, 0.0, 1)


def test_quality_falls_with_what_spoils_a_picture(recognizer: Recognizer) -> None:
    manifest = recognizer.bundle.manifest

    def judged(pixels: np.ndarray) -> tuple[float, str]:
        found = quality(pixels, recognizer.faces(pixels)[0], manifest)
        return found.score, found.flaw.flaw if found.flaw else ""

    picture = drawn(0)
    good, flaw = judged(picture)
    assert flaw == "" and good >= 0.5
    blurred = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(5)))
    small = np.asarray(Image.fromarray(picture).resize((64, 64)))
    assert judged(blurred)[1] == "blurred" and judged(small)[1] in ("small", "blurred")
    assert judged((picture * 0.15).astype(np.uint8))[1] == "dark"


def test_the_command_line_enrols_identifies_exports_and_forgets(
    face_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photographs, gallery, secret = tmp_path / "staff", tmp_path / "people", tmp_path / "secret"
    for name, number in (("Ann", 0), ("Bob", 3)):
        (photographs / name).mkdir(parents=True)
        (photographs / name / "1.png").write_bytes(png(drawn(number)))
    secret.write_bytes("\ufeffcorrect hörse\r\n".encode())  # as some editors save it

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    code, out, _ = run("enrol", face_bundle, photographs / "Ann", "--gallery", gallery, "--name", "Ann")
    assert (code, out) == (0, "Ann: 1 templates\n")
    code, out, _ = run("identify", face_bundle, "--gallery", gallery, photographs / "Ann", "--json")
    assert code == 0 and json.loads(out)[0]["person"] == "Ann"
    code, out, _ = run("rename", gallery, "Ann", "Anna")
    assert (code, out) == (0, "Anna: renamed\n")
    assert run("export", gallery, tmp_path / "x.pfpeople", "--passphrase-file", secret)[0] == 0
    code, out, _ = run("import", tmp_path / "other", tmp_path / "x.pfpeople", "--passphrase-file", secret, "--json")
    assert code == 0 and json.loads(out)["enrolled"] == 1
    code, out, _ = run("people", tmp_path / "other", "--bundle", face_bundle, "--json")
    assert [(person["name"], person["enrol_again"]) for person in json.loads(out)] == [("Anna", False)]
    assert run("check", gallery)[0] == 0
    code, _, err = run("export", gallery, tmp_path / "staff" / ".." / "people", "--passphrase-file", secret)
    assert code == 2 and "the gallery's own" in err and run("check", gallery)[0] == 0
    code, _, err = run("people", gallery, "--variant", "int8")
    assert code == 2 and "expected --bundle" in err
    code, _, err = run("forget", gallery, "Anna", "Nobody")
    assert code == 2 and err.startswith("error: expected the name of somebody")
    code, out, _ = run("forget", gallery, "Anna", "Anna")
    assert (code, out) == (0, "1 forgotten\n")
    code, out, _ = run("people", gallery, "--json")
    assert json.loads(out) == []
    code, _, err = run("identify", face_bundle, photographs, "--gallery", tmp_path / "missing")
    assert code == 2 and "enrol somebody first" in err and err.count("\n") == 1
    code, _, err = run("forget", gallery)
    assert code == 2 and "--everybody" in err


def test_nobody_is_called_by_a_folder_that_has_no_name(
    face_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "1.png").write_bytes(png(drawn(0)))
    with tarfile.open(tmp_path / "ann.tar", "w") as archive:
        archive.add(tmp_path / "1.png", "./1.png")  # as `tar -C ann -cf ann.tar .` names it
    monkeypatch.chdir(tmp_path / "below")
    for path in ("../1.png", "../ann.tar"):
        assert main(["enrol", str(face_bundle), path, "--gallery", "people"]) == 2
        assert "give --name" in capsys.readouterr().err and not Path("people").exists()


def test_two_folders_of_one_name_are_not_taken_for_one_person(
    face_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    staff, gallery = tmp_path / "staff", tmp_path / "people"
    for office, number in (("london", 0), ("paris", 3)):
        (staff / office / "John").mkdir(parents=True)
        (staff / office / "John" / "1.png").write_bytes(png(drawn(number)))
    assert main(["enrol", str(face_bundle), str(staff), "--gallery", str(gallery)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: paris/John: expected a folder for each person, got london/John of the same name; rename one")
    assert err.count("\n") == 1 and not gallery.exists()


def test_check_of_a_damaged_file_has_a_code_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "people"
    with Gallery(path) as gallery:
        for number in range(200):
            gallery.enrol(f"{number}", unit(number), model())
    data = bytearray(path.read_bytes())
    data[-4096:-3896] = b"\x55" * 200
    path.write_bytes(data)
    assert main(["check", str(path)]) == 4
    assert "malformed" in capsys.readouterr().out
    assert main(["check", str(path), "--json"]) == 4
    stated = json.loads(capsys.readouterr().out)
    assert stated["people"] is None and stated["problems"]
    for size in (0, 50, 5000, len(data) // 2):  # SQLite opens none of these
        path.write_bytes(data[:size])
        assert main(["check", str(path)]) == 4
        printed = capsys.readouterr()
        assert printed.out.startswith(f"{path}: expected a gallery, got ") and printed.out.count("\n") == 1 and not printed.err


def test_damaged_galleries_give_one_line(face_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(io.BytesIO(b"x" * 5000).getvalue())
    for command in (["people", wrong], ["forget", wrong, "Ann"], ["export", wrong, tmp_path / "x"]):
        assert main([str(item) for item in command]) == 2
        printed = capsys.readouterr()
        assert printed.err.count("\n") == 1 and printed.err.startswith("error: ") and not printed.out
    assert not (tmp_path / "x").exists()
