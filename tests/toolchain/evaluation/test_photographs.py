"""The report on photographs counts what it says: faces found, names that are right, likeness to reference crops."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import runtime_py
from runtime_py.image import Pixels
from runtime_py.recognizer import Face, finder
from toolchain.cli import main
from toolchain.data.png import png
from toolchain.data.synthetic import Identity, View, photograph
from toolchain.evaluation.photographs import by_variant, report
from toolchain.evaluation.second_pass import SecondPass
from toolchain.progress import Progress


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people: the same photograph twice of each, and one of the second without a face."""
    folder = tmp_path_factory.mktemp("people")
    for number, name in enumerate(("Ann", "Bob")):
        (folder / name).mkdir()
        data = png(photograph(Identity.draw(11, number), View.draw(11, number, 0, 0.2), 256, 256).image)
        for image in ("1.png", "2.png"):
            (folder / name / image).write_bytes(data)
    (folder / "Bob" / "3.png").write_bytes(png(np.full((200, 200, 3), 128, np.uint8)))
    return folder


def test_what_the_report_counts(face_bundle: Path, people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crops = tmp_path / "crops" / "Ann"
    crops.mkdir(parents=True)
    (face,) = runtime_py.load(face_bundle).faces(people / "Ann" / "1.png")
    (crops / "1.png").write_bytes(png(face.crop))
    assert main(["photographs", str(face_bundle), str(people), "--crops", str(crops.parent), "--quiet", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["photographs"], found["people"]) == (5, 2)
    own, again, mirrored = found["ways"]
    # Ann 2 and Bob 2 are their first photographs again; Bob 3 has no face, so no name.
    assert (own["found"], own["asked"], own["right"]) == (4, 3, 2) and again["found"] == mirrored["found"] == 4
    assert own["compared"] == 1 and own["likeness_mean"] == pytest.approx(1, abs=1e-6), "its own crop"
    assert own["milliseconds"]["median"] > 0


class Blind:
    """A detector that finds nobody."""

    def faces(self, photograph: Pixels) -> tuple[Face, ...]:
        return ()


def test_a_detector_that_finds_nobody_is_a_row_like_the_others(face_bundle: Path, people: Path) -> None:
    opened = runtime_py.Bundle.open(face_bundle)
    found = report(opened, by_variant(opened, None), [people], [], [("blind", Blind())], Progress(quiet=True))
    own, *_, blind = found.ways
    assert own.right == 2 and (blind.name, blind.found, blind.asked, blind.right, blind.rank1) == ("blind", 0, 5, 0, 0.0)


def test_a_second_pass_finds_the_drawn_points(face_bundle: Path) -> None:
    """In a photograph in which the face is small: a window in the wrong place or turned the wrong way would be off by its whole size."""
    drawn = photograph(Identity.draw(11, 1), View.draw(11, 1, 0, 0.2), 400, 400, 0.15)
    own = finder(runtime_py.Bundle.open(face_bundle))
    first, again = own.faces(drawn.image)[0].detection, SecondPass(own).faces(drawn.image)[0].detection
    eyes = float(np.hypot(*(first.key_points[1] - first.key_points[0])))
    assert np.hypot(*(again.key_points[:4] - first.key_points[:4]).T).max() < 0.3 * eyes


def test_one_person_is_too_few(face_bundle: Path, people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["photographs", str(face_bundle), str(people / "Ann"), "--quiet"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
