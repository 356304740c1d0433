"""The parity suite on the tests' own bundle, here and on arm64; and that it sees what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime_py.bundle import Bundle
from tests.conftest import Built
from toolchain.cli import main
from toolchain.convert import flatbuffer
from toolchain.data import synthetic
from toolchain.errors import SetupError
from toolchain.kept import KeptBytes
from toolchain.parity import machines, suite
from toolchain.parity.host import RUNTIMES
from toolchain.progress import Progress

QUIET = Progress(quiet=True)


@pytest.fixture(scope="module")
def kept(built: Built) -> KeptBytes:
    return KeptBytes(built.cache / "bytes")


@pytest.fixture(scope="module")
def subjects(built: Built) -> tuple[suite.Subject, ...]:
    """Every variant, on 4 drawn faces and the golden ones: agreement on each face is what is claimed, not a percentile."""
    bundle = Bundle.open(built.bundle)
    return suite.subjects(bundle, bundle.variants, synthetic.faces(2, 2, 112, 112).images, {})


def changed(subject: suite.Subject) -> suite.Subject:
    """The same with the signs of half the weights of its last layer turned round."""
    model = flatbuffer.read(subject.tflite)
    last = [operator for kind, operator in flatbuffer.operations(model) if kind in ("CONV_2D", "FULLY_CONNECTED")][-1]
    tensor = model.subgraphs[0].tensors[last.inputs[1]]
    weights = flatbuffer.constant(model, tensor).copy()
    weights[: len(weights) // 2] *= -1
    model.buffers[tensor.buffer].data = weights.reshape(-1).view(np.uint8)
    return replace(subject, tflite=flatbuffer.write(model))


def test_the_suite_passes_on_every_variant_and_runtime(built: Built, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parity", str(built.bundle), "--cache", str(built.cache), "--quiet", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    names = set(Bundle.open(built.bundle).variants)
    assert found["missed"] == [] and all(item["passed"] for item in found["checks"])
    for runtime in RUNTIMES:
        seen = {item["variant"] for item in found["agreements"] if item["runtime"].startswith(runtime.name)}
        assert seen == (names if runtime.version() is not None else set())
    assert {item["faces"] for item in found["agreements"] if item["against"] == "fp32"} == {64}


def test_a_variant_that_computes_something_else_is_seen(built: Built, subjects: tuple[suite.Subject, ...], kept: KeptBytes) -> None:
    fp32 = next(item for item in subjects if item.name == "fp32")
    found = suite.on_host(Bundle.open(built.bundle), [changed(fp32)], kept, QUIET)
    assert any("least cosine" in line and "the manifest asks for" in line for line in found.missed())
    failure = found.failure()
    assert failure is not None and failure.exit_code == 4


def test_a_file_that_no_runtime_takes_is_a_result_and_stops_no_other(subjects: tuple[suite.Subject, ...], kept: KeptBytes) -> None:
    fp32 = next(item for item in subjects if item.name == "fp32")
    place = machines.this_machine()
    # Its tables point past its end: the runtime's own check of the flatbuffer refuses it.
    jobs = [machines.Job("cut", fp32.tflite[:600], fp32.inputs), machines.Job("fp32", fp32.tflite, fp32.inputs)]
    found = machines.run([place], jobs, kept, QUIET)
    for runtime in [runtime for runtime in RUNTIMES if runtime.name in place.versions]:
        cut, whole = found[place.name, runtime.name, "cut"], found[place.name, runtime.name, "fp32"]
        assert isinstance(cut, machines.Failed) and cut.reason
        assert isinstance(whole, machines.Ran) and np.allclose(np.linalg.norm(whole.rows, axis=1), 1)


def test_a_variant_that_no_runtime_takes_is_named_as_missed(face_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(face_bundle)
    (subject,) = suite.subjects(bundle, ["float"], synthetic.faces(1, 2, 112, 112).images, {})
    found = suite.on_host(bundle, [replace(subject, tflite=subject.tflite[:600])], KeptBytes(tmp_path), QUIET)
    assert found.agreements == () and any(line.startswith(f"float on {RUNTIMES[0].name}") for line in found.missed())


def test_arm64_computes_what_this_machine_does(subjects: tuple[suite.Subject, ...], kept: KeptBytes) -> None:
    """Each bound is derived in toolchain/parity/tolerance.py from the arithmetic of the variant."""
    try:
        places = machines.arm64_machines()
    except SetupError as error:
        pytest.skip(str(error))
    found = suite.on_arm64(subjects, kept, QUIET)
    assert found.missed() == []
    seen = {(item.variant, item.runtime) for item in found.agreements}
    assert seen >= {(item.name, place.label(runtime)) for item in subjects for place in places for runtime in RUNTIMES}


def test_arm64_sees_a_variant_that_computes_something_else(subjects: tuple[suite.Subject, ...], kept: KeptBytes) -> None:
    try:
        places, here = machines.arm64_machines()[:1], machines.this_machine()
    except SetupError as error:
        pytest.skip(str(error))
    int8 = next(item for item in subjects if item.name == "int8")
    jobs = {name: machines.Job(int8.name, item.tflite, int8.inputs) for name, item in (("there", changed(int8)), ("here", int8))}
    results = {**machines.run(places, [jobs["there"]], kept, QUIET), **machines.run([here], [jobs["here"]], kept, QUIET)}
    missed = suite.compare(places, here, [int8], results).missed()
    assert any("expected the same bits" in line for line in missed)


def test_images_of_another_size_or_too_few_are_refused(built: Built, tmp_path_factory: pytest.TempPathFactory) -> None:
    from PIL import Image

    small, few = tmp_path_factory.mktemp("small"), tmp_path_factory.mktemp("few")
    for folder, size, count in ((small, 96, 40), (few, 112, 31)):
        (folder / "someone").mkdir()
        for number in range(count):
            Image.new("RGB", (size, size)).save(folder / "someone" / f"{number:02d}.png")
        assert main(["parity", str(built.bundle), "--images", str(folder), "--cache", str(built.cache), "--quiet"]) == 2
