"""`toolchain evaluate`: accuracy in face terms."""

from __future__ import annotations

import dataclasses
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from runtime_py.bundle import Bundle
from toolchain.commands.base import BUNDLE_SUFFIX, IMAGES, Result, add_cache, add_input, cache_of, failure_of, progress_of, table
from toolchain.errors import DataError, RecipeError

if TYPE_CHECKING:
    from toolchain.data.faces import Faces
    from toolchain.evaluation.accuracies import Measured
    from toolchain.evaluation.evaluate import Evaluation, Floats
    from toolchain.evaluation.groups import GroupRates
    from toolchain.kept import KeptBytes

SUMMARY = "Measure accuracy: a pairs file by folds; or labelled folders: verification, identification, thresholds, groups, loss to fp32."
EXAMPLES = """  toolchain evaluate face.pface --images lfw.tar --pairs pairs.txt
  toolchain evaluate face.pface --images my-people/ --variant int8 --json
  toolchain evaluate face.pface --images my-people/ --groups ages.csv
  toolchain evaluate face.pface --images faces.tar --aside --record figures.json
  toolchain evaluate net.onnx --input rgb,0..255 --images lfw.tar --pairs pairs.txt

identification, where there is no --pairs, each figure with its 95 % interval:
  rank-1             the first image of each person is the gallery, all others are looked for
  NearestOne         a fifth of each person's images is looked for among the centres of everybody's others
  open set           half of the people are enrolled: the share found (TPIR) where 10, 1, 0.1 % of strangers pass (FPIR)"""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", type=Path, metavar="BUNDLE|WEIGHTS", help="a .pface bundle, or safetensors or ONNX weights")
    parser.add_argument("--images", nargs="+", type=Path, required=True, metavar="PATH", help=IMAGES)
    parser.add_argument("--aside", action="store_true", help="only the identities that training keeps aside, one group in twelve")
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="pairs in LFW's form (without: all pairs of the labelled images)")
    parser.add_argument("--variant", default="all", help="of a bundle: one variant's name (default: all)")
    parser.add_argument("--groups", type=Path, metavar="CSV", help="of a bundle: image,group or identity,group; error rates by group")
    parser.add_argument("--record", type=Path, metavar="FILE", help="of a bundle: add the figures to this file, for build --accuracies")
    add_input(parser)
    add_cache(parser)


def run(options: Namespace) -> Result:
    """Accuracy of weights, or of each variant of a bundle."""
    from toolchain.data.faces import Faces
    from toolchain.data.protocols import read_pairs
    from toolchain.evaluation.evaluate import evaluate, of_weights

    bundle = Bundle.open(options.what) if options.what.suffix == BUNDLE_SUFFIX else None
    if bundle is None and (options.record is not None or options.variant != "all" or options.groups is not None):
        raise RecipeError(f"{options.what}: --record, --groups and --variant are for bundles ({BUNDLE_SUFFIX})")
    if bundle is not None and options.input is not None:
        raise RecipeError(f"{options.what}: a bundle states its own input; leave out --input")
    if options.groups is not None and options.pairs is not None:
        raise RecipeError("--groups compares all labelled images; leave out --pairs")
    faces = Faces.read(options.images, cache_of(options) / "faces", progress_of(options))
    faces = _aside(faces) if options.aside else faces
    if options.pairs is not None:
        read_pairs(options.pairs, faces.names)  # before minutes of embedding what could not be judged by it
    if bundle is not None:
        return _of_bundle(options, bundle, faces)
    found = {name: evaluate(rows, faces, options.pairs) for name, rows in of_weights(options.what, options.input, faces)}
    return Result({name: item.describe() for name, item in found.items()}, _shown(found))


def _aside(faces: Faces) -> Faces:
    aside = faces.split_aside()[1]
    if not len(aside):
        raise DataError(f"--aside: none of the {len(set(faces.identities))} identities is one that is kept aside; leave it out")
    return aside


def _of_bundle(options: Namespace, bundle: Bundle, faces: Faces) -> Result:
    from toolchain.evaluation import accuracies
    from toolchain.evaluation.evaluate import evaluate, of_bundle
    from toolchain.evaluation.groups import read_groups
    from toolchain.kept import KeptBytes

    if options.record is not None and options.record.exists():
        accuracies.read_accuracies(options.record)  # before hours of measuring what could not be added to it
    labels = None if options.groups is None else read_groups(options.groups, faces)
    kept = KeptBytes(cache_of(options) / "bytes")
    embedded = dict(of_bundle(bundle, options.variant, faces, progress_of(options), kept))
    found = {name: evaluate(rows, faces, options.pairs) for name, rows in embedded.items()}
    measured = {} if options.pairs is not None else _measured(options, bundle, embedded, faces, kept)
    groups = {} if labels is None else _by_group(bundle, embedded, faces, labels)
    failure = None
    if options.record is not None:
        record = {
            name: accuracies.Measured(tuple(item.record())).updated(measured.get(name, accuracies.Measured()))
            for name, item in found.items()
        }
        models = {bundle.variant(name).sha256: item for name, item in record.items()}
        failure = failure_of(lambda: accuracies.record(options.record, models))
    values: dict[str, Any] = {name: item.describe() for name, item in found.items()}
    for name, item in measured.items():
        values[name] |= {key: value for key, value in dataclasses.asdict(item).items() if key != "accuracy"}
    for name, rows in groups.items():
        values[name]["groups"] = [row.describe() for row in rows]
    shown = [*_shown(found)]
    shown += [_face_terms(measured), thresholds_table(measured)] if measured else []
    return Result(values, (*shown, *([_groups(groups)] if groups else [])), failure)


