"""The gallery keeps what it was given, refuses what makes no sense, and forgets what it is told to forget."""

from __future__ import annotations

import os
import sqlite3
import threading
import uuid
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime_py import errors
from runtime_py.gallery import Gallery, TemplateModel
from runtime_py.gallery.people import check_name
from tests.runtime_py.gallery.faces import SIZE, model, unit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.pfgallery"


def test_a_person_survives_closing(path: Path) -> None:
    with Gallery(path) as gallery:
        made = gallery.enrol("Ann", unit(1, 3), model(), {"room": "12"})
    with Gallery(path) as gallery:
        found = gallery.person(made.id)
        assert found == made == gallery.named("Ann")
        assert found.metadata == {"room": "12"} and len(found.templates) == 3
        assert [template.model for template in found.templates] == [model()] * 3


def made(path: Path) -> Path:
    """An empty gallery."""
    with Gallery(path) as gallery:
        gallery.delete_all()
    return path


def test_the_first_change_makes_the_file(path: Path) -> None:
    with Gallery(path / "people") as gallery, Gallery(path / "people") as other:
        assert len(gallery) == 0 and gallery.people() == () and gallery.check() == [] and gallery.entries() == []
        assert gallery.search(unit(1), model()) == [] and gallery.count(model()) == 0
        with pytest.raises(errors.GalleryNameError):
            gallery.enrol("", unit(1), model())
        assert not path.exists()
        gallery.enrol("Ann", unit(1), model())
        assert other.search(unit(1), model())[0][0].name == "Ann" == gallery.named("Ann").name
    (path / "file").write_bytes(b"")
    with pytest.raises(errors.GalleryWriteError, match="takes no files"):
        Gallery(path / "file" / "people")


def test_no_change_goes_into_a_file_that_is_gone(path: Path) -> None:
    with Gallery(path) as gallery:
        gallery.enrol("Ann", unit(1), model())
        copy = path.read_bytes()
        gallery.enrol("Bob", unit(2), model())
        assert len(gallery.search(unit(1), model(), 9)) == 2
        path.with_name("copy").write_bytes(copy)
        os.replace(path.with_name("copy"), path)
        assert [person.name for person, _ in gallery.search(unit(1), model(), 9)] == ["Ann"]
        gallery.enrol("Cem", unit(3), model())
        with Gallery(path) as other:
            assert [person.name for person in other.people()] == ["Ann", "Cem"]
        path.unlink()
        for use in (gallery.people, lambda: gallery.enrol("Dee", unit(4), model())):
            with pytest.raises(errors.GalleryReadError, match="found nothing"):
                use()
        assert not path.exists()


def test_only_the_owner_can_read_a_new_gallery(path: Path) -> None:
    made(path)
    assert os.stat(path).st_mode & 0o077 == 0


def test_names_that_look_the_same_are_the_same(path: Path) -> None:
    with Gallery(path) as gallery:
        gallery.enrol("  Ame\u0301lie ", unit(1), model())
        assert gallery.named("Ame\u0301lie").name == "Amélie"
        with pytest.raises(errors.GalleryDuplicateError):
            gallery.enrol("Amélie", unit(2), model())


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00b", "x" * 256, "a\u2028b"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(errors.GalleryNameError):
        check_name(name)


@pytest.mark.parametrize(
    ("templates", "error"),
    [
        (unit(1, 1, SIZE + 1), errors.GalleryDimensionError),
        (unit(1) * 1.01, errors.GalleryNormalisationError),
        (np.full((1, SIZE), np.nan, np.float32), errors.GalleryVectorError),
        (np.full((1, SIZE), np.inf, np.float32), errors.GalleryVectorError),
        (np.zeros((1, SIZE), np.float32), errors.GalleryNormalisationError),
        (np.zeros((0, SIZE), np.float32), errors.GalleryVectorError),
        (np.ones((1, SIZE), np.int32), errors.GalleryVectorError),
    ],
)
def test_what_is_no_template_is_refused_and_nothing_is_written(path: Path, templates: np.ndarray, error: type[Exception]) -> None:
    with Gallery(path) as gallery:
        with pytest.raises(error):
            gallery.enrol("Ann", templates, model())
        assert len(gallery) == 0


