"""Enrolling and identifying from a camera; a video file stands in for one, by the same call of OpenCV."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from runtime_py.camera import camera
from runtime_py.cli import main
from runtime_py.errors import SourceError
from toolchain.data.synthetic import Identity, View, photograph

cv2 = pytest.importorskip("cv2")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures of an empty room, then fifteen of somebody."""
    path = tmp_path_factory.mktemp("video") / "door.avi"
    face = photograph(Identity.draw(11, 0), View.draw(11, 0, 0, 0.2), 256, 256).image
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30, (256, 256))
    assert writer.isOpened()
    for number in range(20):
        writer.write(np.full((256, 256, 3), 128, np.uint8) if number < 5 else np.ascontiguousarray(face[:, :, ::-1]))
    writer.release()
    return path


def test_pictures_come_in_order_as_rgb(video: Path) -> None:
    with camera(str(video)) as pictures:
        found = list(pictures)
    assert len(found) == 20 and {picture.shape for picture in found} == {(256, 256, 3)}
    face = photograph(Identity.draw(11, 0), View.draw(11, 0, 0, 0.2), 256, 256).image
    # Motion JPEG loses detail and little colour: in the wrong order red and blue would be off by tens of grey levels.
    assert np.abs(found[-1].mean((0, 1)) - face.mean((0, 1))).max() < 3 and np.ptp(found[0]) <= 2


def test_somebody_is_enrolled_and_found_by_a_camera(
    video: Path, face_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = [str(face_bundle), "--gallery", str(tmp_path / "people"), "--camera", str(video), "--json"]
    assert main(["enrol", *known, "--name", "Ann", "--shots", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["enrolled"][0]["templates"] == 1
    assert main(["identify", *known, "--pictures", "8"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["person"]) for row in found] == [(f"picture {number}", "Ann") for number in (5, 6, 7)]


def test_without_a_camera_there_is_one_line(face_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = ["--gallery", str(tmp_path / "people")]
    wrong = [
        ["--camera", "999", "--name", "Ann"],
        ["--camera", "missing.mp4", "--name", "Ann"],
        ["--camera", "0"],
        [],
        ["photograph.jpg", "--camera", "0"],
    ]
    for arguments in wrong:
        assert main(["enrol", str(face_bundle), *arguments, *known]) == 2
        printed = capsys.readouterr()
        assert printed.err.count("\n") == 1 and printed.err.startswith("error: "), arguments
    with pytest.raises(SourceError, match="number of a camera"), camera("missing.mp4"):
        pass
