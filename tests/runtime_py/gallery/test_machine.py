"""Whatever is done to a gallery in whatever order, it holds what a plain dict would hold."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from runtime_py import errors
from runtime_py.gallery import Gallery
from tests.runtime_py.gallery.faces import model, unit

NAMES = st.sampled_from(["Ann", "Bob", "Čeněk", "Dürer", "Ann "])
SEEDS = st.integers(0, 50)
COUNTS = st.integers(1, 3)


class GalleryMachine(RuleBasedStateMachine):
    """`held`: name → templates. Two connections, used in turns, as two processes would."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "people"
        self.galleries = [Gallery(path), Gallery(path)]
        self.held: dict[str, np.ndarray] = {}
        self.turn = 0

    @property
    def gallery(self) -> Gallery:
        self.turn += 1
        return self.galleries[self.turn % 2]

    def id(self, name: str) -> str:
        return self.gallery.named(name).id

    @rule(name=NAMES, seed=SEEDS, count=COUNTS)
    def enrol(self, name: str, seed: int, count: int) -> None:
        if name.strip() in self.held:
            with pytest.raises(errors.GalleryDuplicateError):
                self.gallery.enrol(name, unit(seed, count), model())
        else:
            self.gallery.enrol(name, unit(seed, count), model())
            self.held[name.strip()] = unit(seed, count)

    @rule(name=NAMES, seed=SEEDS)
    def add(self, name: str, seed: int) -> None:
        if name.strip() in self.held:
            self.gallery.add(self.id(name), unit(seed), model())
            self.held[name.strip()] = np.concatenate([self.held[name.strip()], unit(seed)])
        else:
            with pytest.raises(errors.GalleryPersonError):
                self.gallery.add(self.id(name), unit(seed), model())

    @rule(name=NAMES, seed=SEEDS, count=COUNTS)
    def re_enrol(self, name: str, seed: int, count: int) -> None:
        if name.strip() in self.held:
            self.gallery.re_enrol(self.id(name), unit(seed, count), model())
            self.held[name.strip()] = unit(seed, count)

    @rule(name=NAMES, new=NAMES)
    def rename(self, name: str, new: str) -> None:
        old, new = name.strip(), new.strip()
        if old in self.held and (new == old or new not in self.held):
            self.gallery.rename(self.id(old), new)
            self.held[new] = self.held.pop(old)
        else:
            with pytest.raises((errors.GalleryPersonError, errors.GalleryDuplicateError)):
                self.gallery.rename(self.id(old), new)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if name.strip() in self.held:
            self.gallery.delete(self.id(name))
            del self.held[name.strip()]
        else:
            with pytest.raises(errors.GalleryPersonError):
                self.gallery.delete(self.id(name))

    @rule()
    def delete_all(self) -> None:
        assert self.gallery.delete_all() == len(self.held)
        self.held.clear()

    @precondition(lambda self: self.held)
    @rule(seed=SEEDS)
    def search(self, seed: int) -> None:
        query = unit(seed)[0]
        best = max(float((rows @ query).max()) for rows in self.held.values())
        (_, similarity), *_ = self.gallery.search(query, model())
        assert similarity == pytest.approx(best, abs=1e-6)

    @invariant()
    def holds_the_same_people(self) -> None:
        found = {person.name: [vector.tobytes() for _, _, vector in templates] for person, templates in self.gallery.entries()}
        assert found == {name: [row.tobytes() for row in rows] for name, rows in self.held.items()}

    def teardown(self) -> None:
        assert self.gallery.check() == []
        for gallery in self.galleries:
            gallery.close()
        self.folder.cleanup()


GalleryMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestGalleryMachine = GalleryMachine.TestCase
