"""Which faces training on identities takes."""

from __future__ import annotations

import numpy as np
import pytest

from toolchain.data.faces import Faces
from toolchain.errors import DataError
from toolchain.losses.supervised import labelled


def faces(*names: str) -> Faces:
    return Faces(np.zeros((len(names), 4, 4, 3), np.uint8), names)


def test_faces_of_no_identity_are_left_out() -> None:
    known = ("ann/1.png", "people/bob/1.png", "ann/2.png")
    found = labelled(faces("alone.png", *known, "./alone.png", "unlabelled/1.png", "people/unlabelled/1.png"), "Train")
    assert found.names == known


@pytest.mark.parametrize("form", ["{}.png", "./{}.png", "unlabelled/{}.png", "ann/{}.png"])
def test_without_two_identities_there_is_nothing_to_train_on(form: str) -> None:
    """A flat folder of images would otherwise make every image a person."""
    with pytest.raises(DataError, match="Train: expected faces of two identities or more, got [01]; put each person in a folder"):
        labelled(faces(*(form.format(number) for number in range(8))), "Train")
