"""The parity suite: everything that a bundle states of itself, checked on any bundle, of ours or of somebody else's.

Each variant, packed ones rebuilt, runs on every TFLite runtime of this machine, and of arm64 processors where asked for. It is
compared with the same runtime or the other one here, with the bundle's golden embeddings, with torch where the weights are at
hand, and else with the bundle's own fp32 variant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime_py.bundle import Bundle
from runtime_py.image import read_image
from runtime_py.manifest import InputContract, Parity, TensorSpec
from runtime_py.selftest import Check, selftest
from runtime_py.tensors import input_table, to_tensor
from toolchain.errors import GateError
from toolchain.kept import KeptBytes
from toolchain.parity import host, machines
from toolchain.parity.host import LITERT, RUNTIMES, Figures, Floats
from toolchain.parity.machines import Failed, Job, Machine, Ran, Results
from toolchain.parity.tolerance import Tolerance, tolerance
from toolchain.progress import Progress
from toolchain.recipe import Gate
from toolchain.rounding import rounded_down, rounded_up

LEAST_FACES = 32
REFERENCE = "fp32"
GOLDEN = "golden"
Images = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Torch:
    """What torch gives for a variant: embeddings `[N, D]` of length 1, and the gate of the variant's recipe."""

    rows: Floats
    gate: Gate


@dataclass(frozen=True, eq=False)
class Subject:
    """One variant to compare. `golden` `[G, D]`: embeddings that a right runtime gives for the last G of the inputs `[N + G, ...]`,
    by the cosine `golden_min_cosine`; `torch` is there where its weights are."""

    name: str
    tflite: bytes
    inputs: npt.NDArray[Any]
    golden: Floats
    golden_min_cosine: float
    torch: Torch | None = None


@dataclass(frozen=True, eq=False)
class Agreement(Figures):
    """One variant, on `runtime`, against `against`, both named with version and processor. `bound` says what was asked of it
    (None: nothing, it is stated only), `missed` what it missed."""

    variant: str
    runtime: str
    against: str
    max_abs: float
    cosines: Floats
    bound: str | None = None
    missed: str | None = None

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        figures = {"faces": len(self.cosines), "max_abs": self.max_abs, "min_cosine": self.min_cosine, "p1_cosine": self.p1_cosine}
        names = {"variant": self.variant, "runtime": self.runtime, "against": self.against}
        return {**names, **figures, "bound": self.bound, "missed": self.missed}

    def stated(self) -> Parity:
        """As a manifest states it, rounded to the unfavourable side."""
        figures = rounded_up(self.max_abs), rounded_down(self.min_cosine), rounded_down(self.p1_cosine)
        return Parity(self.runtime, self.against, len(self.cosines), *figures)


@dataclass(frozen=True)
class NotCompared:
    """A variant that gave nothing on a runtime, and why. `excused`: the runtime is one that no device needs."""

    variant: str
    runtime: str
    reason: str
    excused: bool


@dataclass(frozen=True, eq=False)
class Suite:
    """What the suite found: `checks` of the bundle as a whole, `agreements`, and what could not be compared."""

    agreements: tuple[Agreement, ...]
    not_compared: tuple[NotCompared, ...] = ()
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()

    def missed(self) -> list[str]:
        """Everything that is not as it should be, a line each."""
        lines = [f"{check.name}: {check.detail}" for check in self.checks if not check.passed]
        lines += [f"{item.variant} on {item.runtime}: {item.reason}" for item in self.not_compared if not item.excused]
        return lines + [
            f"{item.variant} on {item.runtime} against {item.against}: {item.missed}" for item in self.agreements if item.missed
        ]

    def failure(self) -> GateError | None:
        """The first that is not as it should be, and the number of others; None where all is well."""
        lines = self.missed()
        if not lines:
            return None
        return GateError(lines[0] + (f" (and {len(lines) - 1} more, see above)" if len(lines) > 1 else ""))

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "agreements": [item.describe() for item in self.agreements],
            "not_compared": [asdict(item) for item in self.not_compared],
            "checks": [asdict(item) for item in self.checks],
            "notes": list(self.notes),
            "missed": self.missed(),
        }

    def stated(self, sha256: Mapping[str, str]) -> dict[str, tuple[Parity, ...]]:
        """What a manifest may state of each variant, by the `sha256` of its .tflite, which is given by its name: agreement with
        other runtimes and with torch."""
        rows: dict[str, list[Parity]] = {digest: [] for digest in sha256.values()}
        for item in self.agreements:
            if item.against not in (GOLDEN, REFERENCE):
                rows[sha256[item.variant]].append(item.stated())
        return {digest: tuple(found) for digest, found in rows.items() if found}


