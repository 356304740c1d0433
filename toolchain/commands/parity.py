"""`toolchain parity`: do all that run the model compute the same?"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolchain.commands.base import BUNDLE_SUFFIX, Result, add_recipe, add_running, cache_of, failure_of, order_of, progress_of, table
from toolchain.errors import DataError, RecipeError, ToolchainError

if TYPE_CHECKING:
    from runtime_py.bundle import Bundle
    from toolchain.kept import KeptBytes
    from toolchain.parity.adb import VariantRun
    from toolchain.parity.suite import Agreement, Images, Suite, Torch

SUMMARY = (
    "Check that every runtime computes the same: of a bundle, of a recipe's variants against torch, or of any .tflite against an ONNX."
)
EXAMPLES = """  toolchain parity face.pface
  toolchain parity face.pface --on arm64
  toolchain parity face.pface --on arm64 --images my-faces/ --record arm64.json
  toolchain parity face.pface --on adb
  toolchain parity face.pface --on adb --report selftest.txt
  toolchain parity net.tflite --against net.onnx --input rgb,-1..1
  toolchain parity --variants int8 --images faces.tar
  toolchain parity --weights net.onnx --input rgb,0..255"""
HOST_FACES, ARM64_FACES = 64, 32


def arguments(parser: ArgumentParser) -> None:
    add_recipe(parser, bundle=True)
    parser.add_argument("--on", choices=("host", "arm64", "adb"), default="host", help="of a bundle: where to run it (default: host)")
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="with --on adb: a report that the phone's self-test shared, in place of a phone"
    )
    parser.add_argument("--record", type=Path, metavar="FILE", help="with --on arm64: add the figures to this file, for toolchain build")
    parser.add_argument("--against", type=Path, metavar="ONNX", help="of a .tflite: the ONNX model that it is to agree with")
    parser.add_argument(
        "--min-cosine", type=_cosine, metavar="X", help="with --against: what each face must reach (default: by arithmetic)"
    )
    add_running(parser)


def run(options: Namespace) -> Result:
    """The parity suite of a bundle, of a recipe's variants, or of a pair of files."""
    kind = Path(options.recipe).suffix
    if options.against is None and (kind == ".tflite" or options.min_cosine is not None):
        raise RecipeError(f"{options.recipe}: --against ONNX is missing: the model that a .tflite is to agree with")
    if kind != BUNDLE_SUFFIX and (options.on != "host" or options.record is not None):
        raise RecipeError(f"{options.recipe}: --on and --record are for bundles ({BUNDLE_SUFFIX})")
    if options.record is not None and options.on != "arm64":
        raise RecipeError("--record: the host's own figures are measured by every build; give --on arm64, or leave it out")
    if options.report is not None and options.on != "adb":
        raise RecipeError("--report: a phone's self-test report is judged with --on adb")
    if options.against is not None:
        return _of_pair(options)
    if options.on == "adb":
        return _of_phone(options)
    return _of_bundle(options) if kind == BUNDLE_SUFFIX else _of_recipe(options)


def _of_recipe(options: Namespace) -> Result:
    """Agreement with torch, judged by each variant's gate."""
    from toolchain.bundling.build import make_variants
    from toolchain.bundling.variants import figures, judge

    batch = make_variants(order_of(options))
    values = [{"variant": item.variant.name, **figures(result)} for item in batch.made for result in item.parity]
    rows = [(item["variant"], item["runtime"], *_shown(item)) for item in values]
    left_out = [f"left out: {name}: {why}" for name, why in batch.left_out.items()]
    columns = ("variant", "runtime", "max abs", "min cosine", "p1 cosine", "XNNPACK parts", "ms")
    failure = failure_of(lambda: judge(batch.made))
    return Result({"parity": values, "left_out": batch.left_out}, (table(columns, rows), *left_out), failure)


def _shown(figures: dict[str, Any]) -> tuple[str, ...]:
    if "reason" in figures:
        return f"not run: {figures['reason']}", "", "", "", ""
    forms = {"max_abs": ".2g", "min_cosine": ".6f", "p1_cosine": ".6f", "partitions": "d", "ms": ".2f"}
    return tuple("unknown" if figures[name] is None else f"{figures[name]:{form}}" for name, form in forms.items())


