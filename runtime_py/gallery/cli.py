"""The gallery's commands of `python -m runtime_py`: enrol, identify, people, rename, forget, export, import, check."""

from __future__ import annotations

import dataclasses
import getpass
import itertools
import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from runtime_py.bundle import Bundle
from runtime_py.camera import camera
from runtime_py.errors import (
    BundleVariantError,
    FaceError,
    FaceQualityError,
    GalleryFormatError,
    GalleryKeyError,
    GalleryPersonError,
    GalleryReadError,
    GalleryWriteError,
    ImageError,
    PocketFaceError,
    SourceError,
)
from runtime_py.gallery.export import export_people, import_people
from runtime_py.gallery.identifier import DEFAULT_FPIR, Enrolment, FaceFinder, Identified, Identifier
from runtime_py.gallery.people import Person, TemplateModel
from runtime_py.gallery.store import Gallery
from runtime_py.image import Pixels
from runtime_py.interpreter import quiet_runtime
from runtime_py.mirrored import Mirrored
from runtime_py.options import add_level, positive
from runtime_py.photographs import Named, images
from runtime_py.recognizer import Recognizer
from runtime_py.recognizer import finder as make_finder
from runtime_py.yunet import YuNet

OK, NOBODY, BAD_INPUT, SKIPPED, FAILED = 0, 1, 2, 3, 4
_SAID_EVERY = 30.0
"""Seconds."""
_APART = 10
"""Pictures from one shot to the next: a third of a second, in which a head moves a little."""
_MOST = 10**9
"""Pictures, shots, people to list."""
Add = Callable[[str, Callable[[Namespace], int], str, str], ArgumentParser]
"""Adds a command: (name, what runs it, summary, examples) → its parser."""


def add_commands(add: Add) -> None:
    """Adds the gallery's commands to the command line."""
    examples = """  python -m runtime_py enrol face.pface ann1.jpg ann2.jpg --gallery people.pfgallery --name Ann
  python -m runtime_py enrol face.pface staff/ --gallery people.pfgallery    # staff/<name>/<photograph>
  python -m runtime_py enrol face.pface --camera 0 --gallery people.pfgallery --name Ann"""
    made = add("enrol", enrol, "Enrol people from photographs of one face each.", examples)
    _bundle(made)
    _pictures(made)
    made.add_argument(
        "--shots", type=positive(_MOST), default=3, metavar="N", help="good pictures to take from the camera (default: %(default)s)"
    )
    made.add_argument("--name", help="whose photographs they are (without: the name of each photograph's folder)")
    made.add_argument("--again", action="store_true", help="replace the templates of people who are enrolled already")

    examples = """  python -m runtime_py identify face.pface door.jpg --gallery people.pfgallery
  python -m runtime_py identify face.pface frames/ --gallery people.pfgallery --fpir 0.001 --json
  python -m runtime_py identify face.pface --camera visit.mp4 --gallery people.pfgallery --detector yunet.onnx
  python -m runtime_py identify face.pface door.jpg --gallery people.pfgallery --level 50"""
    made = add("identify", identify, "Say who is in photographs.", examples)
    _bundle(made)
    _pictures(made)
    made.add_argument(
        "--fpir",
        type=float,
        default=DEFAULT_FPIR,
        metavar="RATE",
        help="at most this share of people who are not enrolled may be taken for somebody (default: %(default)s)",
    )
    made.add_argument(
        "--top", type=positive(_MOST), default=3, metavar="K", help="how many people to list of each face (default: %(default)s)"
    )
    _add_without_bundle(add)


def _add_without_bundle(add: Add) -> None:
    """The commands that need a gallery alone."""
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