def test_a_search_for_nobody_and_an_unknown_word_are_refused(path: Path) -> None:
    with Gallery(path) as gallery:
        ann = gallery.enrol("Ann", unit(1), model())
        for top in (0, -1):
            with pytest.raises(errors.GalleryError, match=f"1 or more people to list, got {top}"):
                gallery.search(unit(1), model(), top)
        with pytest.raises(errors.GalleryError, match="expected one of refuse, skip, replace, add, got 'overwrite'"):
            gallery.merge([(ann, [(model(), 0, unit(2)[0])])], "overwrite")  # type: ignore[arg-type]
        assert len(gallery.named("Ann").templates) == 1


def test_errors_do_not_name_people(path: Path) -> None:
    with Gallery(path) as gallery:
        gallery.enrol("Zebediah", unit(1), model())
        for change in (lambda: gallery.enrol("Zebediah", unit(2), model()), lambda: gallery.named("Zebediah II")):
            with pytest.raises(errors.GalleryError) as caught:
                change()
            assert "Zebediah" not in str(caught.value)


def test_rename_and_re_enrol_keep_the_id(path: Path) -> None:
    with Gallery(path) as gallery:
        first = gallery.enrol("Ann", unit(1, 2), model())
        gallery.enrol("Bob", unit(5), model())
        assert gallery.rename(first.id, "Anna").id == first.id
        again = gallery.re_enrol(first.id, unit(3), model("int8"))
        assert again.id == first.id and [template.model for template in again.templates] == [model("int8")]
        with pytest.raises(errors.GalleryDuplicateError):
            gallery.rename(first.id, "Bob")
        with pytest.raises(errors.GalleryPersonError):
            gallery.named("Ann")
        with pytest.raises(errors.GalleryPersonError):
            gallery.person("Anna")


def test_the_most_similar_person_comes_first_by_their_nearest_template(path: Path) -> None:
    templates = {f"person {number}": unit(number, 1 + number % 3) for number in range(40)}
    with Gallery(path) as gallery:
        for name, rows in templates.items():
            gallery.enrol(name, rows, model())
        query = unit(99)[0]
        expected = sorted(((float((rows @ query).max()), name) for name, rows in templates.items()), reverse=True)
        found = gallery.search(query, model(), top=7)
    assert [person.name for person, _ in found] == [name for _, name in expected[:7]]
    # The same products summed in another order: 16 terms of at most 1, each off by 2^-24.
    assert np.allclose([similarity for _, similarity in found], [similarity for similarity, _ in expected[:7]], atol=16 * 2**-24)


def test_search_sees_every_change_of_its_own_and_of_another_process(path: Path) -> None:
    with Gallery(path) as one, Gallery(path) as other:
        rows = unit(1, 3)
        ann = one.enrol("Ann", rows[0], model())
        assert one.search(rows[0], model())[0][0].name == "Ann"
        other.enrol("Bob", rows[1], model())
        assert one.search(rows[1], model())[0][0].name == "Bob"
        other.re_enrol(ann.id, rows[2], model())
        assert one.search(rows[2], model())[0][1] == pytest.approx(1, abs=1e-6)
        other.delete(ann.id)
        assert {person.name for person, _ in one.search(rows[2], model(), top=5)} == {"Bob"}
        assert other.search(rows[1], model())[0][0].name == "Bob"
        assert one.delete_all() == 1
        assert one.search(rows[0], model()) == other.search(rows[0], model()) == []


def test_who_is_merged_is_told_by_the_id_and_only_then_by_the_name(path: Path) -> None:
    """Ann was called Bob where she comes from: it is she whose templates are replaced."""
    rows = unit(1, 3)
    with Gallery(path) as gallery:
        bob = gallery.enrol("Bob", rows[0], model())
        ann = gallery.enrol("Ann", rows[1], model())
        assert gallery.merge([(replace(ann, name="Bob"), [(model(), 1, rows[2])])], "replace").replaced == 1
        held = {person.id: [vector for _, _, vector in templates] for person, templates in gallery.entries()}
        assert np.array_equal(held[ann.id], rows[2:]) and np.array_equal(held[bob.id], rows[:1])
        assert gallery.person(ann.id).name == "Ann"


