"""Identification protocols against counts by hand and, for the intervals, against simulation and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from toolchain.data.identification import closed_set, half_enrolled, held_fifth, identify, nearest_one, open_set, rank1, share, wilson
from toolchain.errors import DataError


def unit(*degrees: float) -> np.ndarray:
    """Unit vectors of the plane at these angles, `[N, 2]`."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def test_closed_set_counts_the_largest_score() -> None:
    scores = np.array([[3.0, 1.0], [0.0, 2.0], [5.0, 4.0], [1.0, 2.0]])
    found = closed_set(scores, np.array([0, 1, 1, 1]))
    assert (found.value, found.probes, found.identities) == (0.75, 4, 2)


def test_rank1_counts_probes_whose_nearest_first_image_is_their_own() -> None:
    axes = np.eye(3)
    # Identity 0: gallery x, probes x and y (the second is taken for identity 1). Identity 1: gallery y. Identity 2: gallery z, probe z.
    found = rank1(axes[[0, 0, 1, 1, 2, 2]], np.array([0, 0, 0, 1, 2, 2]))
    assert found is not None and (found.value, found.probes, found.identities) == (2 / 3, 3, 2)
    assert found.low < 2 / 3 < found.high
    assert rank1(axes, np.array([0, 1, 2])) is None


def test_all_protocols_at_once_leave_out_what_the_images_are_too_few_for() -> None:
    """Forty people in forty directions, six images each but for the last person's two: one of six is held, none of two."""
    labels = np.array([*np.repeat(np.arange(39), 6), 39, 39])
    names = [f"person{label}/{row}.jpg" for row, label in enumerate(labels)]
    found = identify(np.eye(40)[labels], labels, names)
    assert found is not None and (found.rank1.value, found.rank1.probes) == (1.0, 39 * 5 + 1)
    assert found.nearest_one is not None and (found.nearest_one.value, found.nearest_one.probes) == (1.0, 39)
    strangers = int((~half_enrolled(names)).sum())
    assert [row.fpir for row in found.open_set] == [rate for rate in (0.1, 0.01, 0.001) if rate * strangers >= 1]
    two_each = np.repeat(np.arange(20), 2)
    few = identify(np.eye(20)[two_each], two_each, [f"person{label}/{row}.jpg" for row, label in enumerate(two_each)])
    assert few is not None and few.nearest_one is None
    assert identify(np.eye(20), np.arange(20), [f"person{label}/0.jpg" for label in range(20)]) is None


def test_nearest_one_goes_by_the_mean_of_the_images_that_are_not_held() -> None:
    """Centres at 10° and 80°; the held image of person 0 at 50° is nearer to person 1's."""
    embeddings, labels = unit(0, 20, 50, 70, 90, 75), np.array([0, 0, 0, 1, 1, 1])
    held = np.array([False, False, True, False, False, True])
    assert nearest_one(embeddings, labels, held).value == 0.5
    # Without the image at 20° the centre is 0°, and with 50° in its place 25°: the held 20° is then found.
    assert nearest_one(embeddings, labels, np.array([False, True, False, False, False, True])).value == 1.0


def test_an_identity_without_a_centre_is_refused() -> None:
    with pytest.raises(DataError, match="every identity"):
        nearest_one(unit(0, 90), np.array([0, 1]), np.array([False, True]))


def test_a_fifth_of_each_identity_is_held_whatever_the_order() -> None:
    names = [f"p{person}/{image:04d}.jpg" for person, count in enumerate((4, 5, 14, 20)) for image in range(count)]
    labels = np.array([int(name[1]) for name in names])
    held = held_fifth(names, labels)
    assert [int(held[labels == person].sum()) for person in range(4)] == [0, 1, 2, 4]
    shuffled = np.random.default_rng(0).permutation(len(names))
    assert np.array_equal(held_fifth([f"tar/{names[row]}" for row in shuffled], labels[shuffled]), held[shuffled])


