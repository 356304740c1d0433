"""One variant at a time: its stages, its .tflite, what the bundle stores of it, and its parity. All of it is kept by content,
so that a second build does only what changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import toolchain
from toolchain.convert.level import Level
from toolchain.convert.route import Onnx2Tf
from toolchain.convert.tie import tie
from toolchain.errors import GateError
from toolchain.evaluation import face_terms
from toolchain.evaluation.accuracies import Accuracies
from toolchain.kept import Kept, KeptBytes, key_of
from toolchain.machine import conversion_versions, machine
from toolchain.model import Model
from toolchain.pack.packed import pack
from toolchain.pack.prefixes import cut
from toolchain.parity import host
from toolchain.recipe import Variant
from toolchain.stage import Context, Stage, describe

_MAKERS = ("convert/*.py", "compress/*.py", "encodings/*.py", "pack/*.py")
_JUDGES = ("parity/host.py", "convert/flatbuffer.py")
Images = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Made:
    """A finished variant: the model after its stages, the .tflite that runs, what the bundle stores, and its agreement with
    torch on each runtime."""

    variant: Variant
    model: Model
    tflite: bytes
    stored: bytes
    parity: tuple[host.Parity | host.NotRun, ...]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.tflite).hexdigest()


@dataclass(frozen=True)
class Workshop:
    """Makes variants. `images` uint8 `[N, H, W, 3]`: the faces that parity is measured on."""

    context: Context
    kept: Kept
    files: KeptBytes
    converter: Onnx2Tf
    images: Images

    def staged(self, variant: Variant, model: Model) -> Model | Stage:
        """`model` after the variant's stages; or the first stage that has neither images to train on nor a kept result."""
        for stage in variant.stages:
            if stage.needs_faces and self.context.faces is None and self.kept.find(stage, model, self.context) is None:
                return stage
            model = self.kept.apply(stage, model, self.context)
        return model

    def make(self, variant: Variant, model: Model, start: Model) -> Made:
        """Converts `model`, which is `start` gone through the variant's stages, packs it where the variant is packed, and compares
        it with torch.

        Errors: ConversionError; GateError where LiteRT cannot run the result whole. The variant's own gate is not judged here.
        """
        tflite = self.convert(variant, model)
        if isinstance(variant, Level):
            stored = cut(tflite, self.convert(variant.whole, start))
        else:
            stored = self.packed(model, tflite) if variant.packed else tflite
        return Made(variant, model, tflite, stored, self.compared(variant, model, tflite))

    def convert(self, variant: Variant, model: Model) -> bytes:
        """The .tflite of `model`."""
        settings = {name: value for name, value in describe(variant).items() if name not in ("stages", "gate", "face_gate")}
        # A rule of Int8 chooses by the training faces, which the model need not show: ranges that come with the package are of others.
        faces = None if self.context.faces is None else self.context.faces.fingerprint()
        made_from = {"variant": settings, "model": model.fingerprint(), "faces": faces, "versions": conversion_versions()}
        key = key_of(made="tflite", **made_from, source=_source(_MAKERS))

        def convert() -> bytes:
            self._say(variant, "converting")
            return variant.convert(model, self.converter, self.context)

        return self.files.get(key, convert)

    def packed(self, model: Model, tflite: bytes) -> bytes:
        """The packed form of `tflite`."""
        key = key_of(made="packed", tflite=hashlib.sha256(tflite).hexdigest(), model=model.fingerprint(), source=_source(_MAKERS))
        return self.files.get(key, lambda: pack(tflite, tie(model, tflite)))

    def compared(self, variant: Variant, model: Model, tflite: bytes) -> tuple[host.Parity | host.NotRun, ...]:
        """Agreement with torch on each runtime of this machine."""
        key = key_of(
            made="parity",
            tflite=hashlib.sha256(tflite).hexdigest(),
            model=model.fingerprint(),
            images=hashlib.sha256(np.ascontiguousarray(self.images).tobytes()).hexdigest(),
            runtimes={runtime.name: runtime.version() for runtime in host.RUNTIMES},
            machine=machine(),
            source=_source(_JUDGES),
        )

        def compare() -> bytes:
            self._say(variant, "comparing with torch")
            host.check_runs_everywhere(variant.name, tflite)
            return json.dumps([_plain(result) for result in host.compare(model, tflite, self.images)]).encode()

        return tuple(_result(item) for item in json.loads(self.files.get(key, compare)))

    def _say(self, variant: Variant, what: str) -> None:
        self.context.progress.say(f"{variant.name}: {what}")


def figures(result: host.Parity | host.NotRun) -> dict[str, Any]:
    """A comparison's figures as JSON values."""
    if isinstance(result, host.NotRun):
        return asdict(result)
    return {
        "runtime": result.runtime,
        "version": result.version,
        "faces": result.faces,
        "max_abs": result.max_abs,
        "min_cosine": result.min_cosine,
        "p1_cosine": result.p1_cosine,
        "partitions": result.partitions,
        "ms": result.milliseconds,
    }


def judge(made: Iterable[Made], allowed: Sequence[str] = (), measured: Accuracies | None = None) -> dict[str, tuple[str, ...]]:
    """The gates that each variant missed, by its name: those of its agreement with torch, and, where it was `measured`, of what it
    keeps of fp32. Error: GateError for the first variant that missed one and is not `allowed` to."""
    missed = {item.variant.name: missed_gates(item, measured or {}) for item in made}
    for name, reasons in missed.items():
        if reasons and name not in allowed:
            raise GateError(f"{name} {'; '.join(reasons)}; {host.ADVICE}, or leave it in, marked, by --allow {name}")
    return {name: reasons for name, reasons in missed.items() if reasons}


def missed_gates(made: Made, measured: Accuracies) -> tuple[str, ...]:
    """The gates that a variant missed, each as what was found and what was asked for."""
    gate = made.variant.gate
    parity = [(result.runtime, host.missed(result, gate)) for result in made.parity if isinstance(result, host.Parity)]
    reasons = [f"on {runtime}: {why}" for runtime, why in parity if why is not None]
    terms = measured[made.sha256].face_terms if made.sha256 in measured else ()
    verdicts = [face_terms.judge(made.variant.face_gate, row) for row in terms]
    return (*reasons, *(verdict.reason for verdict in verdicts if verdict.missed))


def not_judged(made: Iterable[Made], measured: Accuracies) -> tuple[str, ...]:
    """Of each variant whose figures in face terms were not enough for its gate, a line that says so."""
    lines = []
    for item in made:
        terms = measured[item.sha256].face_terms if item.sha256 in measured else ()
        verdicts = [face_terms.judge(item.variant.face_gate, row) for row in terms]
        if verdicts and not any(verdict.judged for verdict in verdicts):
            lines.append(f"{item.variant.name}: gate in face terms {verdicts[0].reason}")
    return tuple(lines)


def _plain(result: host.Parity | host.NotRun) -> dict[str, Any]:
    values = asdict(result)
    if isinstance(result, host.Parity):
        values["cosines"] = result.cosines.tolist()
    return values


def _result(values: dict[str, Any]) -> host.Parity | host.NotRun:
    if "reason" in values:
        return host.NotRun(**values)
    return host.Parity(**{**values, "cosines": np.array(values["cosines"], np.float64)})


def _source(patterns: tuple[str, ...]) -> str:
    """sha256 over the source files that a kept result comes from: a change of any makes it anew."""
    root = Path(toolchain.__file__).parent
    digest = hashlib.sha256((root.parent / "runtime_py" / "packed.py").read_bytes())
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()
