"""The gallery's commands of `python -m runtime_py`: enrol, identify, people, rename, forget, export, import, check."""

from __future__ import annotations

import dataclasses
import getpass
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runtime_py.bundle import Bundle
from runtime_py.errors import FaceError, GalleryKeyError, GalleryPersonError, GalleryReadError, ImageError, PocketFaceError, SourceError
from runtime_py.gallery.export import export_people, import_people
from runtime_py.gallery.identifier import DEFAULT_FPIR, Enrolment, Identified, Identifier
from runtime_py.gallery.people import Person, TemplateModel
from runtime_py.gallery.store import Gallery
from runtime_py.interpreter import quiet_runtime
from runtime_py.level_options import add_level
from runtime_py.photographs import Named, images
from runtime_py.recognizer import Recognizer

OK, NOBODY, BAD_INPUT, SKIPPED, FAILED = 0, 1, 2, 3, 4
Add = Callable[[str, Callable[[Namespace], int], str, str], ArgumentParser]
"""Adds a command: (name, what runs it, summary, examples) → its parser."""


def add_commands(add: Add) -> None:
    """Adds the gallery's commands to the command line."""
    examples = """  python -m runtime_py enrol face.pface ann1.jpg ann2.jpg --gallery people.pfgallery --name Ann
  python -m runtime_py enrol face.pface staff/ --gallery people.pfgallery    # staff/<name>/<photograph>"""
    made = add("enrol", enrol, "Enrol people from photographs of one face each.", examples)
    _bundle(made)
    made.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="photographs, folders or tars")
    made.add_argument("--name", help="whose photographs they are (without: the name of each photograph's folder)")
    made.add_argument("--again", action="store_true", help="replace the templates of people who are enrolled already")

    examples = """  python -m runtime_py identify face.pface door.jpg --gallery people.pfgallery
  python -m runtime_py identify face.pface frames/ --gallery people.pfgallery --fpir 0.001 --json
  python -m runtime_py identify face.pface door.jpg --gallery people.pfgallery --level 50"""
    made = add("identify", identify, "Say who is in photographs.", examples)
    _bundle(made)
    made.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="photographs, folders or tars")
    made.add_argument(
        "--fpir",
        type=float,
        default=DEFAULT_FPIR,
        metavar="RATE",
        help="at most this share of people who are not enrolled may be taken for somebody (default: %(default)s)",
    )
    made.add_argument("--top", type=int, default=3, metavar="K", help="how many people to list of each face (default: %(default)s)")

    made = add("people", people, "List who is enrolled.", "  python -m runtime_py people people.pfgallery --bundle face.pface")
    _gallery(made)
    made.add_argument("--bundle", type=Path, help="say who is to be enrolled again for this bundle")
    made.add_argument("--variant", help="of the bundle (default: its default variant)")

    made = add("rename", rename, "Give somebody another name.", "  python -m runtime_py rename people.pfgallery Ann 'Ann Lee'")
    _gallery(made)
    made.add_argument("name", metavar="NAME")
    made.add_argument("new", metavar="NEW")

    made = add("forget", forget, "Delete people, for good.", "  python -m runtime_py forget people.pfgallery Ann")
    _gallery(made)
    made.add_argument("names", nargs="*", metavar="NAME")
    made.add_argument("--everybody", action="store_true", help="delete all of them")

    made = add("export", export, "Write everybody to one sealed file.", "  python -m runtime_py export people.pfgallery people.pfpeople")
    _gallery(made)
    made.add_argument("out", type=Path, metavar="FILE")
    _passphrase(made)

    examples = "  python -m runtime_py import people.pfgallery people.pfpeople --taken skip"
    made = add("import", take_in, "Take everybody in from such a file, all or nobody.", examples)
    _gallery(made)
    made.add_argument("file", type=Path, metavar="FILE")
    made.add_argument(
        "--taken", choices=("refuse", "skip", "replace", "add"), default="refuse", help="what to do where somebody is here already"
    )
    _passphrase(made)

    made = add("check", check, "Say what is wrong with a gallery's file, if anything.", "  python -m runtime_py check people.pfgallery")
    _gallery(made)


