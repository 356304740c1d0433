"""Faces that another detector found are aligned, judged, enrolled and identified as the bundle's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import runtime_py
from runtime_py import errors
from runtime_py.cli import main
from runtime_py.detector import Detection
from runtime_py.gallery import Gallery
from runtime_py.gallery.identifier import Identifier
from runtime_py.landmarks import FOUR, Marked, face_at, faces_of
from runtime_py.mirrored import Mirrored
from runtime_py.photographs import images
from runtime_py.quality import quality
from runtime_py.recognizer import Recognizer, finder
from runtime_py.yunet import YuNet
from toolchain.data.synthetic import Identity, View, photograph


@pytest.fixture(scope="module")
def recognizer(face_bundle: Path) -> Recognizer:
    return runtime_py.load(face_bundle)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return photograph(Identity.draw(11, 0), View.draw(11, 0, 0, 0.2), 256, 256).image


@pytest.fixture(scope="module")
def four(recognizer: Recognizer, picture: np.ndarray) -> np.ndarray:
    """The bundle's own detector's points, as another's would come."""
    found = recognizer.faces(picture)[0].detection
    return np.stack([found.key_points[found.names.index(name)] for name in FOUR])


def five(points: np.ndarray) -> np.ndarray:
    """The same with the mouth by its corners."""
    along = (points[1] - points[0]) / 3
    return np.stack([*points[:3], points[3] - along, points[3] + along])


def test_landmarks_give_the_crop_that_the_bundles_detector_gives(recognizer: Recognizer, picture: np.ndarray, four: np.ndarray) -> None:
    own, preprocessing = recognizer.faces(picture)[0], recognizer.bundle.manifest.preprocessing
    assert np.array_equal(face_at(picture, four, preprocessing).crop, own.crop)
    # The middle of the corners is the mouth but for the last bit of a double.
    assert np.abs(face_at(picture, five(four), preprocessing).crop.astype(int) - own.crop).max() <= 1


def test_a_marked_face_is_judged_by_its_pose_and_a_crop_is_not(recognizer: Recognizer, picture: np.ndarray, four: np.ndarray) -> None:
    manifest = recognizer.bundle.manifest
    assert quality(picture, face_at(picture, four, manifest.preprocessing), manifest).good_enough
    turned = four.copy()
    turned[2] += 0.4 * (four[1] - four[0])
    assert quality(picture, face_at(picture, turned, manifest.preprocessing), manifest).flaw is not None
    crop = recognizer.faces(picture)[0].crop
    (face,) = faces_of(Marked("crop", crop), manifest.preprocessing)
    assert face.crop is crop or np.array_equal(face.crop, crop)
    assert quality(crop, face, manifest).good_enough


def test_all_three_forms_enrol_and_identify(recognizer: Recognizer, picture: np.ndarray, four: np.ndarray, tmp_path: Path) -> None:
    crop = recognizer.faces(picture)[0].crop
    forms = [picture, Marked("four", picture, [four]), Marked("five", picture, [five(four)]), Marked("crop", crop)]
    with Gallery(tmp_path / "people") as gallery:
        identifier = Identifier(recognizer, gallery)
        done = identifier.enrol("Ann", forms)
        assert done.used == ("photograph 0", "four", "five", "crop") and done.refused == ()
        for form in forms:
            (found,) = identifier.identify(form, fpir=0.01)
            assert found.person is not None and found.person.name == "Ann"


def test_what_are_no_landmarks_is_refused(recognizer: Recognizer, picture: np.ndarray, four: np.ndarray) -> None:
    preprocessing = recognizer.bundle.manifest.preprocessing
    for points in (four[:3], np.full((5, 2), np.nan), np.zeros((4, 2))):
        with pytest.raises(errors.AlignmentError):
            face_at(picture, points, preprocessing)
    with pytest.raises(errors.ImageArrayError, match="aligned crop of 112 x 112"):
        faces_of(Marked("crop", picture), preprocessing)


def test_another_detector_stands_in_for_the_bundles(recognizer: Recognizer, picture: np.ndarray, tmp_path: Path) -> None:
    class Nobody:
        def faces(self, photograph: np.ndarray) -> tuple[()]:
            return ()

    with Gallery(tmp_path / "people") as gallery, pytest.raises(errors.NoFaceError):
        Identifier(recognizer, gallery, Nobody()).only_face(picture)


def test_a_mirror_image_gives_the_mirrored_points_and_the_mean_is_between_both(recognizer: Recognizer, picture: np.ndarray) -> None:
    own = finder(recognizer.bundle)
    across = np.ascontiguousarray(picture[:, ::-1])
    (face,), (other,) = Mirrored(own).faces(picture), Mirrored(own).faces(across)
    names = face.detection.names
    rows = [names.index(name) for name in ("right-eye", "left-eye", "nose", "mouth")]
    mirrored = (other.detection.key_points * (-1, 1) + (picture.shape[1] - 1, 0))[rows]
    # The same mean of the same two runs; the detector's input is 256 pixels wide and this picture too.
    assert face.detection.key_points[:4] == pytest.approx(mirrored, abs=1e-6)
    assert np.abs(face.detection.key_points - own.faces(picture)[0].detection.key_points).max() > 0


def test_another_face_of_the_mirror_image_moves_no_points(recognizer: Recognizer, picture: np.ndarray) -> None:
    """In the mirror image somebody stands elsewhere: the face that was found stays as it was found."""
    own = finder(recognizer.bundle)
    (found,) = own.detector.find(picture)
    away = replace(found, box=(0.0, 0.0, 20.0, 20.0), key_points=np.full_like(found.key_points, 10.0))

    class Elsewhere:
        settings = own.detector.settings

        def find(self, photograph: np.ndarray) -> tuple[Detection, ...]:
            return (found,) if photograph is picture else (away,)

    own.detector = Elsewhere()  # type: ignore[assignment]
    (face,) = Mirrored(own).faces(picture)
    assert np.array_equal(face.detection.key_points, found.key_points) and face.detection.box == found.box


def test_a_file_that_is_no_yunet_is_one_line(face_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cv2")
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"not a model")
    for model in (wrong, tmp_path / "missing.onnx"):
        arguments = [
            "enrol",
            str(face_bundle),
            str(wrong),
            "--gallery",
            str(tmp_path / "people"),
            "--name",
            "Ann",
            "--detector",
            str(model),
        ]
        assert main(arguments) == 2
        printed = capsys.readouterr()
        assert printed.err.count("\n") == 1 and printed.err.startswith("error: ") and model.name in printed.err
    assert not (tmp_path / "people").exists()


def test_yunet_finds_the_faces_of_photographs(recognizer: Recognizer, real_data: Path) -> None:
    pytest.importorskip("cv2")
    yunet = YuNet(real_data / "weights" / "yunet_2026may.onnx", recognizer.bundle.manifest.preprocessing)
    for number, named in enumerate(images([real_data / "data" / "photos-lfw.tar"])):
        pixels = runtime_py.read_image(named.data)
        ours, theirs = recognizer.faces(pixels)[0].detection, yunet.faces(pixels)[0].detection
        eyes = float(np.hypot(*(ours.key_points[1] - ours.key_points[0])))
        # Two detectors' ideas of an eye's middle: a fifth of the distance between them was never reached on these photographs.
        assert np.hypot(*(theirs.key_points[:2] - ours.key_points[:2]).T).max() < 0.3 * eyes, named.name
        if number == 11:
            break