def subjects(bundle: Bundle, names: Sequence[str], images: Images, torch: Mapping[str, Torch]) -> tuple[Subject, ...]:
    """The variants `names` of a bundle on `images` uint8 `[N, H, W, 3]` RGB and its golden crops.

    Errors: BundleError, PackedError where a variant cannot be rebuilt.
    """
    manifest = bundle.manifest
    crops = [read_image(bytes(bundle.blob(face.crop)), face.crop) for image in manifest.golden.images for face in image.faces]
    pixels = np.concatenate([images, np.stack(crops)]) if crops else images
    inputs: dict[TensorSpec, npt.NDArray[Any]] = {}
    made = []
    for name in names:
        variant = bundle.variant(name)
        taken = TensorSpec("input", variant.input.dtype, variant.input.shape, variant.input.quantization)
        if taken not in inputs:
            inputs[taken] = tensors(pixels, manifest.preprocessing.input, taken)
        golden = np.frombuffer(bundle.blob(variant.golden), "<f4").reshape(len(crops), -1).astype(np.float64)
        golden = golden / np.maximum(np.linalg.norm(golden, axis=1, keepdims=True), 1e-12)
        subject = Subject(name, bundle.model(name), inputs[taken], golden, variant.golden_min_cosine, torch.get(name))
        made.append(subject)
    return tuple(made)


def tensors(images: Images, contract: InputContract, spec: TensorSpec | None = None) -> npt.NDArray[Any]:
    """The input tensors `[N, H, W, 3]` of images uint8 `[N, H, W, 3]` RGB."""
    table = input_table(contract, spec)
    return np.stack([to_tensor(image, contract, table) for image in images])


def on_host(bundle: Bundle, found: Sequence[Subject], kept: KeptBytes, progress: Progress) -> Suite:
    """The whole suite on this machine: the bundle's self-test, each variant's structure and missed gates, and every runtime."""
    place = machines.this_machine()
    results = machines.run([place], [Job(item.name, item.tflite, item.inputs) for item in found], kept, progress)
    checks = [check for check in selftest(bundle) if not check.name.startswith("embed ") or check.name.split()[1] in _names(found)]
    # What LiteRT could not run is said so already, and is not to be opened in this process.
    checks += [_runs_everywhere(item) for item in found if isinstance(results.get((place.name, LITERT.name, item.name)), Ran)]
    checks += [Check(f"gates of {name}", False, why) for name in _names(found) for why in bundle.variant(name).missed_gates]
    suite = compare([place], place, found, results)
    return Suite(suite.agreements, suite.not_compared, tuple(checks), suite.notes)


def on_arm64(found: Sequence[Subject], kept: KeptBytes, progress: Progress) -> Suite:
    """Every variant on arm64 processors, against the same runtime here. Error: SetupError where nothing is set up."""
    places, here = machines.arm64_machines(), machines.this_machine()
    every = places if here in places else (*places, here)
    results = machines.run(every, [Job(item.name, item.tflite, item.inputs) for item in found], kept, progress)
    return compare(places, here, found, results)


def compare(places: Sequence[Machine], here: Machine, found: Sequence[Subject], results: Results) -> Suite:
    """Every variant on `places` against what it must agree with."""
    agreements: list[Agreement] = []
    not_compared, notes = [], []
    reference = next((results.get((here.name, LITERT.name, item.name)) for item in found if item.name == REFERENCE), None)
    for place in places:
        notes += [f"{runtime.name}: not installed for {place.name}" for runtime in RUNTIMES if runtime.name not in place.versions]
        for runtime in RUNTIMES:
            for item in found if runtime.name in place.versions else ():
                ran = results[place.name, runtime.name, item.name]
                if isinstance(ran, Failed):
                    not_compared.append(NotCompared(item.name, place.label(runtime), ran.reason, runtime is not LITERT))
                    continue
                other = LITERT if place == here else runtime
                there = results.get((here.name, other.name, item.name))
                if place != here and here.versions.get(runtime.name) != place.versions[runtime.name]:
                    notes.append(f"{runtime.name}: {here.versions.get(runtime.name, 'none')} on {here.name}: nothing to compare with")
                elif isinstance(there, Failed):
                    not_compared.append(NotCompared(item.name, here.label(other), there.reason, other is not LITERT))
                elif there is not None and there is not ran:
                    agreements.append(_against_runtime(item, place.label(runtime), ran, here.label(other), there))
                agreements += _against_stored(item, place.label(runtime), ran, reference)
    return Suite(tuple(agreements), tuple(not_compared), notes=tuple(dict.fromkeys(notes)))


