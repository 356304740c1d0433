"""What each command of `python -m runtime_py` does, from its parsed options to an exit code."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from runtime_py import matching, output
from runtime_py.bundle import Bundle
from runtime_py.detector import Detection
from runtime_py.embedder import Embeddings
from runtime_py.errors import AlignmentError, EmbeddingError, ImageArrayError, ImageError, NoFaceError, PocketFaceError, SourceError
from runtime_py.image import Pixels, read_image
from runtime_py.interpreter import quiet_runtime, runtime
from runtime_py.manifest import LevelSet, Variant
from runtime_py.photographs import Named, check_paths, images
from runtime_py.recognizer import Recognizer, finder
from runtime_py.selftest import selftest as run_selftest

OK, DIFFERENT, SKIPPED, FAILED = 0, 1, 3, 4

_OF_ONE_IMAGE = (ImageError, NoFaceError, AlignmentError, EmbeddingError, SourceError)
"""What is wrong with one photograph and does not keep the others from being done."""


@dataclass(frozen=True)
class _Skipped:
    """A photograph that gave nothing."""

    name: str
    code: str
    reason: str


def _recognizer(options: Namespace) -> Recognizer:
    bundle = Bundle.open(options.bundle)
    with quiet_runtime():
        return Recognizer(bundle, options.variant, options.threads, options.level, options.budget_ms)


def embed(options: Namespace) -> int:
    """Embeds every face of every image."""
    check_paths(options.paths)
    if options.out is not None and (options.out.suffix != ".npz" or os.path.isdir(options.out)):
        raise SourceError(f"{options.out}: expected a file name that ends in .npz")
    recognizer = _recognizer(options)
    names: list[str] = []
    rows: list[Embeddings] = []
    skipped: list[_Skipped] = []
    for named in images(options.paths):
        try:
            found = _embedded(recognizer, named, options.aligned)
        except _OF_ONE_IMAGE as error:
            _skip(skipped, named.name, error)
            continue
        for number, row in enumerate(found):
            names.append(f"{named.name}#{number}" if len(found) > 1 else named.name)
            rows.append(row)
    if options.out is not None and rows:
        _write_embeddings(options.out, recognizer, names, np.stack(rows))
    _print_embeddings(options, recognizer, names, rows, skipped)
    return SKIPPED if skipped else OK


def _embedded(recognizer: Recognizer, named: Named, aligned: bool) -> Embeddings:
    """`[faces, D]`."""
    pixels = read_image(named.data, named.name)
    if aligned:
        return recognizer.embed(_crop(recognizer, pixels)[None])
    return recognizer.embed(recognizer.faces(pixels))


def _crop(recognizer: Recognizer, pixels: Pixels) -> Pixels:
    contract = recognizer.embedder.contract
    if pixels.shape[:2] != (contract.height, contract.width):
        raise ImageArrayError(
            f"expected an aligned crop of {contract.height} x {contract.width}, got {pixels.shape[0]} x {pixels.shape[1]}; "
            "leave out --aligned for a photograph"
        )
    return pixels


def _write_embeddings(path: Path, recognizer: Recognizer, names: list[str], embeddings: Embeddings) -> None:
    """Arrays `names` and `embeddings`, and whose they are: embeddings of two models or variants are not to be mixed."""
    data = io.BytesIO()
    np.savez(
        data,
        names=np.array(names, dtype=np.str_),
        embeddings=embeddings,
        bundle_sha256=np.array(recognizer.bundle.sha256, dtype=np.str_),
        variant=np.array(recognizer.variant.name, dtype=np.str_),
    )
    output.write(path, data.getvalue())


def _print_embeddings(
    options: Namespace, recognizer: Recognizer, names: list[str], rows: list[Embeddings], skipped: list[_Skipped]
) -> None:
    if options.json:
        value: dict[str, Any] = {
            "bundle_sha256": recognizer.bundle.sha256,
            "variant": recognizer.variant.name,
            "runtime": recognizer.runtime,
            "names": names,
            "skipped": [dataclasses.asdict(item) for item in skipped],
        }
        if options.out is None:
            value["embeddings"] = [row.tolist() for row in rows]
        _print_json(value)
    elif options.out is not None:
        if rows:
            what = f"{len(rows)} embeddings of {len(rows[0])} numbers"
            print(f"{options.out}: {what}, variant {recognizer.variant.name}, {recognizer.runtime}")
    else:
        for name, row in zip(names, rows, strict=True):
            print(name, " ".join(f"{number:.6g}" for number in row.tolist()), sep="\t")


def verify(options: Namespace) -> int:
    """Compares the largest faces of two photographs."""
    recognizer = _recognizer(options)
    fmr, threshold = _threshold(options, recognizer)
    rows = []
    for path in (options.first, options.second):
        pixels = read_image(path)
        try:
            rows.append(recognizer.embed(_crop(recognizer, pixels) if options.aligned else recognizer.faces(pixels)[0]))
        except _OF_ONE_IMAGE as error:
            raise type(error)(f"{path}: {error}") from None
    alike = float(recognizer.similarity(rows[0], rows[1]))
    same = None if threshold is None else matching.Verification(alike, threshold, fmr).same
    if options.json:
        _print_json({"similarity": alike, "fmr": fmr, "threshold": threshold, "same": same, "variant": recognizer.variant.name})
    elif threshold is None:
        print(f"similarity {alike:.4f} (not judged: the variant states no threshold; `toolchain calibrate` makes some from faces)")
    else:
        at = "as given" if fmr is None else f"at a false match rate of {fmr:g}"
        print(f"{'same' if same else 'different'}: similarity {alike:.4f}, threshold {threshold:.4f} {at}")
    return DIFFERENT if same is False else OK


def _threshold(options: Namespace, recognizer: Recognizer) -> tuple[float | None, float | None]:
    """(false match rate, threshold): a threshold that was given, of which no rate is known, or the one that the bundle states; None
    where none was asked for and none is stated."""
    if options.threshold is not None:
        return None, matching.check_threshold(options.threshold)
    if options.fmr is None and not recognizer.variant.thresholds:
        return None, None
    fmr = matching.DEFAULT_FMR if options.fmr is None else options.fmr
    return fmr, matching.threshold_at(recognizer.variant, fmr)


def detect(options: Namespace) -> int:
    """Finds faces, and marks them in copies of the photographs."""
    check_paths(options.paths)
    bundle = Bundle.open(options.bundle)
    with quiet_runtime():
        found = finder(bundle, options.threads)
    results: list[dict[str, Any]] = []
    skipped: list[_Skipped] = []
    drawn: set[str] = set()
    for named in images(options.paths):
        try:
            pixels = read_image(named.data, named.name)
            faces = found.detector.find(pixels)
            if not faces:
                raise NoFaceError("expected a face, found none")
        except _OF_ONE_IMAGE as error:
            _skip(skipped, named.name, error)
            continue
        if options.draw is not None:
            output.write(options.draw / _free_name(named.name, drawn), _marked(pixels, faces))
        key_points = found.detector.settings.key_points
        results.append({"name": named.name, "faces": [_face(face, key_points) for face in faces]})
        if not options.json:
            for number, face in enumerate(faces):
                box = " ".join(f"{value:.1f}" for value in face.box)
                print(f"{named.name}#{number}\tbox {box}\tscore {face.score:.3f}")
    if options.json:
        _print_json({"photographs": results, "skipped": [dataclasses.asdict(item) for item in skipped]})
    return SKIPPED if skipped else OK


def _face(face: Detection, key_points: tuple[str, ...]) -> dict[str, Any]:
    points = {name: [round(float(value), 2) for value in point] for name, point in zip(key_points, face.key_points, strict=True)}
    return {"box": [round(value, 2) for value in face.box], "score": round(face.score, 4), "key_points": points}


def _marked(pixels: Pixels, faces: tuple[Detection, ...]) -> bytes:
    """A PNG of the photograph with boxes and key points."""
    image = Image.fromarray(pixels)
    pen = ImageDraw.Draw(image)
    line = max(1, round(max(image.size) / 400))
    for face in faces:
        # What lies outside is cut to just outside: Pillow walks along every pixel of a line, seen or not.
        least, most = -2 * line, np.array(image.size) + 2 * line
        pen.rectangle(np.rint(np.clip(np.reshape(face.box, (2, 2)), least, most)).ravel().tolist(), outline=(0, 220, 0), width=line)
        for x, y in np.clip(face.key_points, least, most).tolist():
            pen.ellipse((x - line, y - line, x + line, y + line), fill=(230, 30, 30))
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def _free_name(name: str, taken: set[str]) -> str:
    """A name below the folder for drawings, without what leads out of it, that no other drawing has."""
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..")]
    base = "/".join(parts) or "image"
    free, number = f"{base}.png", 2
    while free in taken:
        free, number = f"{base}-{number}.png", number + 1
    taken.add(free)
    return free


def inspect(options: Namespace) -> int:
    """What a bundle holds."""
    bundle = Bundle.open(options.bundle)
    if options.json:
        _print_json({"sha256": bundle.sha256, "manifest": json.loads(bundle.manifest_text())})
        return OK
    for line in _inspected(bundle):
        print(line)
    return OK


def _inspected(bundle: Bundle) -> Iterator[str]:
    manifest, contract = bundle.manifest, bundle.manifest.preprocessing.input
    least = ", ".join(f"{name} {version}" for name, version in manifest.target.minimum.items())
    yield f"{manifest.name}, for {manifest.target.name} ({least}), schema {manifest.schema}"
    yield f"sha256 {bundle.sha256}"
    yield (
        f"input {contract.height} x {contract.width} {contract.color}, pixel * {contract.scale:.9g} + {contract.offset:.9g}; "
        f"embedding of {manifest.embedding.size}, {manifest.embedding.normalisation}, {manifest.embedding.metric}"
    )
    detector = manifest.detector
    yield "no detector" if detector is None else f"detector {detector.name} ({detector.licence}), {detector.source}"
    for variant in manifest.variants:
        mark = "*" if variant.name == manifest.default_variant else " "
        packed = " packed" if variant.packed else ""
        size = variant.bytes
        yield f"{mark} {variant.name}: {size.stored} bytes{packed} ({size.raw} to run, {size.gzip} by gzip)"
        for item in variant.parity:
            yield f"    {item.runtime}: cosine of {item.min_cosine:g} or more to {item.against}, {item.faces} faces"
        if not variant.parity:
            yield "    parity not measured"
        yield from (f"    {line}" for line in _in_face_terms(variant))
    for levels in manifest.levels:
        yield f"levels of {levels.whole}: {', '.join(f'{level.name} ({level.variant})' for level in levels.levels)}; one embedding space"
        yield from (f"    {line}" for line in _across(levels))
    for licence in manifest.licences:
        yield f"licence of {licence.covers}: {licence.spdx}; {licence.terms}"


def _in_face_terms(variant: Variant) -> Iterator[str]:
    """A line on each accuracy and threshold, on what was kept of fp32, and on each gate that was missed."""
    yield from [f"{item.protocol} {100 * item.value:.2f} %" for item in variant.accuracy] or ["accuracy not measured"]
    for item in variant.thresholds:
        yield f"threshold {item.similarity:.4f} at a false match rate of {item.fmr:g} (95 %: {item.fmr_low:g} to {item.fmr_high:g})"
    for left_out in variant.thresholds_left_out:
        yield f"no threshold at a false match rate of {left_out.fmr:g}: {left_out.reason}"
    for terms in variant.face_terms:
        kept = [f"{kept.tar / kept.reference:.1%} at FAR {kept.far:g}" for kept in terms.kept]
        yield f"keeps of fp32's true accept rate: {', '.join(kept)} ({terms.protocol})"
    for missed in variant.missed_gates:
        yield f"missed a gate, allowed: {missed}"


def _across(levels: LevelSet) -> Iterator[str]:
    """A line on how well each two levels match."""
    for item in levels.matching:
        rates = [f"{rate.tar:.1%} at FAR {rate.far:g}" for rate in item.rates] or ["the faces support no rate"]
        yield f"{item.enrolled} against {item.probe}: true accept rate {', '.join(rates)} ({item.protocol})"


def selftest(options: Namespace) -> int:
    """Runs the golden vectors."""
    bundle = Bundle.open(options.bundle)
    with quiet_runtime():
        checks = run_selftest(bundle, options.threads)
    failed = [check for check in checks if not check.passed]
    if options.json:
        name, version, _ = runtime()
        _print_json({"runtime": f"{name} {version}", "passed": not failed, "checks": [dataclasses.asdict(check) for check in checks]})
    else:
        for check in checks:
            print(f"{'ok    ' if check.passed else 'FAILED'} {check.name}: {check.detail}")
    if failed:
        print(f"error: selftest: {len(failed)} of {len(checks)} checks failed, first {failed[0].name}: {failed[0].detail}", file=sys.stderr)
    return FAILED if failed else OK


def _skip(skipped: list[_Skipped], name: str, error: PocketFaceError) -> None:
    """Says on stderr what was skipped and why, once."""
    reason = str(error).removeprefix(f"{name}: ")
    skipped.append(_Skipped(name, error.code, reason))
    print(f"skipped {name}: {reason}", file=sys.stderr)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False))