def _bundle(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a .pface bundle")
    parser.add_argument("--gallery", type=Path, required=True, metavar="FILE", help="the gallery's file; enrol makes it")
    parser.add_argument("--variant", help="the variant to use (default: the bundle's default)")
    add_level(parser)
    _json(parser)


def _gallery(parser: ArgumentParser) -> None:
    parser.add_argument("gallery", type=Path, metavar="GALLERY", help="the gallery's file")
    _json(parser)


def _json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _passphrase(parser: ArgumentParser) -> None:
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its first line is the passphrase (without: it is asked for)")


def enrol(options: Namespace) -> int:
    """Enrols one person, or everybody in folders."""
    done: list[Enrolment] = []
    failed: list[tuple[str, PocketFaceError]] = []
    with quiet_runtime():
        recognizer = Recognizer(Bundle.open(options.bundle), options.variant, level=options.level, budget_ms=options.budget_ms)
    with Gallery(options.gallery) as gallery:
        identifier = Identifier(recognizer, gallery)
        for name, photographs in _by_person(options):
            try:
                done.append(identifier.enrol(name, photographs, again=options.again))
            except PocketFaceError as error:
                if options.name is not None:
                    raise
                failed.append((name, error))
    refused = [dataclasses.asdict(item) for enrolment in done for item in enrolment.refused]
    for item in refused:
        print(f"refused {item['name']}: {item['reason']}", file=sys.stderr)
    for name, why in failed:
        print(f"not enrolled: {name}: {why}", file=sys.stderr)
    if options.json:
        _print(
            {
                "enrolled": [{**_described(item.person), "photographs": list(item.used)} for item in done],
                "refused": refused,
                "not_enrolled": [{"name": name, "code": why.code, "reason": str(why)} for name, why in failed],
            }
        )
    else:
        for enrolment in done:
            print(f"{enrolment.person.name}: {len(enrolment.person.templates)} templates")
    return SKIPPED if refused or failed else OK


def _by_person(options: Namespace) -> Iterator[tuple[str, list[Named]]]:
    """(name, photographs) of each person."""
    found = list(images(options.paths))
    if options.name is not None:
        yield options.name, found
        return
    folders: dict[str, list[Named]] = {}
    for photograph in found:
        parts = photograph.name.split("/")
        if len(parts) < 2:
            raise SourceError(f"{photograph.name}: expected <name>/<photograph>, got no folder; give --name")
        folders.setdefault(parts[-2], []).append(photograph)
    yield from folders.items()


def identify(options: Namespace) -> int:
    """Says who is in each photograph."""
    with quiet_runtime():
        recognizer = Recognizer(Bundle.open(options.bundle), options.variant, level=options.level, budget_ms=options.budget_ms)
    rows: list[dict[str, Any]] = []
    skipped = 0
    with Gallery(options.gallery, create=False) as gallery:
        identifier = Identifier(recognizer, gallery)
        for photograph in images(options.paths):
            try:
                found = identifier.identify(photograph, options.fpir, options.top)
            except (FaceError, ImageError, SourceError) as error:
                skipped += 1
                print(f"skipped {photograph.name}: {str(error).removeprefix(photograph.name + ': ')}", file=sys.stderr)
                continue
            for number, item in enumerate(found):
                name = photograph.name if len(found) == 1 else f"{photograph.name}#{number}"
                rows.append(_identified(name, item))
                if not options.json:
                    best = ", ".join(f"{candidate['name']} {candidate['similarity']:.3f}" for candidate in rows[-1]["candidates"])
                    print(f"{name}: {rows[-1]['person'] or 'nobody who is enrolled'} ({best or 'nobody is enrolled'})")
    if options.json:
        _print(rows)
    if skipped:
        return SKIPPED
    return OK if any(row["person"] is not None for row in rows) else NOBODY


def _identified(name: str, item: Identified) -> dict[str, Any]:
    return {
        "name": name,
        "person": None if item.person is None else item.person.name,
        "fmr": item.threshold.fmr,
        "threshold": item.threshold.similarity,
        "quality": round(item.quality.score, 3),
        "flaw": item.quality.flaw.flaw if item.quality.flaw else None,
        "box": [round(value, 2) for value in item.face.detection.box],
        "candidates": [
            {"name": person.name, "id": person.id, "similarity": round(similarity, 5)} for person, similarity in item.candidates
        ],
    }


def people(options: Namespace) -> int:
    """Lists people, and with a bundle who is to be enrolled again."""
    again: set[str] = set()
    with Gallery(options.gallery, create=False) as gallery:
        everybody = gallery.people()
        if options.bundle is not None:
            bundle = Bundle.open(options.bundle)
            model = TemplateModel.of(bundle.template_variant(bundle.variant(options.variant)))
            again = {person.id for person in gallery.enrol_again(model)}
    if options.json:
        _print([{**_described(person), "enrol_again": person.id in again} for person in everybody])
        return OK
    for person in everybody:
        models = ", ".join(sorted({str(template.model) for template in person.templates}))
        note = "; enrol again" if person.id in again else ""
        print(f"{person.name}: {len(person.templates)} templates of {models}{note}")
    return OK


def rename(options: Namespace) -> int:
    """Renames somebody."""
    with Gallery(options.gallery, create=False) as gallery:
        person = gallery.rename(gallery.named(options.name).id, options.new)
    _say(options, _described(person), f"{person.name}: renamed")
    return OK


def forget(options: Namespace) -> int:
    """Deletes people: all that are named, or none where one of them is not enrolled."""
    if options.everybody == bool(options.names):
        raise GalleryPersonError("forget: expected names, or --everybody, got " + ("both" if options.names else "neither"))
    with Gallery(options.gallery, create=False) as gallery:
        if options.everybody:
            count = gallery.delete_all()
        else:
            gallery.delete(*(gallery.named(name).id for name in options.names))
            count = len(options.names)
    _say(options, {"forgotten": count}, f"{count} forgotten")
    return OK


def export(options: Namespace) -> int:
    """Exports everybody."""
    with Gallery(options.gallery, create=False) as gallery:
        count = export_people(gallery, options.out, _read_passphrase(options, twice=True))
    _say(options, {"file": str(options.out), "people": count}, f"{options.out}: {count} people")
    return OK


def take_in(options: Namespace) -> int:
    """Imports everybody."""
    with Gallery(options.gallery) as gallery:
        merged = import_people(gallery, options.file, _read_passphrase(options), options.taken)
    counts = dataclasses.asdict(merged)
    _say(options, counts, ", ".join(f"{count} {what}" for what, count in counts.items()))
    return OK


def check(options: Namespace) -> int:
    """Checks a gallery's file."""
    with Gallery(options.gallery, create=False) as gallery:
        problems, count = gallery.check(), len(gallery)
    _say(options, {"people": count, "problems": problems}, "\n".join(problems) or f"{options.gallery}: {count} people, nothing is wrong")
    return FAILED if problems else OK


def _read_passphrase(options: Namespace, twice: bool = False) -> str:
    if options.passphrase_file is not None:
        try:
            return str(options.passphrase_file.read_text().split("\n")[0].rstrip("\r"))
        except (OSError, UnicodeDecodeError) as error:
            raise GalleryReadError(
                f"{options.passphrase_file}: expected a passphrase on its first line, cannot read it ({error})"
            ) from None
    if not sys.stdin.isatty():
        raise GalleryKeyError("expected a terminal to ask for the passphrase, got none; give --passphrase-file")
    passphrase = getpass.getpass("passphrase: ")
    if twice and getpass.getpass("once more: ") != passphrase:
        raise GalleryKeyError("passphrase: expected the same twice, got two; nothing was written")
    return passphrase


def _described(person: Person) -> dict[str, Any]:
    models = sorted({(template.model.variant, template.model.sha256) for template in person.templates})
    return {
        "id": person.id,
        "name": person.name,
        "created": person.created,
        "templates": len(person.templates),
        "models": [{"variant": variant, "sha256": sha256} for variant, sha256 in models],
        "metadata": dict(person.metadata),
    }


def _say(options: Namespace, values: Any, text: str) -> None:
    if options.json:
        _print(values)
    else:
        print(text)


def _print(values: Any) -> None:
    print(json.dumps(values, indent=1))
