"""End to end on photographs of people, where POCKETFACE_DATA names a folder that has them."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from runtime_py.image import read_image
from runtime_py.photographs import images
from toolchain.data.align import Aligner

DATA = os.environ.get("POCKETFACE_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="POCKETFACE_DATA names no folder with data/ and weights/")


@pytest.fixture(scope="module")
def photographs() -> dict[str, np.ndarray]:
    return {named.name.rsplit("/", 1)[1]: read_image(named.data) for named in images([Path(str(DATA)) / "data" / "photos-lfw.tar"])}


@pytest.fixture(scope="module")
def crops(photographs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The largest face of each photograph in which one was found."""
    finder = Aligner.packaged().finder
    found = {name: finder.faces(photograph) for name, photograph in photographs.items()}
    return {name: faces[0].crop for name, faces in found.items() if faces}


@pytest.fixture(scope="module")
def embed() -> object:
    """A strong embedder (omz0095, ONNX): crop to an embedding of length 1."""
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(Path(str(DATA)) / "weights" / "teacher_omz0095.onnx"), options)
    name = session.get_inputs()[0].name

    def run(crop: np.ndarray) -> np.ndarray:
        row = session.run(None, {name: crop.transpose(2, 0, 1)[None].astype(np.float32)})[0].ravel()
        return row / np.linalg.norm(row)

    return run


def test_every_face_is_found(photographs: dict[str, np.ndarray], crops: dict[str, np.ndarray]) -> None:
    assert len(photographs) == 120 and len(crops) == 120


def test_crops_are_those_of_the_reference_alignment(crops: dict[str, np.ndarray], embed: object) -> None:
    """Against crops by five points of another detector. Measured: a mean cosine of 0.961 over 94 faces; a trial had 0.951."""
    likeness = []
    with tarfile.open(Path(str(DATA)) / "data" / "lfw-view2.tar") as archive:
        for member in archive:
            name = member.name.rsplit("/", 1)[-1]
            if name in crops:
                reference = read_image(io.BytesIO(archive.extractfile(member).read()).getvalue())
                likeness.append(float(embed(crops[name]) @ embed(reference)))
    assert len(likeness) >= 90 and np.mean(likeness) > 0.955, np.mean(likeness)


def test_a_strong_embedder_names_the_person(crops: dict[str, np.ndarray], embed: object) -> None:
    """The first photograph of each of 40 people is the gallery, the other 80 are asked for. Measured: rank-1 97.5 % (78 of 80); a
    trial had 96.3. Two photographs are left for what another version of a runtime may change."""
    rows = {name: embed(crop) for name, crop in sorted(crops.items())}
    person = {name: name.rsplit("_", 1)[0] for name in rows}
    gallery: dict[str, str] = {}
    for name in rows:
        gallery.setdefault(person[name], name)
    enrolled = np.stack([rows[name] for name in gallery.values()])
    asked = [name for name in rows if name not in gallery.values()]
    right = [list(gallery)[int((enrolled @ rows[name]).argmax())] == person[name] for name in asked]
    assert len(asked) == 80 and sum(right) >= 76, sum(right)
