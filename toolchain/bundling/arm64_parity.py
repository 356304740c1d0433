"""What a build says of its variants on arm64: what is recorded of the same bytes, or what it measures itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolchain.bundling.variants import Made
from toolchain.kept import KeptBytes
from toolchain.parity import arm64_record, suite
from toolchain.parity.arm64_record import Recorded
from toolchain.parity.arm64_setup import HOW
from toolchain.parity.host import reference_embeddings
from toolchain.parity.suite import LEAST_FACES, Images, Subject, Torch, tensors
from toolchain.progress import Progress


def figures(made: Sequence[Made], images: Images, anew: bool, kept: KeptBytes, progress: Progress) -> tuple[Recorded, tuple[str, ...]]:
    """(figures by the sha256 of the .tflite, a line about what was not checked): measured where `anew` is set, else recorded."""
    return (measured(made, images, kept, progress), ()) if anew else recorded(made)


def recorded(made: Sequence[Made]) -> tuple[Recorded, tuple[str, ...]]:
    """(figures that come with the package and were measured on these very bytes, by sha256; a line about the variants that have
    none, and how to get them)."""
    known = arm64_record.shipped()
    lacking = ", ".join(item.variant.name for item in made if item.sha256 not in known)
    found = {item.sha256: known[item.sha256] for item in made if item.sha256 in known}
    return found, (f"{lacking}: not checked on arm64: no record of these bytes; {HOW}, then build with --arm64",) if lacking else ()


def measured(made: Sequence[Made], images: Images, kept: KeptBytes, progress: Progress) -> Recorded:
    """Figures of these variants on arm64, on evenly spaced ones of `images` uint8 `[N, H, W, 3]` RGB, against torch and against the
    same runtimes here. Errors: SetupError where nothing is set up; GateError where one is not as it should be."""
    faces = images[np.linspace(0, len(images) - 1, LEAST_FACES).astype(np.int64)]
    found = []
    for item in made:
        torch = Torch(reference_embeddings(item.model, faces), item.variant.gate)
        no_golden = np.zeros((0, torch.rows.shape[1]))
        found.append(Subject(item.variant.name, item.tflite, tensors(faces, item.model.input), no_golden, 1.0, torch))
    done = suite.on_arm64(found, kept, progress)
    failure = done.failure()
    if failure is not None:
        raise failure
    return done.stated({item.variant.name: item.sha256 for item in made})
