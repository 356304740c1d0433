"""A gallery on Qdrant, run inside this process, does what the gallery in a file does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runtime_py
from runtime_py import errors
from runtime_py.gallery import Gallery, Identifier, PeopleGallery, Person, QdrantGallery, TemplateModel, export_people, import_people
from tests.runtime_py.gallery.faces import SIZE, model, unit
from toolchain.data.synthetic import Identity, View, photograph

pytest.importorskip("qdrant_client")

NAMES = ("Ann", "Bob", "Čeněk", "Dürer")


@pytest.fixture
def qdrant() -> Iterator[QdrantGallery]:
    with QdrantGallery(":memory:") as gallery:
        yield gallery


def held(gallery: PeopleGallery) -> list[Any]:
    """Everybody but ids and times, which differ."""
    return [
        (person.name, dict(person.metadata), [(made, made.size, row.tobytes()) for made, _, row in rows])
        for person, rows in gallery.entries()
    ]


def test_whatever_is_done_both_galleries_hold_the_same(qdrant: QdrantGallery, tmp_path: Path) -> None:
    drawn = random.Random(3)
    with Gallery(tmp_path / "people") as file:
        for step in range(60):
            name, new, seed, count = drawn.choice(NAMES), drawn.choice(NAMES), drawn.randrange(99), drawn.randint(1, 3)
            of = model(drawn.choice(("fp32", "int8")))
            kind = drawn.choice(("enrol", "enrol", "add", "re_enrol", "rename", "delete"))
            outcomes = [outcome(gallery, kind, name, new, unit(seed, count), of) for gallery in (file, qdrant)]
            assert outcomes[0] == outcomes[1], (step, kind)
            assert held(file) == held(qdrant), (step, kind)
        assert len(qdrant) == len(file) > 1
        assert set(qdrant.models()) == set(file.models())
        for of in (model(), model("int8")):
            assert qdrant.count(of) == file.count(of)
            assert [person.name for person in qdrant.enrol_again(of)] == [person.name for person in file.enrol_again(of)]
            theirs, ours = (gallery.search(unit(7)[0], of, top=3) for gallery in (qdrant, file))
            assert [person.name for person, _ in theirs] == [person.name for person, _ in ours]
            # 16 products of at most 1 in float32, summed in another order.
            assert [value for _, value in theirs] == pytest.approx([value for _, value in ours], abs=16 * 2**-24)
        assert qdrant.delete_all() == file.delete_all() and len(qdrant) == 0


def outcome(gallery: PeopleGallery, kind: str, name: str, new: str, rows: np.ndarray, of: TemplateModel) -> str:
    """The code of the error that a change ends with, or nothing."""
    try:
        if kind == "enrol":
            gallery.enrol(name, rows, of, {"by": new})
        elif kind == "add":
            gallery.add(gallery.named(name).id, rows, of)
        elif kind == "re_enrol":
            gallery.re_enrol(gallery.named(name).id, rows, of)
        elif kind == "rename":
            gallery.rename(gallery.named(name).id, new)
        else:
            gallery.delete(gallery.named(name).id)
    except errors.GalleryError as error:
        return error.code
    return ""


def test_a_change_that_another_machine_made_meanwhile_is_not_lost(qdrant: QdrantGallery) -> None:
    ann = qdrant.enrol("Ann", unit(1), model())
    row = (model(), 1, unit(3)[0])
    meanwhile = iter([lambda: qdrant.add(ann.id, unit(2), model())])

    def change(person: Any, rows: Any) -> Any:
        for other in meanwhile:
            other()
        return person, [*rows, row]

    made = qdrant._change(ann.id, change)
    assert len(made.templates) == 3
    ((_, rows),) = qdrant.entries()
    assert [vector.tobytes() for _, _, vector in rows] == [unit(seed)[0].tobytes() for seed in (1, 2, 3)]


def test_people_move_between_a_file_and_qdrant(qdrant: QdrantGallery, tmp_path: Path) -> None:
    with Gallery(tmp_path / "people") as file:
        ann = file.enrol("Ann", unit(1, 2), model(), {"room": "12"})
        file.enrol("Bob", unit(2), model("int8"))
        export_people(file, tmp_path / "x.pfpeople", "correct horse")
    assert import_people(qdrant, tmp_path / "x.pfpeople", "correct horse").enrolled == 2
    assert qdrant.person(ann.id) == ann
    with pytest.raises(errors.GalleryDuplicateError):
        import_people(qdrant, tmp_path / "x.pfpeople", "correct horse")
    qdrant.add(ann.id, unit(5), model())
    assert import_people(qdrant, tmp_path / "x.pfpeople", "correct horse", "add").added == 2
    assert len(qdrant.person(ann.id).templates) == 3, "what is there is not added twice"
    assert import_people(qdrant, tmp_path / "x.pfpeople", "correct horse", "replace").replaced == 2
    assert qdrant.person(ann.id) == ann


ID = "00000000-0000-4000-8000-00000000000{}"


def test_an_import_that_is_to_refuse_never_adds_to_anybody(qdrant: QdrantGallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = (Person(ID.format(1), "Ann", 1, ()), [(model(), 1, unit(1)[0])])
    with Gallery(tmp_path / "people") as file:
        for id, name in ((ID.format(1), "Bob"), (ID.format(2), "Ann")):
            for gallery in (file, qdrant):
                with pytest.raises(errors.GalleryDuplicateError):
                    gallery.merge([ann, (Person(id, name, 1, ()), [(model(), 1, unit(2)[0])])])
                assert len(gallery) == 0
    found = iter([None])  # as the other machine was a moment later

    def here(person: Person) -> str | None:
        for nobody in found:
            qdrant.enrol("Ann", unit(9), model())
            return nobody
        return QdrantGallery._here(qdrant, person)

    monkeypatch.setattr(qdrant, "_here", here)
    with pytest.raises(errors.GalleryDuplicateError):
        qdrant.merge([ann])
    assert len(qdrant.named("Ann").templates) == 1


def test_a_closed_one_says_so() -> None:
    gallery = QdrantGallery(":memory:")
    gallery.close()
    for read in (gallery.people, gallery.models, gallery.__len__):
        with pytest.raises(errors.GalleryClosedError):
            read()


def test_what_makes_no_sense_is_refused_as_by_the_file(qdrant: QdrantGallery) -> None:
    assert qdrant.search(unit(1)[0], model()) == []
    qdrant.enrol("Ann", unit(1), model())
    with pytest.raises(errors.GalleryModelError, match="enrol people again"):
        qdrant.search(unit(1)[0], model("int8"))
    with pytest.raises(errors.GalleryModelError, match="16 numbers"):
        qdrant.enrol("Bob", unit(2, 1, SIZE + 1), TemplateModel(model().sha256, "fp32", SIZE + 1))
    for id in ("nobody", "00000000-0000-4000-8000-000000000001"):
        with pytest.raises(errors.GalleryPersonError):
            qdrant.person(id)
    with pytest.raises(errors.GalleryNormalisationError):
        qdrant.enrol("Bob", unit(2) * 2, model())
    assert len(qdrant) == 1


def test_an_identifier_works_on_it(qdrant: QdrantGallery, face_bundle: Path) -> None:
    identifier = Identifier(runtime_py.load(face_bundle), qdrant)
    picture = photograph(Identity.draw(11, 0), View.draw(11, 0, 0, 0.2), 256, 256).image
    identifier.enrol("Ann", [picture])
    assert identifier.enrol("Ann", [picture], again=True).person.name == "Ann"
    (found,) = identifier.identify(picture)
    assert found.person is not None and found.person.name == "Ann"


def test_a_server_that_is_not_there_is_one_line() -> None:
    with pytest.raises(errors.GalleryReadError, match="see that it runs") as caught:
        QdrantGallery("http://127.0.0.1:9")
    assert "\n" not in str(caught.value)
