"""A whole report of a bundle whose nets are random and whose runtimes are real: curves over drawn faces, cosines by face, layers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime_py.bundle import Bundle
from runtime_py.manifest import Accuracy, FaceTerms, KeptTar, Parity
from toolchain.data import synthetic
from toolchain.data.faces import Faces
from toolchain.evaluation.evaluate import of_bundle as embeddings_of
from toolchain.machine import installed_versions, machine
from toolchain.progress import Progress
from toolchain.report import curves
from toolchain.report.report import Report, of_bundle
from toolchain.sensitivity.sensitivity import Damage, FormDamage, Sensitivity

QUIET = Progress(quiet=True)


@pytest.fixture(scope="session")
def drawn() -> Faces:
    """Six drawn people, four images each."""
    return synthetic.faces(6, 4)


@pytest.fixture(scope="session")
def bare(face_bundle: Path) -> Report:
    """What the bundle says of itself and nothing more."""
    return of_bundle(Bundle.open(face_bundle), machine(), installed_versions())


@pytest.fixture(scope="session")
def full(face_bundle: Path, bare: Report, drawn: Faces) -> Report:
    """Everything that a report can show. What no build was run for (cosines to torch, accuracy on LFW, face terms, layers) has
    values of this file's own, since it is how they are shown that is tested here."""
    bundle = Bundle.open(face_bundle)
    rows = dict(embeddings_of(bundle, "all", drawn, QUIET))
    accuracy = Accuracy("lfw-pairs, 10 folds of 300 + 300 pairs, cosine, no flip: accuracy", "1" * 64, 0.981, 0.007)
    terms = FaceTerms(
        "all pairs", "2" * 64, 24, 6, (KeptTar(1e-2, 0.9, 0.95, 0.9, 1.0),), 0.9, 0.95, 0.1, 0.08, 1e-2, 0.01, 0.9, 0.95, 0.99
    )
    arm64 = Parity("ai-edge-litert 2.3.0 on arm64 cortex-a53", "torch 2.13.0", 32, 1e-6, 0.9876, 0.9912)
    variants = tuple(
        replace(
            item,
            arm64=(arm64,),
            resident=5_000_000,
            cosines=tuple(np.einsum("nd,nd->n", rows[item.name], rows["float"], dtype=np.float64).tolist()),
            accuracy=(accuracy,),
            face_terms=(terms,) if item.name != "float" else (),
            missed_gates=("kept 90 % of fp32's TAR at FAR 1e-3, the gate asks for 98 %",) if item.name == "int8" else (),
        )
        for item in bare.variants
    )
    return replace(
        bare,
        variants=variants,
        parity_faces=drawn.names,
        not_run=("arm64: not run",),
        left_out={"binary": "Binarize needs face images"},
        seconds={"writing": 0.5},
        curves=curves.measure(bundle, drawn, None, QUIET),
        sensitivity=Sensitivity(
            24, True, None, tuple(FormDamage(form, _damages(scale)) for form, scale in (("6-bit", 1e-3), ("binary", 1.0)))
        ),
    )


def _damages(scale: float) -> tuple[Damage, ...]:
    return tuple(Damage(f"blocks.{number}.conv", 100 + number, scale / (number + 1)) for number in range(20))
