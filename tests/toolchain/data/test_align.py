from __future__ import annotations

import csv
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from runtime_py.errors import NoDetectorError
from runtime_py.image import read_image
from tests.face_bundle import write_face_bundle
from toolchain.data import align as align_module
from toolchain.data.align import Aligner, align_photographs
from toolchain.data.faces import Faces
from toolchain.data.png import png
from toolchain.data.synthetic import Identity, View, beside, photograph
from toolchain.errors import DataError


@pytest.fixture(scope="module")
def aligner() -> Aligner:
    return Aligner.packaged()


@pytest.fixture(scope="module")
def pictures() -> dict[str, bytes]:
    drawn = [photograph(Identity.draw(9, number), View.draw(9, number, 0, 0.4), size, size) for number, size in enumerate((220, 300))]
    return {
        "ann/1.png": png(drawn[0].image),
        "ann/1.jpg": png(drawn[1].image),
        "bob/two.png": png(beside(drawn)[0]),
        "bob/nobody.png": png(np.zeros((50, 50, 3), np.uint8)),
        "bob/cut.png": png(drawn[0].image)[:1000],
        "alone.png": png(drawn[1].image),
    }


@pytest.fixture()
def photos(tmp_path: Path, pictures: dict[str, bytes]) -> Path:
    folder = tmp_path / "photos"
    for name, data in pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def listed(out: Path) -> list[list[str]]:
    return list(csv.reader((out / "left-out.csv").read_text().splitlines()))


def test_photographs_become_faces_to_train_on(photos: Path, tmp_path: Path, aligner: Aligner) -> None:
    out = tmp_path / "faces"
    result = align_photographs([photos], out, aligner)
    assert (result.written, result.kept) == (4, 0)
    faces = Faces.read([out])
    # 1.jpg and 1.png of one person: the second to come keeps its suffix.
    assert sorted(faces.names) == ["ann/1.png", "ann/1.png.png", "bob/two.png", "unlabelled/alone.png"]
    assert faces.images.shape == (4, 112, 112, 3)
    expected = aligner.finder.faces(read_image(photos / "bob/two.png"))
    assert len(expected) == 2 and np.array_equal(read_image(out / "bob/two.png"), expected[0].crop)


def test_what_was_left_out_is_listed_with_the_reason(photos: Path, tmp_path: Path, aligner: Aligner) -> None:
    result = align_photographs([photos], tmp_path / "faces", aligner)
    rows = listed(tmp_path / "faces")
    assert [row[:2] for row in rows] == [
        ["photograph", "code"],
        ["bob/cut.png", "image.truncated"],
        ["bob/nobody.png", "face.none"],
        ["bob/two.png", "other-faces"],
    ]
    assert rows[3][2] == "2 faces; the largest was taken"
    assert [item["code"] for item in result.describe()["left_out"]] == [row[1] for row in rows[1:]]


def test_a_run_that_was_broken_off_goes_on(photos: Path, tmp_path: Path, aligner: Aligner, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, out = tmp_path / "whole", tmp_path / "faces"
    align_photographs([photos], whole, aligner)
    written = []
    real = align_module.files.write

    def broken(path: Path, data: bytes | str) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path)
        real(path, data)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(align_module.files, "write", broken)
        align_photographs([photos], out, aligner)
    result = align_photographs([photos], out, aligner)
    assert (result.written, result.kept) == (2, 2)  # the first file that was written holds the settings
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*.*")} == {
        path.relative_to(whole): path.read_bytes() for path in whole.rglob("*.*")
    }


def test_a_photograph_that_changed_is_aligned_again(photos: Path, tmp_path: Path, aligner: Aligner) -> None:
    out = tmp_path / "faces"
    align_photographs([photos], out, aligner)
    before = (out / "unlabelled/alone.png").read_bytes()
    (photos / "alone.png").write_bytes((photos / "ann/1.png").read_bytes())
    result = align_photographs([photos], out, aligner)
    assert (result.written, result.kept) == (1, 3) and (out / "unlabelled/alone.png").read_bytes() != before


