"""Evaluation of embeddings whose accuracy is known, and the record of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import toolchain
from runtime_py.manifest import Accuracy, Threshold, UnsupportedThreshold
from toolchain.data import protocols
from toolchain.data.faces import Faces
from toolchain.errors import DataError
from toolchain.evaluation.accuracies import Measured, read_accuracies, record
from toolchain.evaluation.evaluate import Evaluation, evaluate, of_weights

PEOPLE, EACH = 6, 4


def faces() -> Faces:
    names = tuple(f"p{person}/{image:04d}.png" for person in range(PEOPLE) for image in range(1, EACH + 1))
    return Faces(np.random.default_rng(0).integers(0, 256, (len(names), 2, 2, 3), dtype=np.uint8), names)


def perfect() -> np.ndarray:
    """One direction a person."""
    return np.repeat(np.eye(PEOPLE, dtype=np.float32), EACH, axis=0)


def pairs_file(folder: Path) -> Path:
    lines = ["3\t2"]
    for fold in range(3):
        lines += [f"p{fold}\t1\t2", f"p{fold}\t3\t4", f"p{fold}\t1\tp{fold + 1}\t1", f"p{fold}\t2\tp{fold + 2}\t3"]
    path = folder / "pairs.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_perfect_embedding_scores_full_marks(tmp_path: Path) -> None:
    by_folds = evaluate(perfect(), faces(), pairs_file(tmp_path))
    assert by_folds.accuracy is not None and (by_folds.accuracy.mean, by_folds.accuracy.std) == (1.0, 0.0)
    assert (by_folds.genuine, by_folds.impostors, by_folds.identification) == (6, 6, None)
    assert by_folds.protocol == "pairs, 3 folds of 2 + 2 pairs, cosine, no flip"
    by_folders = evaluate(perfect(), faces())
    assert (by_folders.equal_error_rate, by_folders.accuracy) == (0.0, None)
    assert by_folders.identification is not None and by_folders.identification.rank1.value == 1.0
    assert by_folders.genuine == PEOPLE * EACH * (EACH - 1) // 2
    assert [(rate.far, rate.tar) for rate in by_folders.rates] == [(0.01, 1.0)], "240 impostors are too few for FAR 1e-3"


def test_an_embedding_that_swaps_two_people_pays_for_it() -> None:
    rows = perfect()
    rows[[1, EACH + 1]] = rows[[EACH + 1, 1]]  # image 2 of persons 0 and 1
    # The first image of each person is enrolled; of the 6 * 3 others two are taken for the other person.
    found = evaluate(rows, faces())
    assert dict(found.identified())["rank-1 identification"].value == found.describe()["rank1"] == pytest.approx(16 / 18)


def test_the_data_hash_depends_on_pixels_names_and_pairs(tmp_path: Path) -> None:
    first = evaluate(perfect(), faces(), pairs_file(tmp_path)).data_sha256
    brighter = Faces(faces().images ^ 1, faces().names)
    renamed = Faces(faces().images, tuple(name.replace("png", "jpg") for name in faces().names))
    hashes = {first, evaluate(perfect(), faces()).data_sha256}
    hashes |= {evaluate(perfect(), other, pairs_file(tmp_path)).data_sha256 for other in (brighter, renamed)}
    assert len(hashes) == 4


@pytest.mark.parametrize("form", ["unlabelled/{row}.png", "{row}/0.png"])
def test_images_of_one_identity_or_one_each_are_refused_before_pairs_are_made(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = Faces(faces().images, tuple(form.format(row=row) for row in range(len(faces()))))
    monkeypatch.delattr(protocols, "labelled_pairs")
    with pytest.raises(DataError, match="two identities"):
        evaluate(perfect(), given)


def test_the_protocol_says_what_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("bootstrap", "evaluate"):
        monkeypatch.setattr(f"toolchain.evaluation.{module}.MOST_GENUINE", 3)
    assert "(3 genuine drawn)" in evaluate(perfect(), faces()).protocol


def row(protocol: str, value: float, data: str = "0" * 64) -> Accuracy:
    return Accuracy(protocol, data, value)


def test_a_record_adds_and_replaces_by_model_data_and_protocol(tmp_path: Path) -> None:
    path, first, second = tmp_path / "accuracy.json", "a" * 64, "b" * 64
    calibrated = (Threshold(0.01, 0.5, 0.005, 0.02, 1000, 12, "0" * 64),)
    record(path, {first: Measured((row("x", 0.5), row("y", 0.25)), thresholds=calibrated)})
    record(path, {first: Measured((row("x", 0.75), row("x", 0.125, "1" * 64))), second: Measured((row("x", 1.0),))})
    assert read_accuracies(path) == {
        first: Measured((row("x", 0.75), row("y", 0.25), row("x", 0.125, "1" * 64)), thresholds=calibrated),
        second: Measured((row("x", 1.0),)),
    }


def test_a_new_calibration_replaces_an_old_one_whole() -> None:
    old = Measured(thresholds=(Threshold(0.01, 0.5, 0.005, 0.02, 1000, 12, "0" * 64), Threshold(0.001, 0.7, 0, 0.02, 1000, 12, "0" * 64)))
    new = Measured(thresholds_left_out=(UnsupportedThreshold(0.001, "too few"),), thresholds=old.thresholds[:1])
    assert old.updated(new) == new and new.updated(Measured()) == new


def test_an_evaluation_survives_its_record(tmp_path: Path) -> None:
    found: Evaluation = evaluate(perfect(), faces(), pairs_file(tmp_path))
    record(tmp_path / "accuracy.json", {"a" * 64: Measured(tuple(found.record()))})
    assert set(read_accuracies(tmp_path / "accuracy.json")["a" * 64].accuracy) == set(found.record())


@pytest.mark.parametrize("text", ["", "[]", '{"models": {"a": [{"protocol": "x"}]}}', '{"models": {"a": 2}}', "\x80\x04pickle"])
def test_a_file_that_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "accuracy.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match="accurac"):
        read_accuracies(tmp_path / "accuracy.json")


def test_the_default_weights_reach_their_floor_on_lfw(real_data: Path, tmp_path: Path) -> None:
    lfw = Faces.read([real_data / "data" / "lfw-view2.tar"])
    (weights,) = (Path(toolchain.__file__).parent / "weights").glob("*.safetensors")
    ((_, embeddings),) = of_weights(weights, None, lfw)
    found = evaluate(embeddings, lfw, real_data / "data" / "lfw-pairs.txt")
    assert (found.genuine, found.impostors) == (3000, 3000)
    assert found.accuracy is not None and len(found.accuracy.thresholds) == 10
    # The model card states more; a floor, since a better model may replace it.
    assert found.accuracy.mean >= 0.97
