"""People files (docs/people-file.md) that the Python runtime writes and refuses, for the Java SDK to read and refuse the same, and what
a phone's file holds.

In FOLDER/people: `desktop.pfpeople`, files that are refused, and `people.json`:

    {"passphrase", "people": [{"id", "name", "created", "metadata", "templates": [{"model": {"sha256", "variant", "size"}, "created",
     "vector": [numbers]}]}], "refused": [{"file", "passphrase", "code"}]}

The Java SDK's test leaves `phone.pfpeople` beside them: what it read, imported into a gallery of its own and exported again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runtime_py.errors import PocketFaceError
from runtime_py.gallery import Gallery, export_people, import_people
from runtime_py.gallery.export import seal
from tests.runtime_py.gallery.faces import model, unit

PASSPHRASE = "Příliš žluťoučký kůň"
_QUICK = 10
"""log2 N of the files that are refused: a second of each language's scrypt for every one of them would be minutes."""
_DIGEST, _ID = "0" * 64, "00000000-0000-4000-8000-000000000001"
_UNIT = "AACAPwAAAAA="  # 1.0, 0.0


def write_people(folder: Path) -> None:
    """Writes FOLDER/people, which must not be there."""
    people = folder / "people"
    people.mkdir()
    with Gallery(people / "gallery") as gallery:
        gallery.enrol("Amélie", unit(1, 3), model(), {"room": "12", "": "žádný klíč\n\U0001f600"})
        bob = gallery.enrol("Bob", unit(2), model())
        gallery.add(bob.id, unit(3, 2, 5), model("int8", 5))
        export_people(gallery, people / "desktop.pfpeople", PASSPHRASE)
        stated = [_entry(*entry) for entry in gallery.entries()]
    refused = [_refused(people, number, data, passphrase) for number, (data, passphrase) in enumerate(_broken(people))]
    (people / "people.json").write_text(json.dumps({"passphrase": PASSPHRASE, "people": stated, "refused": refused}))


def read_phone(folder: Path) -> list[Any]:
    """What `phone.pfpeople` holds, in the form of `people.json`."""
    with Gallery(folder / "people" / "from-phone") as gallery:
        import_people(gallery, folder / "people" / "phone.pfpeople", PASSPHRASE)
        return [_entry(*entry) for entry in gallery.entries()]


def _entry(person: Any, templates: Any) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "created": person.created,
        "metadata": dict(person.metadata),
        "templates": [
            {
                "model": {"sha256": made.sha256, "variant": made.variant, "size": made.size},
                "created": created,
                "vector": vector.astype(float).tolist(),
            }
            for made, created, vector in templates
        ],
    }


def _refused(folder: Path, number: int, data: bytes, passphrase: str) -> dict[str, str]:
    """The file and the code that Python refuses it with; AssertionError where it does not."""
    path = folder / f"refused-{number}.pfpeople"
    path.write_bytes(data)
    with Gallery(folder / "empty") as gallery:
        try:
            import_people(gallery, path, passphrase)
        except PocketFaceError as error:
            return {"file": path.name, "passphrase": passphrase, "code": error.code}
    raise AssertionError(f"{path.name} was taken in")


def _broken(folder: Path) -> list[tuple[bytes, str]]:
    """(file, passphrase) for every line of the page's table, and for what parsers of JSON and base64 disagree on."""
    good = seal(_body(), PASSPHRASE, _QUICK)
    files = [(good, "another"), (good, ""), (b"", PASSPHRASE), (good[:43], PASSPHRASE), (good[:-1], PASSPHRASE), (good + b"\0", PASSPHRASE)]
    # 15 and more in byte 8 would cost the time of the real thing: the bounds are tried, and one step up.
    for at, value in [
        (0, 0),
        (4, 2),
        (6, 1),
        (8, 9),
        (8, 11),
        (8, 19),
        (9, 0),
        (9, 9),
        (10, 0),
        (10, 5),
        (11, 1),
        (12, 0),
        (40, 0),
        (44, 0),
    ]:
        changed = bytearray(good)
        changed[at] = value if changed[at] != value else value ^ 1
        files.append((bytes(changed), PASSPHRASE))
    person = f'{{"id": "{_ID}", "name": "Ann", "created": 1, "metadata": {{}}, "templates": [TEMPLATE]}}'
    template = f'{{"model": 0, "created": 1, "vector": "{_UNIT}"}}'
    bodies = [
        b"",
        b"[]",
        b"\xff",
        b'{"models": []}',
        b'{"models": [], "people": [], "more": 1}',
        b'{"models": [], "models": [], "people": []}',
    ]
    for old, new in [
        (_ID, _ID.upper().replace("0", "A")),
        ('"created": 1, "metadata"', '"created": 1.0, "metadata"'),
        ('"created": 1, "metadata"', '"created": -1, "metadata"'),
        ('"created": 1, "metadata"', '"created": 9007199254740992, "metadata"'),
        ('"metadata": {}', '"metadata": {"a": 1}'),
        ('"metadata": {}', '"metadata": {"a": "1", "a": "2"}'),
        ('"metadata": {}', '"metadata": {"a": "\\ud800"}'),
        ('"name": "Ann"', '"name": "two\\nlines"'),
        ('"name": "Ann"', '"name": " "'),
        ('"model": 0', '"model": 1'),
        ('"model": 0', '"model": true'),
        (_UNIT, _UNIT[:-1]),  # no padding
        (_UNIT, _UNIT[:-2] + "B="),  # bits behind the last byte
        (_UNIT, _UNIT + "\\n"),
        (_UNIT, "AACAPw=="),  # one number
        (_UNIT, "AACA"),  # not a whole one
        (_UNIT, "AACAPwAAgD8="),  # length 1.41
        (_UNIT, "AADAfwAAAAA="),  # NaN
    ]:
        stated = person.replace("TEMPLATE", template)
        assert old in stated
        bodies.append(_body(stated.replace(old, new)))
    bodies.append(_body(person.replace("TEMPLATE", "")))
    bodies.append(_body(", ".join([person.replace("TEMPLATE", template)] * 2)))  # somebody twice
    bodies.append(_body(person.replace("TEMPLATE", template), size=0))
    return files + [(seal(body, PASSPHRASE, _QUICK), PASSPHRASE) for body in bodies]


def _body(people: str = "", size: int = 2) -> bytes:
    return f'{{"models": [{{"sha256": "{_DIGEST}", "variant": "fp32", "size": {size}}}], "people": [{people}]}}'.encode()