def _against_runtime(item: Subject, label: str, ran: Ran, other: str, there: Ran) -> Agreement:
    """Against the same file on another runtime or machine, by the tolerance of its arithmetic."""
    bound = tolerance(item.tflite, bool(ran.whole and there.whole))
    max_abs, cosines = figures(ran.rows, there.rows)
    missed = _missed(bound, max_abs, cosines, differ=not np.array_equal(ran.outputs, there.outputs))
    return Agreement(item.name, label, other, max_abs, cosines, _said(bound), missed)


def _against_stored(item: Subject, label: str, ran: Ran, reference: Ran | Failed | None) -> Iterator[Agreement]:
    """Against torch, or where its weights are not at hand against fp32 on LiteRT; and against the bundle's golden embeddings."""
    faces = len(ran.rows) - len(item.golden)
    if item.torch is not None:
        agreement = Agreement(item.name, label, _torch_label(), *figures(ran.rows[:faces], item.torch.rows), f"{_gate(item.torch.gate)}")
        missed = host.missed(agreement, item.torch.gate)
        yield Agreement(item.name, label, agreement.against, agreement.max_abs, agreement.cosines, agreement.bound, missed)
    elif isinstance(reference, Ran) and item.name != REFERENCE:
        yield Agreement(item.name, label, REFERENCE, *figures(ran.rows[:faces], reference.rows[:faces]))
    if len(item.golden):
        max_abs, cosines = figures(ran.rows[faces:], item.golden)
        least, bound = float(cosines.min()), item.golden_min_cosine
        missed = None if least >= bound else f"least cosine {least:.6f}, the manifest asks for {bound:g}"
        yield Agreement(item.name, label, GOLDEN, max_abs, cosines, f"cosine >= {bound:g}", missed)


def figures(rows: Floats, other: Floats) -> tuple[float, Floats]:
    """(largest difference of a component, cosine of each row) of two `[N, D]` of length 1."""
    return float(np.abs(rows - other).max()), (rows * other).sum(1)


def _missed(bound: Tolerance, max_abs: float, cosines: Floats, differ: bool) -> str | None:
    if bound.max_abs == 0 and differ:
        return f"expected the same bits ({bound.why}), got a largest difference of {max_abs:.2g}"
    if bound.max_abs is not None and max_abs > bound.max_abs:
        return f"largest difference {max_abs:.2g}, expected at most {bound.max_abs:.2g} ({bound.why})"
    if bound.min_cosine is not None and cosines.min() < bound.min_cosine:
        return f"least cosine {cosines.min():.5f}, expected at least {bound.min_cosine:g} ({bound.why})"
    return None


def _said(bound: Tolerance) -> str:
    if bound.max_abs == 0:
        return "the same bits"
    return f"max abs <= {bound.max_abs:.2g}" if bound.max_abs is not None else f"cosine >= {bound.min_cosine:g}"


def _gate(gate: Gate) -> str:
    """A gate's bounds as text."""
    parts = [f"{name.replace('_', ' ')} {value}" for name, value in vars(gate).items() if value is not None]
    return ", ".join(parts) or "no gate"


def _torch_label() -> str:
    import torch

    return f"torch {torch.__version__.partition('+')[0]}"


def _runs_everywhere(item: Subject) -> Check:
    """Whether a phone can run the file, and fast: see `host.check_runs_everywhere`."""
    try:
        host.check_runs_everywhere(item.name, item.tflite)
    except GateError as error:
        return Check(f"structure of {item.name}", False, str(error))
    return Check(f"structure of {item.name}", True, "data inline, XNNPACK runs it whole")


def _names(found: Sequence[Subject]) -> list[str]:
    return [item.name for item in found]
