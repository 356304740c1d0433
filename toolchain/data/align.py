"""Turns photographs into aligned faces to train on: finds the largest face of each and writes its crop."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from runtime_py.bundle import Bundle
from runtime_py.errors import AlignmentError, ImageError, NoDetectorError, NoFaceError, SourceError
from runtime_py.image import read_image
from runtime_py.manifest import Detector, InputContract, Preprocessing
from runtime_py.photographs import Named, check_paths, images
from runtime_py.recognizer import Finder
from toolchain import files
from toolchain.data.png import png
from toolchain.detector import packaged_detector, template
from toolchain.errors import DataError
from toolchain.progress import Progress

SETTINGS_FILE = "align.json"
LIST_FILE = "left-out.csv"
WITHOUT_IDENTITY = "unlabelled"
_SOURCE, _FACES = "source-sha256", "faces"  # text chunks of each crop: whose it is, and how many faces there were


@dataclass(frozen=True)
class LeftOut:
    """A photograph, or faces of one, that gave no crop: `code` as in runtime_py.errors, or `other-faces`."""

    photograph: str
    code: str
    reason: str


@dataclass(frozen=True)
class Aligned:
    """What became of a set of photographs: crops `written` now, those `kept` from an earlier run, and what was left out."""

    folder: str
    written: int
    kept: int
    left_out: tuple[LeftOut, ...]

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Aligner:
    """A detector and the template that faces are aligned to. `fingerprint` changes with whatever changes a crop."""

    finder: Finder
    fingerprint: str

    @classmethod
    def packaged(cls, height: int = 112, width: int = 112) -> Aligner:
        """BlazeFace of the installed package. Error: DataError where it is not there."""
        detector = packaged_detector()
        contract = InputContract(height, width)
        preprocessing = Preprocessing(contract, "nhwc", "float32", "area-bilinear", (template(height, width),))
        return cls._of(detector.settings, preprocessing, detector.tflite)

    @classmethod
    def of_bundle(cls, path: Path) -> Aligner:
        """The detector and template of a bundle. Errors: BundleError, NoDetectorError."""
        bundle = Bundle.open(path)
        settings = bundle.manifest.detector
        if settings is None:
            raise NoDetectorError(f"{path}: expected a bundle with a detector, got one without; leave it out to use the packaged detector")
        return cls._of(settings, bundle.manifest.preprocessing, bytes(bundle.blob(settings.file)))

    @classmethod
    def _of(cls, settings: Detector, preprocessing: Preprocessing, tflite: bytes) -> Aligner:
        size = [preprocessing.input.height, preprocessing.input.width]
        templates = [asdict(item) for item in preprocessing.templates]
        stated = json.dumps([asdict(settings), templates, size, hashlib.sha256(tflite).hexdigest()], sort_keys=True)
        return cls(Finder(settings, preprocessing, tflite), hashlib.sha256(stated.encode()).hexdigest())


def align_photographs(paths: Sequence[Path], out: Path, aligner: Aligner, progress: Progress | None = None) -> Aligned:
    """Writes `<identity>/<image>.png` below `out` for the photographs of `paths` (files, folders, tars), and `left-out.csv` with
    what gave none and why.

    The identity is the folder that a photograph lies in; one that lies in none goes to `unlabelled/`. Where there are several
    faces the largest is taken, and the others are listed. Each crop is whole or not there; a run that was broken off goes on
    where it stopped. Errors: DataError where a path is missing or damaged, no photograph is found, or `out` holds crops of
    other settings or lies in a folder of photographs.
    """
    shown = progress or Progress(quiet=True)
    try:
        check_paths(paths)
        _check_out(out, paths, aligner)
        run = _Run(out, aligner)
        for named in shown.track(_all(paths), "aligning"):
            run.add(named)
    except SourceError as error:
        raise DataError(str(error)) from None
    files.write(out / LIST_FILE, _table(run.left_out).encode(errors="backslashreplace"))  # a file's name need not be text
    return Aligned(str(out), run.written, run.kept, tuple(run.left_out))


def _all(paths: Sequence[Path]) -> Iterator[Named]:
    for path in paths:
        for named in images([path]):
            yield Named(path.name, named.content) if path.is_file() and named.name == str(path) else named


def _check_out(out: Path, paths: Sequence[Path], aligner: Aligner) -> None:
    """Error: DataError where `out` holds something else than crops of these settings, or where a later run would take its crops for
    photographs."""
    mark = out / SETTINGS_FILE
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: expected a folder or a free name, got a file; give another place")
    if mark.exists():
        if mark.read_text(errors="replace") != _mark(aligner):
            raise DataError(f"{out}: holds faces that were aligned by other settings; give another folder, or remove it first")
    elif out.exists() and any(out.iterdir()):
        raise DataError(f"{out}: expected an empty folder or one of an earlier run, got one with other files; give another folder")
    for path in paths:
        if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
            raise DataError(f"{out}: lies in {path}, whose images are all taken for photographs; give a place outside it")


def _mark(aligner: Aligner) -> str:
    return json.dumps({"settings_sha256": aligner.fingerprint}) + "\n"


class _Run:
    """Counts, and the names that are taken so far."""

    def __init__(self, out: Path, aligner: Aligner) -> None:
        self.written = self.kept = 0
        self.left_out: list[LeftOut] = []
        self._out = out
        self._aligner = aligner
        self._taken: set[str] = set()
        self._claims = not (out / SETTINGS_FILE).exists()  # with the first photograph: where there is none, nothing is made

    def add(self, named: Named) -> None:
        """Aligns one photograph, or finds its crop of an earlier run, or lists why it gave none."""
        if self._claims:
            files.write(self._out / SETTINGS_FILE, _mark(self._aligner))
            self._claims = False
        target = self._target(named.name)
        if target is None:
            self.left_out.append(LeftOut(named.name, "source", "its name leads out of the folder; rename it"))
            return
        try:
            data = named.data
            stamp = hashlib.sha256(data).hexdigest()
            done = _done(self._out / target, stamp)
            if done is None:
                done = self._crop(named.name, data, target, stamp)
                self.written += 1
            else:
                self.kept += 1
            if done > 1:
                self.left_out.append(LeftOut(named.name, "other-faces", f"{done} faces; the largest was taken"))
        except (ImageError, NoFaceError, AlignmentError, SourceError) as error:
            self.left_out.append(LeftOut(named.name, error.code, str(error)))
            files.remove(self._out / target)  # of an earlier run, when it was another photograph

    def _crop(self, name: str, data: bytes, target: str, stamp: str) -> int:
        faces = self._aligner.finder.faces(read_image(data, name))
        if not faces:
            raise NoFaceError(f"{name}: expected a face, found none")
        files.write(self._out / target, png(faces[0].crop, {_SOURCE: stamp, _FACES: str(len(faces))}))
        return len(faces)

    def _target(self, name: str) -> str | None:
        """`<identity>/<image>.png`, with the old suffix kept where two photographs differ in it alone; None for a name that leads
        out of the folder."""
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.name:
            return None
        folder = path.parent.as_posix() if path.parent != PurePosixPath(".") else WITHOUT_IDENTITY
        for candidate in (f"{folder}/{path.stem}.png", f"{folder}/{path.name}.png"):
            if candidate not in self._taken:
                self._taken.add(candidate)
                return candidate
        number = 2
        while (candidate := f"{folder}/{path.stem}-{number}.png") in self._taken:
            number += 1
        self._taken.add(candidate)
        return candidate


def _done(target: Path, stamp: str) -> int | None:
    """How many faces the photograph of hash `stamp` had, where `target` is its crop; None where it is not."""
    try:
        with Image.open(target, formats=("PNG",)) as image:
            return int(image.info[_FACES]) if image.info.get(_SOURCE) == stamp else None
    except (OSError, SyntaxError, KeyError, ValueError):
        return None


def _table(left_out: Sequence[LeftOut]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("photograph", "code", "reason"))
    rows.writerows((row.photograph, row.code, row.reason) for row in left_out)
    return text.getvalue()