def test_after_an_update_of_the_model_people_are_listed_and_match_by_the_old_one(path: Path) -> None:
    old, new = model("fp32"), model("int8")
    rows = unit(1, 2)
    with Gallery(path) as gallery:
        ann = gallery.enrol("Ann", rows[0], old)
        with pytest.raises(errors.GalleryModelError, match="enrol people again"):
            gallery.search(rows[1], new)
        assert [person.name for person in gallery.enrol_again(new)] == ["Ann"]
        assert gallery.search(rows[0], old)[0][0].name == "Ann"
        gallery.add(ann.id, rows[1], new)
        assert gallery.enrol_again(new) == ()
        assert gallery.search(rows[1], new)[0][0].name == gallery.search(rows[0], old)[0][0].name == "Ann"


def test_what_was_deleted_is_gone_from_the_file(path: Path) -> None:
    rows = unit(1, 2)
    with Gallery(path) as gallery:
        ann = gallery.enrol("Ann", rows[0], model(), {"note": "left in May"})
        gallery.enrol("Bob", rows[1], model())
        assert rows[0].tobytes() in path.read_bytes()
        gallery.delete(ann.id)
        data = path.read_bytes()
        assert rows[0].tobytes() not in data and b"Ann" not in data and b"left in May" not in data
        assert rows[1].tobytes() in data
        gallery.delete_all()
    assert rows[1].tobytes() not in path.read_bytes()
    assert sorted(path.parent.iterdir()) == [path]


def test_int8_vectors_find_the_same_person_and_take_a_quarter(path: Path) -> None:
    large = model("fp32", 128)
    with Gallery(path) as gallery:
        for number in range(300):
            gallery.enrol(f"{number}", unit(number, 1, 128), large)
        query = (unit(123, 1, 128)[0] + 0.1 * unit(999, 1, 128)[0]).astype(np.float32)
        query /= np.linalg.norm(query)
        assert gallery.search(query, large, int8=True)[0][0].name == gallery.search(query, large)[0][0].name == "123"
        plain, small = gallery.index(large), gallery.index(large, int8=True)
        # A byte for four; a scale of 4 bytes and a person's number of 8 to 128 numbers: 140 for 520.
        assert small.bytes <= 140 / 520 * plain.bytes
        exact, rough = plain.similarities(query), small.similarities(query)
        # Each number is off by at most half a step of 1/127 of the largest, which is at most 1.
        assert np.abs(exact - rough).max() <= 0.5 / 127 * np.abs(query).sum()


def test_memory_stays_below_a_tenth_more_than_the_vectors(path: Path) -> None:
    large = model("fp32", 128)
    with Gallery(path) as gallery:
        for number in range(200):
            gallery.enrol(f"{number}", unit(number, 4, 128), large)
            gallery.search(unit(0, 1, 128)[0], large)
        index = gallery.index(large)
    assert len(index) == 800 and index.bytes <= 1.1 * 800 * 128 * 4


def test_two_writers_lose_nothing(path: Path) -> None:

    def write(letter: str) -> None:
        with Gallery(path) as gallery:
            for number in range(20):
                gallery.enrol(f"{letter}{number}", unit(number), model())

    writers = [threading.Thread(target=write, args=(letter,)) for letter in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with Gallery(path) as gallery:
        assert len(gallery) == 40 and gallery.check() == []


def test_a_closed_gallery_says_so(path: Path) -> None:
    gallery = Gallery(path)
    gallery.close()
    with pytest.raises(errors.GalleryClosedError):
        gallery.people()


def test_what_is_no_gallery_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.GalleryReadError):
        Gallery(path, create=False)
    assert not path.exists()
    path.write_bytes(b"not a database, but long enough to look like one" * 20)
    with pytest.raises(errors.GalleryFormatError):
        Gallery(path)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (x)")
    with pytest.raises(errors.GalleryFormatError, match="another SQLite file"):
        Gallery(other)
    with pytest.raises(errors.GalleryReadError):
        Gallery(tmp_path)


def test_a_name_that_sqlite_keeps_in_memory_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Gallery(":memory:") as gallery:
        gallery.enrol("Ann", unit(1), model())
    with Gallery(tmp_path / ":memory:", create=False) as gallery:
        assert gallery.named("Ann")


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE removals",
        "CREATE TABLE more (x)",
        "CREATE VIEW more AS WITH RECURSIVE endless(x) AS (SELECT 1 UNION ALL SELECT x FROM endless) SELECT x FROM endless",
        "CREATE TRIGGER more AFTER INSERT ON people BEGIN DELETE FROM people; END",
    ],
)
def test_a_file_with_other_tables_than_a_gallery_has_is_refused(path: Path, sql: str) -> None:
    with sqlite3.connect(made(path)) as connection:
        connection.execute(sql)
    with pytest.raises(errors.GalleryFormatError, match="tables and nothing else"):
        Gallery(path)


