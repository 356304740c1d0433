from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runtime_py
from runtime_py.errors import ImageArrayError, NoDetectorError, NoFaceError, SourceError, ThresholdError
from runtime_py.recognizer import Face, Recognizer
from tests.face_bundle import SIZE, write_face_bundle
from toolchain.data.png import png
from toolchain.data.synthetic import Drawing, Identity, View, beside, crop, photograph


@pytest.fixture(scope="module")
def recognizer(face_bundle: Path) -> Recognizer:
    return runtime_py.load(face_bundle)


def drawn(number: int, size: int = 256) -> Drawing:
    return photograph(Identity.draw(11, number), View.draw(11, number, 0, 0.4), size, size)


def test_the_public_surface() -> None:
    assert runtime_py.__all__ == [
        "Bundle",
        "Detection",
        "Face",
        "PocketFaceError",
        "Recognizer",
        "Verification",
        "load",
        "read_image",
        "similarity",
    ]
    assert all(hasattr(runtime_py, name) for name in runtime_py.__all__)


def test_the_runtime_needs_nothing_of_the_build_side() -> None:
    build_side = ("toolchain", "torch", "tensorflow", "rich", "onnx")
    code = f"import sys, runtime_py, runtime_py.cli; print([name for name in {build_side} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_every_form_of_a_photograph_gives_the_same_embedding(recognizer: Recognizer, tmp_path: Path) -> None:
    picture = drawn(0)
    path = tmp_path / "a.png"
    path.write_bytes(png(picture.image))
    (face,) = recognizer.faces(picture.image)
    expected = recognizer.embed(face.crop)
    for what in (path, str(path), path.read_bytes(), Image.open(path), face):
        assert np.array_equal(recognizer.embed(what), expected)
    assert expected.shape == (SIZE,) and abs(float(np.linalg.norm(expected)) - 1) < 1e-6


def test_several_faces_give_an_embedding_each_largest_first(recognizer: Recognizer) -> None:
    picture, _ = beside((drawn(1, 200), drawn(2, 320)))
    faces = recognizer.faces(picture)
    assert len(faces) == 2 and faces[0].detection.area > faces[1].detection.area
    rows = recognizer.embed(faces)
    assert np.array_equal(rows, np.stack([recognizer.embed(face) for face in faces]))
    assert np.array_equal(recognizer.embed(Image.fromarray(picture)), rows[0])
    assert recognizer.embed([]).shape == (0, SIZE)


def test_a_crop_shows_the_face_as_it_would_be_drawn_aligned(recognizer: Recognizer) -> None:
    """A crop by the detector's points is nearest to the same person drawn aligned by the true ones, of four persons."""
    references = np.stack([crop(Identity.draw(11, number), View.draw(11, number, 0, 0.4)) for number in range(4)])
    for number in range(4):
        (face,) = recognizer.faces(drawn(number).image)
        # The middle of the crop: around it lies the background, whose grain is another in each drawing.
        away = np.abs(face.crop[30:100, 25:88].astype(float) - references[:, 30:100, 25:88]).mean(axis=(1, 2, 3))
        assert away.argmin() == number, away


def test_packed_is_the_same_model(face_bundle: Path, recognizer: Recognizer) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    packed = runtime_py.load(face_bundle, "packed")
    assert np.array_equal(packed.embed(crops), recognizer.embed(crops))


def test_verify_judges_by_a_threshold(recognizer: Recognizer) -> None:
    first, second = (Image.fromarray(drawn(number).image) for number in (0, 1))
    result = recognizer.verify(first, second, threshold=-1.0)
    assert result.same and result.similarity == float(recognizer.similarity(recognizer.embed(first), recognizer.embed(second)))
    assert recognizer.verify(first, first, threshold=0.999).same
    assert recognizer.verify(first, second).threshold == 0.5  # the manifest's, at a false match rate of 0.001
    with pytest.raises(ThresholdError):
        recognizer.verify(first, second, threshold=7)
    with pytest.raises(ImageArrayError, match="one face on each side"):
        recognizer.verify(np.zeros((2, 112, 112, 3), np.uint8) + np.uint8(127), first)


def test_no_face_is_an_error_that_names_the_photograph(recognizer: Recognizer, tmp_path: Path) -> None:
    path = tmp_path / "empty.png"
    path.write_bytes(png(np.zeros((50, 50, 3), np.uint8)))
    with pytest.raises(NoFaceError, match="empty.png: expected a face, found none"):
        recognizer.embed(path)
    with pytest.raises(NoFaceError, match="^expected a face"):
        recognizer.faces(path.read_bytes())


def test_arrays_are_photographs_to_faces_and_crops_to_embed(recognizer: Recognizer) -> None:
    with pytest.raises(ImageArrayError, match="align a photograph with faces"):
        recognizer.embed(drawn(0).image)
    with pytest.raises(ImageArrayError, match="photograph: expected a uint8 RGB array"):
        recognizer.faces(np.zeros((5, 5), np.uint8))
    with pytest.raises(SourceError):
        recognizer.faces("none.jpg")


@pytest.mark.parametrize("size", [(56, 56), (224, 224), (64, 64), (112, 113)])
def test_crops_of_another_size_are_never_cut_up_into_crops_of_this_one(recognizer: Recognizer, size: tuple[int, int]) -> None:
    (face,) = recognizer.faces(drawn(0).image)
    other = Face(face.detection, np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8))
    for what in (other, [other], [other] * 4, [face, other], (other, other)):
        with pytest.raises(ImageArrayError, match="112, 112, 3"):
            recognizer.embed(what)
    with pytest.raises(ImageArrayError):
        recognizer.embed(Face(face.detection, face.crop[None]))


def test_what_is_no_photograph_says_so(recognizer: Recognizer) -> None:
    (face,) = recognizer.faces(drawn(0).image)
    cases: dict[str, object] = {"NoneType": None, "list of str": ["a.png", "b.png"], "list of NoneType": [None, face], "int": 5}
    for got, what in cases.items():
        with pytest.raises(ImageArrayError, match=f"embed: expected a photograph, a Face or a sequence of Faces, got {got}$"):
            recognizer.embed(what)  # type: ignore[arg-type]
    with pytest.raises(ImageArrayError, match="got NoneType"):
        recognizer.verify(None, face)  # type: ignore[arg-type]
    with pytest.raises(ImageArrayError, match="got NoneType"):
        recognizer.faces(None)  # type: ignore[arg-type]


def test_a_bundle_without_a_detector_still_embeds_crops(tmp_path: Path) -> None:
    path = tmp_path / "bare.pface"
    write_face_bundle(path, detector=False)
    bare = runtime_py.load(path)
    assert bare.embed(np.zeros((112, 112, 3), np.uint8)).shape == (SIZE,)
    with pytest.raises(NoDetectorError, match="give aligned crops"):
        bare.faces(drawn(0).image)


def test_exif_turned_photographs_are_upright_before_they_are_searched(recognizer: Recognizer) -> None:
    picture = drawn(3).image
    exif = Image.Exif()
    exif[0x0112] = 6
    data = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(np.rot90(picture))).save(data, "PNG", exif=exif)
    assert np.array_equal(recognizer.embed(data.getvalue()), recognizer.embed(recognizer.faces(picture)[0]))


def test_a_face_keeps_its_crop(recognizer: Recognizer) -> None:
    (face,) = recognizer.faces(drawn(0).image)
    assert isinstance(face, Face) and face.crop.shape == (112, 112, 3) and face.crop.dtype == np.uint8