def _pictures(parser: ArgumentParser) -> None:
    paths = parser.add_argument("paths", nargs="+", type=Path, default=[], metavar="PATH", help="photographs, folders or tars")
    paths.required = False  # and not nargs="*", which argparse fills before it has seen what comes after the options
    parser.add_argument(
        "--camera", metavar="N", help="pictures of camera number N, or of a video file, in place of photographs; pocketface[camera]"
    )
    parser.add_argument(
        "--pictures", type=positive(_MOST), default=900, metavar="N", help="pictures to take from the camera at most (default: %(default)s)"
    )
    parser.add_argument(
        "--mirrored", action="store_true", help="look for eyes, nose and mouth in the mirror image too: better aligned, for twice the time"
    )
    parser.add_argument(
        "--detector", type=Path, metavar="FILE", help="a YuNet model (.onnx) in place of the bundle's detector; pocketface[camera]"
    )


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
    recognizer, finder = _recognizer(options)
    with Gallery(options.gallery) as gallery:
        identifier = Identifier(recognizer, gallery, finder)
        said = time.monotonic()
        for name, photographs in _by_person(options, identifier):
            try:
                done.append(identifier.enrol(name, photographs, again=options.again))
            except PocketFaceError as error:
                if options.name is not None:
                    raise
                failed.append((name, error))
            said = _said(said, f"{len(done) + len(failed)} people")
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


def _said(last: float, done: str) -> float:
    """Says how far a long run has got, where it said nothing for a while; returns when it last did."""
    if time.monotonic() - last < _SAID_EVERY:
        return last
    print(f"{done} so far", file=sys.stderr)
    return time.monotonic()


def _recognizer(options: Namespace) -> tuple[Recognizer, FaceFinder | None]:
    """The bundle's recognizer and the detector that is to stand in for its own. Error: SourceError for photographs and a camera, or
    neither."""
    if bool(options.paths) == (options.camera is not None):
        raise SourceError("expected photographs, or --camera, got " + ("both" if options.paths else "neither"))
    bundle = Bundle.open(options.bundle)
    with quiet_runtime():
        recognizer = Recognizer(bundle, options.variant, level=options.level, budget_ms=options.budget_ms)
    if options.detector is not None and options.mirrored:
        raise SourceError("expected --detector, or --mirrored, got both")
    if options.detector is not None:
        return recognizer, YuNet(options.detector, bundle.manifest.preprocessing)
    with quiet_runtime():
        return recognizer, Mirrored(make_finder(bundle)) if options.mirrored else None


@contextmanager
def _camera(options: Namespace) -> Iterator[Iterator[tuple[int, Pixels]]]:
    """The camera's pictures with their numbers, as many as are to be taken at most."""
    number = options.camera.isascii() and options.camera.isdigit() and len(options.camera) <= 9
    with camera(int(options.camera) if number else options.camera) as pictures:
        yield enumerate(itertools.islice(pictures, options.pictures))


def _shots(options: Namespace, identifier: Identifier) -> list[Pixels]:
    """Pictures of one good face each, some time apart so that they differ. Error: FaceQualityError where there is none."""
    shots: list[Pixels] = []
    wait, reason = 0, "no picture came"
    with _camera(options) as pictures:
        for number, pixels in pictures:
            if number < wait:
                continue
            try:
                identifier.only_face(pixels)
            except FaceError as error:
                reason = str(error)
                continue
            shots.append(pixels)
            wait = number + _APART
            if len(shots) == options.shots:
                break
    if not shots:
        raise FaceQualityError(f"camera {options.camera}: expected a picture that is good enough to enrol from, got none; {reason}")
    return shots


def _by_person(options: Namespace, identifier: Identifier) -> Iterator[tuple[str, Sequence[Named | Pixels]]]:
    """(name, photographs) of each person. Error: SourceError where two folders have one name: they may be two people."""
    if options.camera is not None:
        if options.name is None:
            raise SourceError("--camera: expected --name, whose face it sees, got none")
        yield options.name, _shots(options, identifier)
        return
    found = list(images(options.paths))  # names and files; only a tar's photographs are all in memory at once
    if options.name is not None:
        yield options.name, found
        return
    folders: dict[PurePosixPath, list[Named]] = {}
    for photograph in found:
        folder = PurePosixPath(photograph.name).parent
        if folder.name in ("", ".."):
            raise SourceError(f"{photograph.name}: expected <name>/<photograph>, got no folder with a name; give --name")
        folders.setdefault(folder, []).append(photograph)
    known: dict[str, PurePosixPath] = {}
    for folder in folders:
        if known.setdefault(folder.name, folder) != folder:
            raise SourceError(
                f"{folder}: expected a folder for each person, got {known[folder.name]} of the same name; rename one, "
                f"or give both with --name {folder.name} where they are one person's"
            )
    yield from ((folder.name, photographs) for folder, photographs in folders.items())


