"""What tests share: drawn faces on disk, the tiny recipe's bundle, built once a session, and the folder of real data where
there is one."""

from __future__ import annotations

import contextlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before torch is imported. The nets of the tests are so small that a second thread only waits, and where other work shares
# the machine that wait costs minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest  # noqa: E402
from PIL import Image  # noqa: E402

from tests.face_bundle import write_face_bundle  # noqa: E402
from toolchain.cli import main  # noqa: E402
from toolchain.data import synthetic  # noqa: E402

RECIPE = Path(__file__).with_name("tiny_recipe.py")
LEVELS_RECIPE = Path(__file__).with_name("levels_recipe.py")


@dataclass(frozen=True)
class Built:
    """A bundle that the command line built from the tiny recipe, what it printed, and where it keeps its results."""

    bundle: Path
    report: dict[str, Any]
    cache: Path
    recipe: Path
    faces: Path


@pytest.fixture(scope="session")
def face_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for faces, with the real detector and a net of random weights: variants float, int8, packed."""
    path = tmp_path_factory.mktemp("bundles") / "faces.pface"
    write_face_bundle(path)
    return path


@pytest.fixture(scope="session")
def drawn_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 24 drawn identities with 8 images each."""
    folder = tmp_path_factory.mktemp("faces")
    write_faces(folder, 24, 8)
    return folder


def write_faces(folder: Path, people: int, each: int) -> None:
    """Draws `each` images of so many people into folders of their names."""
    drawn = synthetic.faces(people, each)
    for name, image in zip(drawn.names, drawn.images, strict=True):
        path = (folder / name).with_suffix(".png")
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, drawn_faces: Path) -> Built:
    """The tiny recipe's bundle with all six variants."""
    folder = tmp_path_factory.mktemp("built")
    bundle, cache, printed = folder / "tiny.pface", folder / "cache", io.StringIO()
    arguments = ["build", str(RECIPE), "--target", "linux-x86_64", "--images", str(drawn_faces), "--quiet", "--json"]
    with contextlib.redirect_stdout(printed):
        assert main([*arguments, "--out", str(bundle), "--cache", str(cache)]) == 0
    return Built(bundle, json.loads(printed.getvalue()), cache, RECIPE, drawn_faces)


@pytest.fixture(scope="session")
def built_levels(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A bundle of one net at 100, 75 and 50 %, calibrated on 40 drawn people, levels against each other too: so many that false matches at
    1 % are of 30 pairs of people or more."""
    folder, faces = tmp_path_factory.mktemp("levels"), tmp_path_factory.mktemp("people")
    write_faces(faces, 40, 4)
    plain, bundle, cache, printed = folder / "plain.pface", folder / "levels.pface", folder / "cache", io.StringIO()
    arguments = ["build", str(LEVELS_RECIPE), "--target", "linux-x86_64", "--images", str(faces), "--quiet", "--json"]
    with contextlib.redirect_stdout(printed):
        assert main([*arguments, "--out", str(plain), "--cache", str(cache)]) == 0
    with contextlib.redirect_stdout(io.StringIO()):
        calibrated = ["calibrate", str(plain), "--faces", str(faces), "--out", str(bundle), "--cache", str(cache), "--quiet"]
        assert main(calibrated) == 0
    return Built(bundle, json.loads(printed.getvalue()), cache, LEVELS_RECIPE, faces)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that POCKETFACE_DATA names, with `data/` and `weights/`; tests that ask for it are left out where it is not set."""
    named = os.environ.get("POCKETFACE_DATA")
    if not named:
        pytest.skip("POCKETFACE_DATA names no folder with data/ and weights/")
    return Path(named)
