"""`toolchain photographs`: what becomes of people on whole photographs, from the detector to the name."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from runtime_py.bundle import Bundle
from runtime_py.embedder import Embedder
from runtime_py.errors import ImageError, SourceError
from runtime_py.gallery.identifier import FaceFinder
from runtime_py.image import Pixels, read_image
from runtime_py.mirrored import Mirrored
from runtime_py.photographs import images
from runtime_py.recognizer import finder
from toolchain.bench.timing import Spread
from toolchain.errors import DataError
from toolchain.evaluation.second_pass import SecondPass
from toolchain.machine import machine
from toolchain.model import Model
from toolchain.progress import Progress

Embed = Callable[[Pixels], npt.NDArray[np.floating]]
"""An aligned crop `[H, W, 3]` uint8 RGB to an embedding `[D]` of length 1."""


@dataclass(frozen=True)
class Way:
    """One way to find and align faces. `found`: photographs with a face; `milliseconds`: of finding and aligning, a photograph;
    `asked`: photographs that a name was looked up for, and `right`: those whose person came first, with one photograph of everybody
    enrolled; `likeness`: the cosine of a photograph's embedding to that of its reference crop, mean and median over `compared`."""

    name: str
    found: int
    milliseconds: Spread
    asked: int
    right: int
    compared: int
    likeness_mean: float | None
    likeness_median: float | None

    @property
    def rank1(self) -> float | None:
        """The share of names that were right; a photograph without a face is none."""
        return self.right / self.asked if self.asked else None


@dataclass(frozen=True)
class Report:
    """`people` people on `photographs` photographs, embedded by `embedder`."""

    bundle: str
    embedder: str
    photographs: int
    people: int
    ways: tuple[Way, ...]
    machine: dict[str, Any]

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "ways": [{**asdict(way), "rank1": way.rank1} for way in self.ways]}


def report(
    bundle: Bundle,
    embed: tuple[str, Embed],
    photographs: Sequence[Path],
    references: Sequence[Path],
    others: Sequence[tuple[str, FaceFinder]],
    progress: Progress,
) -> Report:
    """Of `photographs` (<person>/<image>): by the bundle's detector, by a second pass of it, by it on the
    mirror image too, and by `others`. `references`: aligned crops
    of some of them, under the same <person>/<image>.

    Errors: NoDetectorError; SourceError, DataError for photographs that cannot be read or of fewer than two people.
    """
    pictures = _read(photographs)
    crops = _read(references) if references else {}
    people = {name.split("/")[0] for name in pictures}
    if len(people) < 2:
        raise DataError(f"{photographs[0]}: expected photographs of two people or more as <person>/<image>, got {len(people)}")
    own = finder(bundle)
    name, run = embed
    expected = {key: run(crop) for key, crop in crops.items() if key in pictures}
    ways = []
    finders: list[tuple[str, FaceFinder]] = [
        ("the bundle's detector", own),
        ("a second pass of it", SecondPass(own)),
        ("it and its mirror", Mirrored(own)),
        *others,
    ]
    for way, found in finders:
        progress.say(f"{way}: {len(pictures)} photographs")
        ways.append(_way(way, found, run, pictures, expected, progress))
    return Report(bundle.source, name, len(pictures), len(people), tuple(ways), dict(machine()))


def by_variant(bundle: Bundle, variant: str | None) -> tuple[str, Embed]:
    """A variant of the bundle as an embedder, with its name. Error: BundleVariantError."""
    chosen = bundle.variant(variant)
    return chosen.name, Embedder(chosen, bundle.manifest.preprocessing.input, bundle.model(chosen.name)).embed


def by_model(name: str, model: Model) -> tuple[str, Embed]:
    """A model of torch as an embedder."""

    def embed(crop: Pixels) -> npt.NDArray[np.floating]:
        row: npt.NDArray[np.floating] = model.embed(torch.from_numpy(crop.transpose(2, 0, 1)[None].copy()))[0].numpy()
        return row

    return name, embed


def _read(paths: Sequence[Path]) -> dict[str, Pixels]:
    """Pixels by <person>/<image>, in the order of names."""
    found = {}
    for named in images(paths):
        parts = PurePosixPath(named.name).with_suffix("").parts
        if len(parts) < 2:
            raise DataError(f"{named.name}: expected <person>/<image>, got no folder")
        try:
            found["/".join(parts[-2:])] = read_image(named.data, named.name)
        except (ImageError, SourceError) as error:
            raise DataError(str(error)) from None
    return dict(sorted(found.items()))


def _way(
    name: str,
    finder: FaceFinder,
    embed: Embed,
    pictures: dict[str, Pixels],
    expected: dict[str, npt.NDArray[np.floating]],
    progress: Progress,
) -> Way:
    finder.faces(next(iter(pictures.values())))  # the first run is slower than those that follow
    rows, times = {}, []
    for key, pixels in progress.track(pictures.items(), name, len(pictures)):
        start = time.perf_counter()
        faces = finder.faces(pixels)
        times.append((time.perf_counter() - start) * 1e3)
        if faces:
            rows[key] = embed(faces[0].crop)
    asked, right = _rank1(list(pictures), rows)
    likeness = [float(rows[key] @ row) for key, row in expected.items() if key in rows]
    return Way(
        name,
        len(rows),
        Spread.of(np.array(times)),
        asked,
        right,
        len(likeness),
        float(np.mean(likeness)) if likeness else None,
        float(np.median(likeness)) if likeness else None,
    )


def _rank1(names: Sequence[str], rows: dict[str, npt.NDArray[np.floating]]) -> tuple[int, int]:
    """(names asked for, of these right): each person's first photograph with a face is enrolled, all their others are asked for."""
    enrolled: dict[str, str] = {}
    for name in names:
        if name in rows:
            enrolled.setdefault(name.split("/")[0], name)
    if not enrolled:
        return len(names), 0
    people, gallery = list(enrolled), np.stack([rows[name] for name in enrolled.values()])
    asked = [name for name in names if name not in enrolled.values()]
    right = [name for name in asked if name in rows and people[int((gallery @ rows[name]).argmax())] == name.split("/")[0]]
    return len(asked), len(right)
