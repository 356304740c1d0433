"""The protocols against derivations that share no code with them: brute force, closed forms, counts by hand."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from toolchain.data.protocols import (
    best_threshold,
    equal_error_rate,
    fold_accuracy,
    labelled_pairs,
    pair_scores,
    read_pairs,
    tar_at_far,
)
from toolchain.errors import DataError

NAMES = ("lfw/Ann_Lee/Ann_Lee_0001.jpg", "lfw/Ann_Lee/Ann_Lee_0002.jpg", "bob/0001.png", "bob/0003.png")


def write(folder: Path, text: str) -> Path:
    path = folder / "pairs.txt"
    path.write_text(text)
    return path


def test_pairs_are_read_in_lfw_form_with_lfw_names_and_plain_names(tmp_path: Path) -> None:
    pairs = read_pairs(write(tmp_path, "2\t1\nAnn_Lee\t1\t2\nAnn_Lee\t2\tbob\t3\nbob\t1\t3\nbob\t1\tAnn_Lee\t1\n"), NAMES)
    assert pairs.first.tolist() == [0, 1, 2, 2]
    assert pairs.second.tolist() == [1, 3, 3, 0]
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.fold.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "first line of two numbers"),
        ("Ann_Lee\t1\t2\n", "first line of two numbers"),
        ("10\t²\nAnn_Lee\t1\t2\n", "first line of two numbers"),
        (f"10\t{'9' * 5000}\nAnn_Lee\t1\t2\n", "first line of two numbers"),
        ("1\t1\nAnn_Lee\t1\t²\nAnn_Lee\t1\tbob\t1\n", "pairs.txt:2: expected name i j"),
        (f"1\t1\nAnn_Lee\t1\t{'9' * 5000}\nAnn_Lee\t1\tbob\t1\n", "pairs.txt:2: expected name i j"),
        ("2\t300\nAnn_Lee\t1\t2\n", "expected 1200 pairs"),
        ("1\t1\nAnn_Lee\t1\nAnn_Lee\t1\tbob\t1\n", "pairs.txt:2: expected name i j"),
        ("1\t1\nAnn_Lee\t1\t2\nAnn_Lee\t1\t2\n", "pairs.txt:3: expected name i other j"),
        ("1\t1\nAnn_Lee\t1\t9\nAnn_Lee\t1\tbob\t1\n", "pairs.txt:2: Ann_Lee 9 is not among the 4 images"),
    ],
)
def test_a_malformed_pairs_file_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_pairs(write(tmp_path, text), NAMES)


def test_images_whose_names_end_in_other_digits_are_passed_over(tmp_path: Path) -> None:
    names = (*NAMES, "bob/².png", f"bob/{'9' * 5000}.png")
    assert read_pairs(write(tmp_path, "1\t1\nAnn_Lee\t1\t2\nAnn_Lee\t2\tbob\t3\n"), names).second.tolist() == [1, 3]


def test_an_image_of_a_pair_that_is_there_twice_is_refused_by_both_names(tmp_path: Path) -> None:
    names = (*NAMES, "other/bob/0003.png", "other/bob/0001.png")
    says = "pairs.txt:3: bob 3 is both bob/0003.png and other/bob/0003.png; give"
    with pytest.raises(DataError, match=says):
        read_pairs(write(tmp_path, "1\t1\nAnn_Lee\t1\t2\nAnn_Lee\t2\tbob\t3\n"), names)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(DataError, match="no text"):
        read_pairs(tmp_path / "pairs.txt", NAMES)


def test_pair_scores_are_cosines_whatever_the_chunk() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(50, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    first, second = random.integers(0, 50, (2, 101))
    expected = np.array([float(rows[i].astype(np.float64) @ rows[j]) for i, j in zip(first, second, strict=True)])
    # A sum of 8 fp32 products of numbers below 1 is off by at most 8 * 2^-24 < 1e-6.
    np.testing.assert_allclose(pair_scores(rows, first, second, chunk=7), expected, atol=1e-6)


def test_best_threshold_is_as_accurate_as_the_best_of_all_thresholds() -> None:
    random = np.random.default_rng(1)
    for _ in range(50):
        scores = np.round(random.normal(size=40), 1)  # rounded: ties between and within the two kinds
        same = random.random(40) < 0.5
        every = [np.mean((scores >= cut) == same) for cut in np.concatenate([scores, scores + 0.05, [-99.0]])]
        assert np.mean((scores >= best_threshold(scores, same)) == same) == max(every)


def test_of_equally_good_thresholds_the_middle_one_is_taken() -> None:
    # Cuts between 1 and 2, 3 and 4, 5 and 6 are right for four of six pairs.
    assert best_threshold(np.arange(1.0, 7.0), np.array([False, True] * 3)) == 3.5


def test_each_fold_is_judged_by_the_threshold_of_the_others() -> None:
    # Fold 0 is split at 0.5, fold 1 at 5: each fold's own threshold would give 100 %, the other's gives 50 %.
    scores = np.array([1.0, 0.0, 6.0, 4.0])
    result = fold_accuracy(scores, np.array([True, False, True, False]), np.array([0, 0, 1, 1]))
    assert result.accuracies == (0.5, 0.5)
    assert result.thresholds == (5.0, 0.5)


def test_fold_accuracy_of_normal_scores_is_near_the_closed_form() -> None:
    # Genuine N(d, 1), impostors N(0, 1): the best threshold is d/2 and its accuracy Phi(d/2).
    random = np.random.default_rng(2)
    same = np.tile(np.arange(600) < 300, 10)
    scores = random.normal(size=6000) + 3.0 * same
    result = fold_accuracy(scores, same, np.repeat(np.arange(10), 600))
    expected = NormalDist().cdf(1.5)
    error = np.sqrt(expected * (1 - expected) / 6000)
    assert abs(result.mean - expected) < 4 * error  # 4 standard errors of a share of 6,000


def test_one_fold_alone_has_no_accuracy_by_folds() -> None:
    with pytest.raises(DataError, match="at least 2 folds"):
        fold_accuracy(np.zeros(2), np.array([True, False]), np.zeros(2, int))


def test_tar_at_far_is_the_best_that_any_threshold_allows() -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        scores = np.round(random.normal(size=200), 1)
        same = random.random(200) < 0.4
        rate = tar_at_far(scores, same, 0.05)
        assert rate is not None
        allowed = [cut for cut in [*scores, 99.0] if np.mean(scores[~same] >= cut) <= 0.05]
        assert rate.tar == max(np.mean(scores[same] >= cut) for cut in allowed)
        assert np.mean(scores[~same] >= rate.threshold) <= 0.05
        assert np.mean(scores[same] >= rate.threshold) == rate.tar


def test_a_far_below_one_impostor_is_not_stated() -> None:
    scores, same = np.arange(2000.0), np.arange(2000) >= 1000
    assert tar_at_far(scores, same, 1e-3) is not None
    assert tar_at_far(scores, same, 0.9e-3) is None


def test_equal_error_rate_of_normal_scores_is_near_the_closed_form() -> None:
    # Genuine N(d, 1) and impostors N(0, 1) have equal errors at d/2: Phi(-d/2).
    random = np.random.default_rng(4)
    same = np.arange(20000) < 10000
    rate = equal_error_rate(random.normal(size=20000) + 2.0 * same, same)
    expected = NormalDist().cdf(-1.0)
    assert abs(rate - expected) < 4 * np.sqrt(expected * (1 - expected) / 10000)


def test_equal_error_rate_by_hand() -> None:
    # One of four impostors lies above one of four genuine scores: both errors are 1/4 between them.
    genuine, impostors = [0.4, 0.7, 0.8, 0.9], [0.1, 0.2, 0.3, 0.5]
    assert equal_error_rate(np.array(genuine + impostors), np.arange(8) < 4) == pytest.approx(0.25)
    assert equal_error_rate(np.array([1.0, 0.0]), np.array([True, False])) == 0.0
    assert equal_error_rate(np.array([0.0, 1.0]), np.array([True, False])) == 1.0


def test_labelled_pairs_are_all_pairs_where_they_are_few() -> None:
    labels = np.array([0, 0, 1, 1, 1, 2])
    first, second, same = labelled_pairs(labels, genuine=100, impostors=100)
    pairs = {frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)}
    assert len(pairs) == len(first) == 15  # 6 choose 2, none twice
    assert np.array_equal(labels[first] == labels[second], same)


def test_labelled_pairs_are_drawn_where_they_are_many() -> None:
    labels = np.repeat(np.arange(3), 60)
    first, second, same = labelled_pairs(labels, genuine=6000, impostors=2000)
    assert same.sum() == 3 * 60 * 59 // 2 and (~same).sum() == 2000
    assert np.array_equal(labels[first] == labels[second], same)
    again = labelled_pairs(labels, genuine=6000, impostors=2000)
    assert np.array_equal(first, again[0]) and np.array_equal(second, again[1])


def test_genuine_pairs_are_drawn_where_they_are_many() -> None:
    labels = np.random.default_rng(5).permutation(np.repeat(np.arange(3), (200, 100, 1)))
    first, second, same = labelled_pairs(labels, genuine=9000, impostors=10**6)
    # Of 24,850 pairs 9,000; every pair of different people, 20,300 of them, as before.
    assert same.sum() == 9000 and (~same).sum() == 200 * 100 + 300
    assert np.array_equal(labels[first] == labels[second], same) and (first != second).all()
    # 19,900 of the 24,850 are the first identity's: the share of 9,000 draws is off by at most 4 standard errors of 0.42 %.
    assert np.mean(labels[first[same]] == 0) == pytest.approx(19900 / 24850, abs=0.017)
    assert len(set(first[same])) == 300, "all images of the two who have pairs"
    again = labelled_pairs(labels, genuine=9000, impostors=10**6)
    assert np.array_equal(first, again[0]) and np.array_equal(second, again[1])


def test_a_large_folder_and_few_others_take_no_table_of_all_pairs() -> None:
    """6,000 images of one person and one of another: 18 million pairs, 300 MB as a table, of which 6,000 and those drawn are asked for."""
    tracemalloc.start()
    _, _, same = labelled_pairs(np.repeat([0, 1], (6000, 1)), genuine=10**5, impostors=10**6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert same.sum() == 10**5 and (~same).sum() == 6000 and peak < 30e6