def _measured(options: Namespace, bundle: Bundle, embedded: Mapping[str, Floats], faces: Faces, kept: KeptBytes) -> dict[str, Measured]:
    """Face terms and thresholds; none where the faces are too few for any."""
    from toolchain.evaluation.measure import Measurement, measure_bundle

    try:
        measurement = Measurement(faces)
    except DataError as error:
        progress_of(options).say(f"no face terms and thresholds: {error}")
        return {}
    return dict(measure_bundle(bundle, embedded.items(), measurement, progress_of(options), kept))


def _by_group(bundle: Bundle, embedded: Mapping[str, Floats], faces: Faces, labels: tuple[str, ...]) -> dict[str, list[GroupRates]]:
    from toolchain.evaluation.bootstrap import Bootstrap, Comparisons
    from toolchain.evaluation.groups import rates_by_group

    bootstrap = Bootstrap(Comparisons.of(faces.identities))
    found = {}
    for name, rows in embedded.items():
        thresholds = bundle.variant(name).thresholds
        if not thresholds:
            raise DataError(f"{bundle.source}: variant {name} has no threshold to measure groups at; make some by `toolchain calibrate`")
        found[name] = rates_by_group(bootstrap.comparisons.scores(rows), labels, thresholds, bootstrap)
    return found


def _shown(found: Mapping[str, Evaluation]) -> tuple[Table, ...]:
    """Verification, and identification where it was measured."""
    rows, identified = [], []
    for name, item in found.items():
        for row in item.verification():
            spread = "" if row.std is None else f" ± {100 * row.std:.2f}"
            rows.append((name, row.protocol, f"{100 * row.value:.2f}{spread}"))
        for what, share in item.identified():
            interval = f"{100 * share.low:.1f} to {100 * share.high:.1f}"
            identified.append((name, what, f"{100 * share.value:.2f}", interval, f"{share.probes:,}", f"{share.identities:,}"))
    verification = table(("variant", "verification", "%"), rows)
    if not identified:
        return (verification,)
    return verification, table(("variant", "identification", "%", "95 % interval", "images", "people"), identified)


def _face_terms(measured: Mapping[str, Measured]) -> Table:
    rows = []
    for name, item in measured.items():
        for terms in item.face_terms:
            kept = [f"{row.tar / row.reference:.2%} ({row.kept_low:.1%} to {row.kept_high:.1%}) at FAR {row.far:g}" for row in terms.kept]
            drift = f"{terms.threshold_drift:+.4f} at FAR {terms.drift_far:g}"
            cosines = f"{terms.min_cosine:.4f}, {terms.p1_cosine:.4f}, {terms.p50_cosine:.4f}"
            rows.append((name, "; ".join(kept), drift, cosines))
    return table(("variant", "kept of fp32's TAR (95 % interval)", "threshold drift", "cosine to fp32: least, p1, p50"), rows)


def thresholds_table(measured: Mapping[str, Measured]) -> Table:
    """The thresholds of variants, and why others are left out."""
    rows = []
    for name, item in measured.items():
        for row in item.thresholds:
            interval = f"{row.fmr_low:g} to {row.fmr_high:g}"
            rows.append((name, f"{row.fmr:g}", f"{row.similarity:.4f}", interval, f"{row.comparisons:,}", f"{row.independent:,}"))
        rows += [(name, f"{row.fmr:g}", "left out", row.reason, "", "") for row in item.thresholds_left_out]
    return table(("variant", "FMR", "similarity", "95 % interval of the FMR", "comparisons", "independent"), rows)


def _groups(groups: Mapping[str, list[GroupRates]]) -> Table:
    rows = []
    for name, found in groups.items():
        for row in found:
            rates = [
                "not measured" if rate is None else f"{rate.rate:.2g} ({rate.low:.2g} to {rate.high:.2g})" for rate in (row.fmr, row.fnmr)
            ]
            rows.append((name, f"{row.threshold_fmr:g}", row.group, f"{row.people:,}", *rates))
    return table(("variant", "at FMR", "group", "people", "FMR (95 % interval)", "FNMR (95 % interval)"), rows)