def test_a_later_version_is_refused(path: Path) -> None:
    with sqlite3.connect(made(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(errors.GalleryVersionError):
        Gallery(path)


def test_check_and_search_find_a_changed_template(path: Path) -> None:
    rows = unit(1, 2)
    with Gallery(path) as gallery:
        gallery.enrol("Ann", rows[0], model())
        assert gallery.check() == []
    data = bytearray(path.read_bytes())
    at = data.find(rows[0].tobytes())
    data[at + 5] ^= 1
    path.write_bytes(data)
    with Gallery(path) as gallery:
        assert len(gallery.check()) == 1
        with pytest.raises(errors.GalleryFormatError):
            gallery.search(rows[0], model())


def changed(path: Path, sql: str, *values: object) -> str:
    """A gallery of Ann, Bob and Cem with one row changed behind its back, as SQLite lets one do; returns Cem's id."""
    with Gallery(path) as gallery:
        for number, name in enumerate(("Ann", "Bob", "Cem")):
            person = gallery.enrol(name, unit(number), model())
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA ignore_check_constraints = ON")  # as in a file that was made before there were any
    connection.execute(sql, values)
    connection.commit()
    connection.close()
    return person.id


HUGE, NAN = np.full(SIZE, 1e9, "<f4").tobytes(), np.full(SIZE, np.nan, "<f4").tobytes()
LONG = (unit(2)[0] * 1.01).astype("<f4").tobytes()
NEW_VECTOR = "UPDATE templates SET vector = ?, crc32 = ? WHERE number = 3"


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("UPDATE templates SET vector = ? WHERE number = 3", ["0" * 4 * SIZE]),
        ("UPDATE templates SET vector = ? WHERE number = 3", [b"xyz"]),
        (NEW_VECTOR, [HUGE, zlib.crc32(HUGE)]),
        (NEW_VECTOR, [NAN, zlib.crc32(NAN)]),
        (NEW_VECTOR, [LONG, zlib.crc32(LONG)]),
    ],
)
def test_a_template_that_somebody_else_wrote_is_found_and_says_whose(path: Path, sql: str, values: list[object]) -> None:
    cem = changed(path, sql, *values)
    with Gallery(path) as gallery:
        assert gallery.check()[-1].startswith(f"person {cem}: template 3: ")
        for read in (lambda: gallery.search(unit(2), model()), gallery.entries):
            with pytest.raises(errors.GalleryFormatError, match=f"person {cem}"):
                read()
        gallery.delete(gallery.named("Cem").id)
        assert gallery.check() == [] and gallery.search(unit(1), model())[0][0].name == "Bob" and len(gallery.entries()) == 2


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("UPDATE models SET size = 'abc'", []),
        ("UPDATE models SET sha256 = x'00'", []),
        ("UPDATE models SET variant = x'6161'", []),
        ("UPDATE people SET metadata = '5' WHERE number = 3", []),
        ("UPDATE people SET metadata = '{\"a\": 1}' WHERE number = 3", []),
        ("UPDATE people SET metadata = ? WHERE number = 3", ["[" * 10**5]),
        ("UPDATE people SET name = x'00' WHERE number = 3", []),
        ("UPDATE people SET name = 'a' || char(10) || 'b' WHERE number = 3", []),
        ("UPDATE people SET created = 'x' WHERE number = 3", []),
        ("DELETE FROM removals", []),
    ],
)
def test_a_row_of_another_kind_is_found_and_never_a_stack_trace(path: Path, sql: str, values: list[object]) -> None:
    changed(path, sql, *values)
    with Gallery(path) as gallery:
        assert gallery.check()
        for read in (lambda: gallery.search(unit(2), model(), 3), gallery.people, gallery.entries, gallery.models):
            try:
                read()
            except errors.GalleryError as error:
                assert "\n" not in str(error)


