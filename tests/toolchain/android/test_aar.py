"""The SDK as an Android library."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import toolchain
from toolchain.android.aar import build_aar
from toolchain.android.artefacts import JSON, TFLITE
from toolchain.progress import Progress

POM = "{http://maven.apache.org/POM/4.0.0}"


def test_the_library_holds_the_sdk_and_the_native_libraries_and_names_the_rest(programs: None, tmp_path: Path) -> None:
    report = build_aar(tmp_path / "repository", tmp_path / "cache", Progress(quiet=True))
    version = toolchain.__version__
    folder = tmp_path / "repository/org/pocketface/pocketface-sdk" / version
    assert sorted(path.name for path in folder.iterdir()) == [f"pocketface-sdk-{version}.{kind}" for kind in ("aar", "pom")]
    with zipfile.ZipFile(report.aar) as aar:
        assert sorted(name for name in aar.namelist() if not name.startswith("META-INF/")) == [
            "AndroidManifest.xml",
            "R.txt",
            "classes.jar",
            *(f"jni/{abi}/{name}.so" for abi in ("arm64-v8a", "x86_64") for name in ("libjnijavacpp", "libjnitensorflowlite")),
            "proguard.txt",
        ]
        assert b"uses-permission" not in aar.read("AndroidManifest.xml")
        with zipfile.ZipFile(io.BytesIO(aar.read("classes.jar"))) as classes:
            names = classes.namelist()
    assert "org/pocketface/sdk/Recognizer.class" in names and len(names) == report.classes
    assert all(name.startswith("org/pocketface/sdk/") for name in names)
    pom = ElementTree.parse(folder / f"pocketface-sdk-{version}.pom").getroot()
    assert pom.findtext(f"{POM}packaging") == "aar"
    needed = [(item.findtext(f"{POM}artifactId"), item.findtext(f"{POM}version")) for item in pom.iter(f"{POM}dependency")]
    assert needed == [(TFLITE.name, TFLITE.version), (JSON.name, JSON.version)]
    assert [proof.name for proof in report.proofs] == ["api-level"]
