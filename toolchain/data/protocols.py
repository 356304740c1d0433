"""Face protocols of verification as pure functions of scores and labels: by folds, TAR at FAR, EER. (One to many: identification.py.)

A score is a similarity: it rises with likeness. A pair is accepted where its score is at least the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolchain.errors import DataError

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_MOST_DIGITS = 18


@dataclass(frozen=True, eq=False)
class Pairs:
    """`first` and `second` int64 `[P]`: rows of the images; `same` bool `[P]`; `fold` int64 `[P]` from 0."""

    first: Ints
    second: Ints
    same: Bools
    fold: Ints


def read_pairs(path: Path, names: Sequence[str]) -> Pairs:
    """Reads a pairs file in the form of LFW's pairs.txt and finds each image in `names`.

    First line: `folds<TAB>n`. Then for each fold n lines `name i j` (one person's images i and j) and n lines
    `name i other j` (two persons). Image i of a person is `<name>/<name>_<iiii>` as in LFW, or `<name>/<iiii>`.

    Errors: DataError with the line's number where a line is malformed, or its image is not among `names`, or is more than one of them.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{path}: expected a pairs file, cannot read it ({error.strerror})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: expected a pairs file in the form of LFW's pairs.txt, got bytes that are no text") from None
    head = lines[0].split() if lines else []
    if len(head) != 2 or not all(_is_number(word) and int(word) > 0 for word in head):
        raise DataError(f"{path}: expected a first line of two numbers, folds and pairs of each kind a fold (LFW: 10 300)")
    folds, count = int(head[0]), int(head[1])
    if len(lines) - 1 < folds * 2 * count:
        raise DataError(f"{path}: expected {folds * 2 * count} pairs after the first line, got {len(lines) - 1}")
    rows = _rows_by_image(names)
    first: list[int] = []
    second: list[int] = []
    for number, line in enumerate(lines[1 : 1 + folds * 2 * count], 2):
        same = (number - 2) % (2 * count) < count
        words = line.split("\t") if "\t" in line else line.split()
        if len(words) != (3 if same else 4) or not all(_is_number(word.strip()) for word in (words[1], words[-1])):
            form = "name i j (one person)" if same else "name i other j (two persons)"
            raise DataError(f"{path}:{number}: expected {form}, got {line[:80]!r}")
        other = words[0] if same else words[2]
        for person, image, into in ((words[0], words[1], first), (other, words[-1], second)):
            found = rows.get((person.strip(), int(image)), [])
            who = f"{path}:{number}: {person.strip()} {int(image)}"
            if not found:
                raise DataError(f"{who} is not among the {len(names)} images; give the images of this pairs file")
            if len(found) > 1:
                raise DataError(f"{who} is both {names[found[0]]} and {names[found[1]]}; give the images of this pairs file alone")
            into.append(found[0])
    index = np.arange(folds * 2 * count)
    return Pairs(np.array(first), np.array(second), index % (2 * count) < count, index // (2 * count))


def _is_number(word: str) -> bool:
    """Whether `int` reads it, as what it looks like: `isdigit` alone takes a superscript for one too, and any length."""
    return word.isascii() and word.isdigit() and len(word) <= _MOST_DIGITS


def _rows_by_image(names: Sequence[str]) -> dict[tuple[str, int], list[int]]:
    """The images of each (person, number): `person` is an image's folder, the number what its file's name ends in."""
    rows: dict[tuple[str, int], list[int]] = {}
    for row, name in enumerate(names):
        folder, _, file = name.rpartition("/")
        person = folder.rpartition("/")[2]
        digits = file.rpartition(".")[0].removeprefix(f"{person}_")
        if _is_number(digits):
            rows.setdefault((person, int(digits)), []).append(row)
    return rows


def pair_scores(embeddings: Floats, first: Ints, second: Ints, chunk: int = 65536) -> npt.NDArray[np.float32]:
    """Cosine `[P]` of rows `first` and `second` of L2-normalised `embeddings` `[N, D]`."""
    parts = [
        np.einsum("pd,pd->p", embeddings[first[start : start + chunk]], embeddings[second[start : start + chunk]], dtype=np.float32)
        for start in range(0, len(first), chunk)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def best_threshold(scores: Floats, same: Bools) -> float:
    """The threshold with the best accuracy on these pairs: half way between two neighbouring scores, or just outside
    all of them. Among equally good ones the middle one, which is the one farthest from overfitting a single pair."""
    order = np.argsort(scores, kind="stable")
    ranked, genuine = scores[order].astype(np.float64), same[order]
    # correct[k]: the k lowest scores are refused, the others accepted.
    correct = np.concatenate([[0], np.cumsum(~genuine)]) + (genuine.sum() - np.concatenate([[0], np.cumsum(genuine)]))
    cuts = np.concatenate([[ranked[0] - 1e-6], (ranked[1:] + ranked[:-1]) / 2, [ranked[-1] + 1e-6]])
    possible = np.concatenate([[True], ranked[1:] > ranked[:-1], [True]])  # equal scores cannot be told apart
    best = np.flatnonzero(possible & (correct == correct[possible].max()))
    return float(cuts[best[len(best) // 2]])


@dataclass(frozen=True)
class FoldAccuracy:
    """Accuracy by folds, as shares of 1: `mean`, `std` (population, over folds) and each fold's `threshold`."""

    mean: float
    std: float
    accuracies: tuple[float, ...]
    thresholds: tuple[float, ...]


def fold_accuracy(scores: Floats, same: Bools, fold: Ints) -> FoldAccuracy:
    """LFW's view 2 (Huang et al., 2007): each fold is judged by the threshold that is best on the other folds."""
    accuracies, thresholds = [], []
    numbers = np.unique(fold)
    if len(numbers) < 2:
        raise DataError(f"accuracy by folds: expected at least 2 folds, got {len(numbers)}; the first line of the pairs file states them")
    for number in numbers:
        held = fold == number
        threshold = best_threshold(scores[~held], same[~held])
        accuracies.append(float(np.mean((scores[held] >= threshold) == same[held])))
        thresholds.append(threshold)
    return FoldAccuracy(float(np.mean(accuracies)), float(np.std(accuracies)), tuple(accuracies), tuple(thresholds))


@dataclass(frozen=True)
class Rate:
    """At most `far` of the impostor pairs are accepted at `threshold`, and `tar` of the genuine ones."""

    far: float
    tar: float
    threshold: float


def tar_at_far(scores: Floats, same: Bools, far: float) -> Rate | None:
    """The true accept rate at the lowest threshold whose false accept rate is at most `far`.

    None where the impostors are too few to speak of that rate, i.e. fewer than 1 / far of them.
    """
    impostors, genuine = scores[~same], scores[same]
    allowed = int(np.floor(far * len(impostors) + 1e-9))
    if allowed < 1 or not len(genuine):
        return None
    # Of the impostors at least this one and those that equal it are refused.
    refused = np.partition(impostors, len(impostors) - allowed - 1)[len(impostors) - allowed - 1] if allowed < len(impostors) else -np.inf
    above = scores[scores > refused]
    threshold = float(above.min()) if len(above) else float(np.nextafter(refused, np.inf))
    return Rate(far, float(np.mean(genuine > refused)), threshold)


def equal_error_rate(scores: Floats, same: Bools) -> float:
    """The error rate where false accepts and false rejects are equal, interpolated between the two nearest thresholds."""
    genuine, impostors = np.sort(scores[same]), np.sort(scores[~same])
    if not len(genuine) or not len(impostors):
        raise DataError("equal error rate: expected pairs of one person and pairs of two persons, got one kind only")
    cuts = np.unique(np.concatenate([scores, [np.inf]]))
    reject = np.searchsorted(genuine, cuts, "left") / len(genuine)
    accept = 1 - np.searchsorted(impostors, cuts, "left") / len(impostors)
    after = int(np.argmax(reject >= accept))
    if after == 0:
        return float(max(reject[0], accept[0]))
    # Between the two thresholds both rates are taken as straight lines; they cross where reject equals accept.
    gap_before, gap_after = accept[after - 1] - reject[after - 1], reject[after] - accept[after]
    share = gap_before / (gap_before + gap_after)
    return float(reject[after - 1] + share * (reject[after] - reject[after - 1]))


def labelled_pairs(labels: Ints, genuine: int, impostors: int, seed: int = 0) -> tuple[Ints, Ints, Bools]:
    """(first, second, same) of labelled images: all genuine pairs and all impostor pairs or, where they are more than `genuine` or
    `impostors`, that many drawn with the seed (with repeats, which are few)."""
    sizes = np.unique(labels, return_counts=True)[1].astype(np.int64)
    within = sizes * (sizes - 1) // 2
    total = len(labels) * (len(labels) - 1) // 2 - int(within.sum())
    one, other = _genuine(labels) if within.sum() <= genuine else _drawn_genuine(labels, sizes, within, genuine, seed)
    if total <= impostors:
        # Row by row: a table of all pairs would hold the genuine ones too, which may be many more.
        others = [row + 1 + np.flatnonzero(labels[row + 1 :] != labels[row]) for row in range(len(labels))]
        first = np.repeat(np.arange(len(labels)), [len(part) for part in others])
        second = np.concatenate(others) if others else first
    else:
        share = 2 * total / len(labels) ** 2  # of two rows drawn freely, how often they are of two identities
        draw = np.random.default_rng(seed).integers(0, len(labels), (2, int(1.1 * impostors / share) + 1000))
        first, second = draw[:, labels[draw[0]] != labels[draw[1]]][:, :impostors]
    same = np.concatenate([np.ones(len(one), bool), np.zeros(len(first), bool)])
    return np.concatenate([one, first]).astype(np.int64), np.concatenate([other, second]).astype(np.int64), same


def _genuine(labels: Ints) -> tuple[Ints, Ints]:
    """All pairs of images of one identity."""
    firsts, seconds = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        upper = np.triu_indices(len(rows), 1)
        firsts.append(rows[upper[0]])
        seconds.append(rows[upper[1]])
    return np.concatenate(firsts), np.concatenate(seconds)


def _drawn_genuine(labels: Ints, sizes: Ints, within: Ints, count: int, seed: int) -> tuple[Ints, Ints]:
    """`count` of them: an identity by how many pairs it has (`within`), then two of its `sizes` images."""
    random = np.random.default_rng(seed)
    rows = np.argsort(labels, kind="stable")
    label = random.choice(len(sizes), count, p=within / within.sum())
    one = random.integers(0, sizes[label])
    other = (one + random.integers(1, sizes[label])) % sizes[label]
    start = (np.cumsum(sizes) - sizes)[label]
    return rows[start + one], rows[start + other]