def test_what_is_no_text_is_found_and_not_quoted(path: Path) -> None:
    changed(path, "UPDATE people SET name = CAST(x'416e6eff' AS TEXT) WHERE number = 3")  # "Ann" and a byte that UTF-8 does not have
    with Gallery(path) as gallery:
        assert gallery.check() and "Ann" not in "".join(gallery.check())
        for read in (gallery.people, gallery.entries):
            with pytest.raises(errors.GalleryFormatError) as caught:
                read()
            assert "Ann" not in str(caught.value)


def test_a_template_of_a_person_who_is_gone_is_found_and_never_a_stack_trace(path: Path) -> None:
    changed(path, "DELETE FROM people WHERE number = 3")
    with Gallery(path) as gallery:
        assert gallery.check() == ["templates: a row refers to nothing"]
        with pytest.raises(errors.GalleryFormatError, match="found nobody"):
            gallery.search(unit(2), model())


def test_check_says_what_it_found_of_a_file_that_cannot_be_read_whole(path: Path) -> None:
    with Gallery(path) as gallery:
        for number in range(200):
            gallery.enrol(f"{number}", unit(number, 2), model())
    whole = path.read_bytes()
    for seed in range(20):
        page = int(np.random.default_rng(seed).integers(1, len(whole) // 4096))
        path.write_bytes(whole[: 4096 * page] + b"\x55" * 200 + whole[4096 * page + 200 :])
        with Gallery(path) as gallery:
            problems = gallery.check()
            assert problems and not any("\n" in problem for problem in problems), page
            with suppress(errors.GalleryError):
                gallery.entries()


def test_what_names_nobody_is_said_as_that_and_not_as_damage(path: Path) -> None:
    with Gallery(path) as gallery:
        ann = gallery.enrol("Ann", unit(1), model())
        for id in (uuid.UUID(ann.id), None, "\ud800"):
            with pytest.raises(errors.GalleryPersonError):
                gallery.person(id)  # type: ignore[arg-type]
        for name in (None, 5):
            with pytest.raises(errors.GalleryNameError):
                gallery.rename(ann.id, name)  # type: ignore[arg-type]
        for top in (2.5, "3", None):
            with pytest.raises(errors.GalleryError, match="1 or more people"):
                gallery.search(unit(1), model(), top=top)  # type: ignore[arg-type]


def test_a_new_file_takes_no_value_of_another_kind(path: Path) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        with Gallery(path) as gallery:
            gallery.enrol("Ann", unit(1), model())
        sqlite3.connect(path).execute("UPDATE templates SET vector = 'text'")


def test_a_damaged_file_is_a_typed_error_or_is_found_by_check(path: Path) -> None:
    with Gallery(path) as gallery:
        for number in range(30):
            gallery.enrol(f"{number}", unit(number, 4), model())
    whole = path.read_bytes()
    for seed in range(25):
        start = int(np.random.default_rng(seed).integers(100, len(whole) - 400))
        path.write_bytes(whole[:start] + bytes(300) + whole[start + 300 :])
        try:
            with Gallery(path) as gallery:
                problems = gallery.check()
                people = gallery.people()
        except errors.GalleryError:
            continue
        unharmed = len(people) == 30 and [len(person.templates) for person in people] == [4] * 30
        assert problems or unharmed, f"300 bytes zeroed at {start} went unnoticed"


def test_a_model_is_its_bytes_whatever_its_variant_is_called(path: Path) -> None:
    renamed = TemplateModel(model().sha256, "fp32-again", SIZE)
    with Gallery(path) as gallery:
        gallery.enrol("Ann", unit(1), model())
        assert gallery.search(unit(1), renamed)[0][0].name == "Ann" and gallery.enrol_again(renamed) == ()
        with pytest.raises(errors.GalleryModelError, match="16 numbers"):
            gallery.enrol("Bob", unit(2, 1, SIZE + 1), TemplateModel(model().sha256, "fp32", SIZE + 1))


def test_metadata_that_no_file_could_hold_are_refused(path: Path) -> None:
    with Gallery(path) as gallery, pytest.raises(errors.GalleryNameError):
        gallery.enrol("Ann", unit(1), model(), {"note": "\ud800"})


def test_a_model_is_what_the_manifest_states() -> None:
    with pytest.raises(errors.GalleryModelError):
        TemplateModel("ABC", "fp32", 16)
    with pytest.raises(errors.GalleryModelError):
        TemplateModel("0" * 64, "FP 32", 16)
    with pytest.raises(errors.GalleryModelError):
        TemplateModel("0" * 64, "fp32", 0)
