"""An export opens with its passphrase alone, holds everybody whole, and is taken in whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from runtime_py import errors
from runtime_py.gallery import Gallery, Person, export
from runtime_py.gallery.export import export_people, import_people, seal, unseal
from tests.runtime_py.gallery.faces import model, unit

PASSPHRASE = "correct horse"
QUICK = 10
"""log2 N of scrypt where many files are tried."""


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    with Gallery(tmp_path / "first") as gallery:
        gallery.enrol("Ann", unit(1, 3), model(), {"room": "12"})
        gallery.enrol("Čeněk", unit(2), model("int8"))
        assert export_people(gallery, tmp_path / "people.pfpeople", PASSPHRASE) == 2
    return tmp_path / "people.pfpeople"


def held(gallery: Gallery) -> list[object]:
    return [(person, [(made, at, row.tobytes()) for made, at, row in rows]) for person, rows in gallery.entries()]


def test_what_is_imported_is_what_was_exported(exported: Path, tmp_path: Path) -> None:
    with Gallery(tmp_path / "second") as second, Gallery(tmp_path / "first") as first:
        assert import_people(second, exported, PASSPHRASE).enrolled == 2
        assert held(second) == held(first)


def test_the_file_says_nothing_without_its_passphrase(exported: Path, tmp_path: Path) -> None:
    data = exported.read_bytes()
    assert b"Ann" not in data and unit(1, 3)[0].tobytes() not in data
    with Gallery(tmp_path / "second") as gallery:
        with pytest.raises(errors.GalleryAuthenticationError):
            import_people(gallery, exported, "another")
        with pytest.raises(errors.GalleryKeyError):
            import_people(gallery, exported, "")
        assert len(gallery) == 0


def test_two_exports_of_the_same_people_share_neither_salt_nor_nonce() -> None:
    first, second = seal(b"x", PASSPHRASE), seal(b"x", PASSPHRASE)
    assert first[12:28] != second[12:28] and first[28:40] != second[28:40]


def test_any_changed_byte_is_refused(exported: Path, tmp_path: Path) -> None:
    data = seal(unseal(exported, exported.read_bytes(), PASSPHRASE), PASSPHRASE, QUICK)
    with Gallery(tmp_path / "second") as gallery:
        # Every byte of the header; a changed cost is refused by its bounds or by the key that it leads to.
        for at in [*range(44), 44, len(data) // 2, len(data) - 1]:
            changed = bytearray(data)
            changed[at] ^= 1
            exported.write_bytes(changed)
            with pytest.raises((errors.GalleryFormatError, errors.GalleryVersionError, errors.GalleryAuthenticationError)):
                import_people(gallery, exported, PASSPHRASE)
        for size in (0, 3, 43, len(data) - 1):
            exported.write_bytes(data[:size])
            with pytest.raises(errors.GalleryFormatError):
                import_people(gallery, exported, PASSPHRASE)
        assert len(gallery) == 0


def test_sealed_nonsense_is_refused_and_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "people"
    with Gallery(tmp_path / "gallery") as gallery:
        for body in (b"", b"[]", b'{"models": [], "people": [{"id": "Ann"}]}', b'{"models": [], "people": [], "more": 1}'):
            path.write_bytes(seal(body, PASSPHRASE, QUICK))
            with pytest.raises(errors.GalleryFormatError) as caught:
                import_people(gallery, path, PASSPHRASE)
            assert "Ann" not in str(caught.value)


def test_people_who_are_here_already(exported: Path, tmp_path: Path) -> None:
    with Gallery(tmp_path / "second") as gallery:
        gallery.enrol("Ann", unit(9), model())
        before = held(gallery)
        with pytest.raises(errors.GalleryDuplicateError):
            import_people(gallery, exported, PASSPHRASE)
        assert held(gallery) == before, "nobody is taken in where somebody is refused"
        assert import_people(gallery, exported, PASSPHRASE, "skip").skipped == 1
        assert len(gallery.named("Ann").templates) == 1 and len(gallery) == 2
        assert import_people(gallery, exported, PASSPHRASE, "add").added == 2
        assert len(gallery.named("Ann").templates) == 4
        import_people(gallery, exported, PASSPHRASE, "add")
        assert len(gallery.named("Ann").templates) == 4, "what is there is not added twice"
        assert import_people(gallery, exported, PASSPHRASE, "replace").replaced == 2
        assert len(gallery.named("Ann").templates) == 3


@pytest.mark.parametrize(
    ("person", "count"),
    [
        (Person("Ann", "Ann", 1, ()), 1),
        (Person("00000000-0000-4000-8000-000000000001", "Ann", -1, ()), 1),
        (Person("00000000-0000-4000-8000-000000000001", "Ann", 2**53, ()), 1),
        (Person("00000000-0000-4000-8000-000000000001", "Ann", 1, ()), 0),
    ],
)
def test_nobody_is_taken_in_who_could_not_be_exported_again(tmp_path: Path, person: Person, count: int) -> None:
    with Gallery(tmp_path / "people") as gallery:
        with pytest.raises(errors.GalleryError):
            gallery.merge([(person, [(model(), 1, unit(1)[0])] * count)])
        assert len(gallery) == 0


class _Missing:
    """As where the package `cryptography` is not installed."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> None:
        if name.partition(".")[0] == "cryptography":
            raise ModuleNotFoundError(name)


def test_without_cryptography_both_ways_say_what_to_install(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Missing(), *sys.meta_path])
    with Gallery(tmp_path / "first") as gallery:
        with pytest.raises(errors.GalleryKeyError, match="pip install"):
            import_people(gallery, exported, PASSPHRASE)
        with pytest.raises(errors.GalleryKeyError, match="pip install"):
            export_people(gallery, tmp_path / "again.pfpeople", PASSPHRASE)
    assert not (tmp_path / "again.pfpeople").exists()


def test_paths_may_be_text_and_what_is_no_file_is_refused(exported: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with Gallery(tmp_path / "first") as gallery, Gallery(tmp_path / "second") as second:
        assert export_people(gallery, str(tmp_path / "text.pfpeople"), PASSPHRASE) == 2
        assert import_people(second, str(tmp_path / "text.pfpeople"), PASSPHRASE).enrolled == 2
        with pytest.raises(errors.GalleryWriteError, match="is no file"):
            export_people(gallery, tmp_path / "pipe", PASSPHRASE)
        for path in (tmp_path / "pipe", tmp_path, tmp_path / "missing", "nul\0"):
            with pytest.raises(errors.GalleryReadError):
                import_people(second, path, PASSPHRASE)
    assert (tmp_path / "pipe").is_fifo()


def test_more_people_than_a_reader_takes_are_not_written(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MAX_BODY", len(unseal(exported, exported.read_bytes(), PASSPHRASE)) - 1)
    with Gallery(tmp_path / "first") as gallery, pytest.raises(errors.GalleryLimitError, match="nothing was written"):
        export_people(gallery, tmp_path / "again.pfpeople", PASSPHRASE)
    assert not (tmp_path / "again.pfpeople").exists()


def test_too_little_memory_for_the_key_is_one_line(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.hazmat.primitives.kdf import scrypt

    class Greedy:
        def __init__(self, **_: object) -> None:
            pass

        def derive(self, _: bytes) -> bytes:
            raise MemoryError("Not enough memory to derive key.")

    monkeypatch.setattr(scrypt, "Scrypt", Greedy)
    with Gallery(tmp_path / "second") as gallery, pytest.raises(errors.GalleryLimitError, match="expected 32 MiB of memory"):
        import_people(gallery, exported, PASSPHRASE)