def test_a_photograph_that_shows_no_face_any_more_has_no_crop(photos: Path, tmp_path: Path, aligner: Aligner) -> None:
    out = tmp_path / "faces"
    align_photographs([photos], out, aligner)
    (photos / "alone.png").write_bytes((photos / "bob/nobody.png").read_bytes())
    result = align_photographs([photos], out, aligner)
    assert (result.written, result.kept) == (0, 3) and ["alone.png", "face.none"] in [row[:2] for row in listed(out)]
    assert not (out / "unlabelled/alone.png").exists()


def test_a_tar_gives_the_same_as_its_folder(photos: Path, tmp_path: Path, aligner: Aligner) -> None:
    tar = tmp_path / "photos.tar.gz"
    with tarfile.open(tar, "w:gz") as archive:
        for path in sorted(photos.rglob("*.*")):
            archive.add(path, path.relative_to(photos).as_posix())
    align_photographs([photos], tmp_path / "a", aligner)
    align_photographs([tar], tmp_path / "b", aligner)
    assert sorted(path.read_bytes() for path in (tmp_path / "a").rglob("*.png")) == sorted(
        path.read_bytes() for path in (tmp_path / "b").rglob("*.png")
    )


def test_a_name_that_leads_out_of_the_folder_is_left_out(tmp_path: Path, pictures: dict[str, bytes], aligner: Aligner) -> None:
    tar = tmp_path / "evil.tar"
    with tarfile.open(tar, "w") as archive:
        for name in ("../escaped.png", "ann/good.png"):
            member = tarfile.TarInfo(name)
            member.size = len(pictures["ann/1.png"])
            archive.addfile(member, io.BytesIO(pictures["ann/1.png"]))
    out = tmp_path / "deep" / "faces"
    assert align_photographs([tar], out, aligner).written == 1
    assert listed(out)[1][:2] == ["../escaped.png", "source"] and not (tmp_path / "deep" / "escaped.png").exists()


def test_a_place_among_the_photographs_is_refused(photos: Path, aligner: Aligner) -> None:
    """Another run would align its crops once more, as photographs of other people."""
    with pytest.raises(DataError, match="give a place outside it"):
        align_photographs([photos], photos / "faces", aligner)
    assert not (photos / "faces").exists()


def test_a_name_that_is_no_text_is_listed(tmp_path: Path, aligner: Aligner) -> None:
    (tmp_path / "photos").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "photos/b") + b"\xe9.png")).write_bytes(b"no image")
    align_photographs([tmp_path / "photos"], tmp_path / "faces", aligner)
    assert listed(tmp_path / "faces")[1][:2] == ["b\\udce9.png", "image.format"]


def test_a_single_photograph_goes_by_its_own_name(photos: Path, tmp_path: Path, aligner: Aligner) -> None:
    align_photographs([photos / "alone.png"], tmp_path / "faces", aligner)
    assert [path.relative_to(tmp_path / "faces").as_posix() for path in (tmp_path / "faces").rglob("*.png")] == ["unlabelled/alone.png"]


def test_a_bundles_own_detector_gives_the_same_crops(photos: Path, tmp_path: Path, aligner: Aligner) -> None:
    path = tmp_path / "faces.pface"
    write_face_bundle(path)
    bundled = Aligner.of_bundle(path)
    assert bundled.fingerprint == aligner.fingerprint
    write_face_bundle(path, detector=False)
    with pytest.raises(NoDetectorError):
        Aligner.of_bundle(path)


def test_bad_input_is_refused_and_nothing_is_written(photos: Path, tmp_path: Path, aligner: Aligner) -> None:
    out, empty = tmp_path / "faces", tmp_path / "empty"
    empty.mkdir()
    for paths, said in (([tmp_path / "none"], "no such file"), ([photos, photos], "twice"), ([empty], "found none")):
        with pytest.raises(DataError, match=said):
            align_photographs(paths, out, aligner)
        assert not out.exists()


def test_a_folder_of_other_things_is_not_written_to(photos: Path, tmp_path: Path, aligner: Aligner) -> None:
    with pytest.raises(DataError, match="other files"):
        align_photographs([photos], photos, aligner)
    with pytest.raises(DataError, match="got a file"):
        align_photographs([photos], photos / "alone.png", aligner)
    out = tmp_path / "faces"
    align_photographs([photos], out, aligner)
    with pytest.raises(DataError, match="other settings"):
        align_photographs([photos], out, Aligner.packaged(96, 96))
    assert sorted(os.listdir(out)) == ["align.json", "ann", "bob", "left-out.csv", "unlabelled"]