def test_open_set_by_hand() -> None:
    """Gallery: 0° and 90°. Strangers at 30° and 45° and 100° and 60°: best cosines to it cos 30°, 45°, 10°, 30°."""
    embeddings = unit(0, 5, 20, 90, 70, 40, 30, 45, 100, 60)
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 3, 4, 5])
    enrolled = labels < 2
    found = open_set(embeddings, labels, enrolled, fpir=0.25)
    assert found is not None and (found.strangers, found.enrolled) == (4, 2)
    # One stranger, at 10° from the gallery, may pass: of the four searched only the one at 5° is as near.
    assert found.threshold == pytest.approx(np.cos(np.radians(10)))
    assert found.tpir.value == 0.25
    # All four may pass: every searched image whose nearest gallery image is its own counts, 40° is nearer to 0°.
    everyone = open_set(embeddings, labels, enrolled, fpir=1.0)
    assert everyone is not None and everyone.tpir.value == 0.75
    assert open_set(embeddings, labels, enrolled, fpir=0.1) is None, "four strangers say nothing about one in ten"


def test_half_of_the_identities_are_enrolled_with_all_their_images() -> None:
    names = [f"person{number}/{image}.jpg" for number in range(400) for image in range(2)]
    enrolled = half_enrolled(names)
    assert np.array_equal(enrolled[::2], enrolled[1::2])
    # 400 fair draws: a standard deviation of 10 around 200; five of them would come once in a million seeds
    assert 150 < enrolled[::2].sum() < 250
    assert np.array_equal(half_enrolled([f"tar/{name}" for name in names]), enrolled)


def test_wilsons_interval_solves_its_equation() -> None:
    """Its ends are the shares p at which the observed one is z standard errors away: (x - p)² = z² p (1 - p) / n."""
    for value, trials in ((0.9, 50), (0.5, 10), (0.02, 200)):
        for end in wilson(value, trials, 0.95):
            assert (value - end) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) / trials, rel=1e-6)
    assert wilson(1.0, 20, 0.95)[1] == 1.0 and wilson(1.0, 20, 0.95)[0] < 0.9


def test_the_interval_holds_the_truth_as_often_as_it_says_where_people_differ() -> None:
    """400 simulated tests of 60 people, 10 images each, whose own rates differ (Beta(4, 1), mean 0.8): 95 % of the intervals hold the
    true mean, ± 3 standard errors of 400 draws (3.3 %) and what is lost by estimating the spread. Without the design effect fewer do."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(60), 10)
    held = plain = 0
    for _ in range(400):
        right = random.random(600) < np.repeat(random.beta(4, 1, 60), 10)
        found = share(right, labels)
        held += found.low <= 0.8 <= found.high
        low, high = wilson(found.value, 600, 0.95)
        plain += low <= 0.8 <= high
    assert held / 400 > 0.95 - 0.04 and plain < held


def test_independent_images_are_worth_their_number_and_certain_ones_their_people() -> None:
    right = np.arange(100) % 4 > 0
    found = share(right, np.arange(100))
    assert (found.low, found.high) == pytest.approx(wilson(0.75, 100, 0.95), rel=0.02)
    certain = share(np.ones(100, bool), np.repeat(np.arange(10), 10))
    assert (certain.low, certain.high) == wilson(1.0, 10, 0.95)


def test_one_person_is_never_more_certain_than_two() -> None:
    """Of one person nobody knows how much people differ: all those images are one trial."""
    half = np.arange(100) % 2 > 0
    one, two = share(half, np.zeros(100, int)), share(half, np.arange(100) % 2)
    assert (one.low, one.high) == wilson(0.5, 1, 0.95)
    assert one.low <= two.low < two.high <= one.high
    certain = share(np.ones(100, bool), np.zeros(100, int))
    assert (certain.low, certain.high) == wilson(1.0, 1, 0.95)


def test_no_image_is_refused() -> None:
    with pytest.raises(DataError, match="at least one image"):
        share(np.zeros(0, bool), np.zeros(0, np.int64))
