"""The Java SDK's own tests, run by Maven on the desktop's JVM with the real TFLite, on what the Python runtime computes and refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from tests.android.goldens import write_goldens
from tests.android.people import read_phone
from tests.android.refused import write_refused
from tests.conftest import Built
from tests.face_bundle import write_face_bundle
from tests.runtime_py.changed import with_manifest

ANDROID = Path(__file__).parents[2] / "android_demo"


@pytest.fixture()
def maven() -> str:
    """The command; the test is left out where it or a Java compiler is missing."""
    command = shutil.which("mvn")
    if command is None or shutil.which("javac") is None:
        pytest.skip("left out: the Java SDK's tests, since Maven or a JDK is missing (apt-get install maven openjdk-17-jdk-headless)")
    return command


def test_the_java_sdk_computes_and_refuses_what_the_python_runtime_does(
    maven: str, built: Built, built_levels: Built, bundle_bytes: bytes, tmp_path: Path
) -> None:
    """Of every variant of the tests' bundle, of one with levels, of one with int8 ends, and of one with another contract: boxes, key
    points, crops, tensors, embeddings, what the self-test says. And some 3,000 damaged files."""
    faces, other, goldens, project = tmp_path / "faces.pface", tmp_path / "other.pface", tmp_path / "goldens", tmp_path / "project"
    write_face_bundle(faces)
    other.write_bytes(with_manifest(faces.read_bytes(), _another_contract))
    write_goldens(goldens, [faces, other, built.bundle, built_levels.bundle])
    counts = write_refused(goldens / "refused.zip", bundle_bytes)
    # Every code that a file's content can have; "bundle.read" and "bundle.variant" come from names.
    assert {key.split("/")[1] for key in counts} == {
        "accepted",
        *(f"bundle.{what}" for what in ("container", "hash", "version", "manifest", "model")),
        *(f"packed.{what}" for what in ("format", "version", "limit", "stream", "hash")),
    }
    shutil.copytree(ANDROID, project, ignore=shutil.ignore_patterns("target"))  # what Maven writes stays out of the checkout
    command = [maven, "-B", "-q", "-f", str(project), "-pl", "sdk", "test", f"-Dpocketface.goldens={goldens}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-4000:]
    tests = project / "sdk" / "src" / "test" / "java"
    classes = {".".join(path.relative_to(tests).with_suffix("").parts) for path in tests.rglob("*Test.java")}
    assert ran(project / "sdk") == classes
    stated = json.loads((goldens / "people" / "people.json").read_text())
    assert read_phone(goldens) == stated["people"], "people go to the phone and come back as they were"


def _another_contract(manifest: dict[str, Any]) -> None:
    """Other colours, another range and another template than the models were made for, which the self-test must tell."""
    manifest["preprocessing"]["input"].update(color="bgr", scale=1 / 255, offset=0.0)
    manifest["preprocessing"]["templates"][0]["points"][0]["x"] += 2


def ran(module: Path) -> set[str]:
    """Names of the test classes that surefire's reports say ran, each with one test or more, none failed, none skipped."""
    classes = set()
    for report in (module / "target" / "surefire-reports").glob("TEST-*.xml"):
        suite = ElementTree.parse(report).getroot()
        assert int(suite.attrib["tests"]) > 0
        assert [suite.attrib[count] for count in ("failures", "errors", "skipped")] == ["0", "0", "0"], suite.attrib["name"]
        classes.add(suite.attrib["name"])
    return classes