def _of_pair(options: Namespace) -> Result:
    """A .tflite and an ONNX model, whoever made them."""
    from toolchain.parity.against import against

    if Path(options.recipe).suffix == BUNDLE_SUFFIX:
        raise RecipeError(f"{options.recipe}: --against takes a .tflite, not a bundle, whose .tflite files `toolchain convert` writes")
    if options.weights is not None or options.variants is not None:
        raise RecipeError("--against compares a .tflite with an ONNX model; leave out --weights and --variants")
    if not Path(options.recipe).suffix and not Path(options.recipe).exists():
        raise RecipeError(f"--against {options.against}: the .tflite that is to agree with it is missing; give it before --against")
    if options.input is None:
        raise RecipeError("--against: say what the two take by --input, such as rgb,0..255 or bgr,-1..1")
    images = _images(options, HOST_FACES) if options.images else None
    suite = against(Path(options.recipe), options.against, options.input, images, options.min_cosine, _kept(options), progress_of(options))
    rows = [
        (item.runtime, item.against, f"{item.max_abs:.2g}", f"{item.min_cosine:.6f}", f"{item.p1_cosine:.6f}", item.missed or "ok")
        for item in suite.agreements
    ]
    columns = ("runtime", "against", "max abs", "min cosine", "p1 cosine", "result")
    return Result(suite.describe(), (table(columns, rows), *_not_compared(suite)), suite.failure())


def _of_bundle(options: Namespace) -> Result:
    """The whole suite on a bundle."""
    from runtime_py.bundle import Bundle
    from toolchain.parity import arm64_record, suite

    bundle = Bundle.open(options.recipe)
    names = [bundle.variant(name).name for name in options.variants or bundle.variants]
    contract = bundle.manifest.preprocessing.input
    images = _images(options, HOST_FACES if options.on == "host" else ARM64_FACES, contract.height, contract.width)
    found = suite.subjects(bundle, names, images, _torch(options, bundle, images))
    if options.on == "host":
        done = suite.on_host(bundle, found, _kept(options), progress_of(options))
    else:
        done = suite.on_arm64(found, _kept(options), progress_of(options))
    failure: ToolchainError | None = done.failure()
    if options.record is not None and failure is None:
        stated = done.stated({name: bundle.variant(name).sha256 for name in names})
        failure = failure_of(lambda: arm64_record.record(options.record, stated))
    return Result(done.describe(), _suite_shown(done), failure)


def _of_phone(options: Namespace) -> Result:
    """The self-test of the app on a phone, judged by the bundle that the app was made from."""
    from runtime_py.bundle import Bundle
    from toolchain.parity.adb import read_report, run_on_phone

    if options.weights is not None or options.input is not None or options.images or options.variants is not None:
        raise RecipeError("--on adb: the app tests all of its bundle on its own faces; leave out --weights, --input, --images, --variants")
    bundle = Bundle.open(options.recipe)
    if options.report is None:
        text = run_on_phone(progress_of(options))
    else:
        try:
            text = options.report.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise DataError(f"{options.report}: expected a self-test report, it cannot be read: {error}") from None
    report = read_report(text)
    failure = report.failure(bundle)
    rows = [
        (run.name, *(_digits(value, form) for value, form in _figures(run)), run.error or ("ok" if run.passed else "missed"))
        for run in report.variants
    ]
    columns = ("variant", "min cosine to golden", "max abs", "load ms", "embed ms", "p90", "KiB", "result")
    steps = [f"{step.name}: {_digits(step.ms, '.2f')} ms (p90 {_digits(step.ms_p90, '.2f')}, {step.runs} runs)" for step in report.steps]
    device = ", ".join(f"{key} {value}" for key, value in report.device.items())
    passed = sum(check.passed for check in report.checks)
    missed = report.missed(bundle)
    lines = (*steps, f"{passed} of {len(report.checks)} checks on the phone passed", *(f"missed: {line}" for line in missed))
    return Result({**report.describe(), "missed": missed}, (device, table(columns, rows), *lines), failure)