def identify(options: Namespace) -> int:
    """Says who is in each photograph."""
    recognizer, finder = _recognizer(options)
    rows: list[dict[str, Any]] = []
    skipped = 0
    with Gallery(options.gallery, create=False) as gallery:
        identifier = Identifier(recognizer, gallery, finder)
        if options.camera is not None:
            with _camera(options) as pictures:
                for number, pixels in pictures:
                    with suppress(FaceError):  # most of a camera's pictures have no face
                        rows += _found(options, f"picture {number}", identifier.identify(pixels, options.fpir, options.top))
        said = time.monotonic()
        for number, photograph in enumerate(images(options.paths)):
            said = _said(said, f"{number} photographs")
            try:
                rows += _found(options, photograph.name, identifier.identify(photograph, options.fpir, options.top))
            except (FaceError, ImageError, SourceError) as error:
                skipped += 1
                print(f"skipped {photograph.name}: {str(error).removeprefix(photograph.name + ': ')}", file=sys.stderr)
    if options.json:
        _print(rows)
    if skipped:
        return SKIPPED
    return OK if any(row["person"] is not None for row in rows) else NOBODY


def _found(options: Namespace, name: str, found: Sequence[Identified]) -> list[dict[str, Any]]:
    """The faces of a photograph as JSON values; without --json a line for each is printed at once."""
    rows = [_identified(name if len(found) == 1 else f"{name}#{number}", item) for number, item in enumerate(found)]
    for row in () if options.json else rows:
        best = ", ".join(f"{candidate['name']} {candidate['similarity']:.3f}" for candidate in row["candidates"])
        print(f"{row['name']}: {row['person'] or 'nobody who is enrolled'} ({best or 'nobody is enrolled'})", flush=True)
    return rows


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
    if options.variant is not None and options.bundle is None:
        raise BundleVariantError("--variant: expected --bundle, whose variant it is, got none")
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
            ids = dict.fromkeys(gallery.named(name).id for name in options.names)  # one may be named twice
            gallery.delete(*ids)
            count = len(ids)
    _say(options, {"forgotten": count}, f"{count} forgotten")
    return OK


def export(options: Namespace) -> int:
    """Exports everybody."""
    with Gallery(options.gallery, create=False) as gallery:
        if options.out.exists() and options.out.samefile(options.gallery):
            raise GalleryWriteError(f"{options.out}: expected another file than the gallery's own, which the export would replace")
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
    count: int | None = None  # which a damaged file may not tell
    try:
        with Gallery(options.gallery, create=False) as gallery:
            problems = gallery.check()
            count = None if problems else len(gallery)
    except GalleryFormatError as error:  # so damaged that it cannot even be opened
        problems = [str(error)]
    _say(options, {"people": count, "problems": problems}, "\n".join(problems) or f"{options.gallery}: {count} people, nothing is wrong")
    return FAILED if problems else OK


def _read_passphrase(options: Namespace, twice: bool = False) -> str:
    if options.passphrase_file is not None:
        try:
            return str(options.passphrase_file.read_text("utf-8-sig").split("\n")[0].rstrip("\r"))
        except (OSError, UnicodeDecodeError) as error:
            raise GalleryReadError(
                f"{options.passphrase_file}: expected a passphrase on its first line, cannot read it ({error})"
            ) from None
    if sys.stdin is None or not sys.stdin.isatty():
        raise GalleryKeyError("expected a terminal to ask for the passphrase, got none; give --passphrase-file")
    try:
        passphrase = getpass.getpass("passphrase: ")
        same = not twice or getpass.getpass("once more: ") == passphrase
    except EOFError:
        raise GalleryKeyError("passphrase: expected one, got the end of the input; nothing was written") from None
    if not same:
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