def _figures(run: VariantRun) -> tuple[tuple[float | None, str], ...]:
    """Figures of a variant on a phone, each with its form."""
    times = (run.load_ms, ".1f"), (run.embed_ms, ".2f"), (run.embed_ms_p90, ".2f")
    return (run.min_cosine, ".6f"), (run.max_abs, ".2g"), *times, (run.memory_kib, ".0f")


def _digits(value: float | None, form: str) -> str:
    return "" if value is None else f"{value:{form}}"


def _kept(options: Namespace) -> KeptBytes:
    from toolchain.kept import KeptBytes

    return KeptBytes(cache_of(options) / "bytes")


def _images(options: Namespace, most: int, height: int = 0, width: int = 0) -> Images:
    """At most `most` of the images given, evenly spaced; drawn ones where none are given. Error: DataError for too few."""
    import numpy as np

    from toolchain.data import synthetic
    from toolchain.data.faces import Faces
    from toolchain.parity.suite import LEAST_FACES

    if not options.images:
        return synthetic.faces(most // 4, 4, height, width).images
    given = Faces.read(options.images, cache_of(options) / "faces", progress_of(options)).images
    if len(given) < LEAST_FACES:
        raise DataError(f"--images: expected at least {LEAST_FACES} faces, got {len(given)}; give more, or none for drawn ones")
    if height and given.shape[1:3] != (height, width):
        size = f"{given.shape[1]} x {given.shape[2]}"
        raise DataError(f"--images: expected aligned faces of {height} x {width}, got {size}; align them by this bundle")
    return np.ascontiguousarray(given[np.linspace(0, len(given) - 1, min(most, len(given))).astype(np.int64)])


def _torch(options: Namespace, bundle: Bundle, images: Images) -> dict[str, Torch]:
    """What torch gives, where the recipe that made the bundle and its weights are known here. Error: RecipeError where --weights
    are not those that the bundle was made from."""
    from toolchain.bundling.torch_side import torch_of
    from toolchain.recipes import recipe_names

    made_by = bundle.manifest.recipe.name
    if options.weights is None and made_by not in recipe_names():
        return {}
    named = made_by if made_by in recipe_names() else "own"
    order = order_of(Namespace(**{**vars(options), "recipe": named, "variants": None, "images": ()}))
    found = torch_of(bundle, order, images)
    if options.weights is not None and not found:
        raise RecipeError(f"{options.weights}: {options.recipe} was made from other weights, or by other stages; leave out --weights")
    return found


def _suite_shown(suite: Suite) -> tuple[Any, ...]:
    """A row for each variant on each runtime, then what is not as it should be."""
    from toolchain.parity.suite import GOLDEN

    rows: dict[tuple[str, str], dict[str, Agreement]] = {}
    for item in suite.agreements:
        stored = item.against == GOLDEN or " on " not in item.against
        rows.setdefault((item.variant, item.runtime), {})[item.against if stored else "runtime"] = item
    others = sorted({item.against for item in suite.agreements if " on " not in item.against and item.against != GOLDEN})
    lines = []
    for (variant, runtime), found in rows.items():
        same = found.get("runtime")
        cells = [f"{same.max_abs:.2g}" if same else "", f"{same.min_cosine:.6f}" if same else ""]
        cells += [f"{found[name].min_cosine:.6f}" if name in found else "" for name in (*others, GOLDEN)]
        lines.append((variant, runtime, *cells, "missed" if any(item.missed for item in found.values()) else "ok"))
    columns = ("variant", "on", "other runtime: max abs", "min cosine", *(f"min cosine to {name}" for name in (*others, GOLDEN)), "result")
    passed = sum(check.passed for check in suite.checks)
    checks = [f"{passed} of {len(suite.checks)} checks of the bundle passed"] if suite.checks else []
    wrong = [f"missed: {line}" for line in suite.missed()]
    return table(columns, lines), *checks, *suite.notes, *_not_compared(suite), *wrong


def _not_compared(suite: Suite) -> list[str]:
    return [f"not compared: {item.variant} on {item.runtime}: {item.reason}" for item in suite.not_compared if item.excused]


def _cosine(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 2.0
    if not -1 <= value <= 1:
        raise ArgumentTypeError(f"expected a cosine from -1 to 1, got {text!r}")
    return value
