"""The Android SDK on the JVM and runtime_py are timed in turns, step by step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.face_bundle import write_face_bundle
from toolchain.android import jvm_bench
from toolchain.android.jvm_bench import benchmark
from toolchain.errors import DataError, PackagingError
from toolchain.progress import Progress

QUIET = Progress(quiet=True)


def test_every_step_is_timed_on_both_sides(programs: None, face_bundle: Path) -> None:
    done = benchmark(face_bundle, None, 1, 1, QUIET, warm_seconds=0.05)
    assert [step.step for step in done.steps] == ["yuv", "detect", "align", "embed", "match"]
    assert "TensorFlow Lite" in done.jvm_runtime and done.python_runtime
    yuv, *others = done.steps
    assert yuv.jvm_ms > 0 and yuv.python_ms is None and yuv.ratio is None, "runtime_py has no camera"
    for step in others:
        assert step.python_ms is not None and step.ratio == step.jvm_ms / step.python_ms, "of one round"


def test_a_side_that_ends_is_said_in_one_line(programs: None, face_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jvm_bench, "TEMPLATES", 0)  # which leaves the JVM without a probe
    with pytest.raises(PackagingError, match=r"^benchmark: the JVM ended with 1: [^\n]+$"):
        benchmark(face_bundle, None, 1, 1, QUIET, warm_seconds=0.05)


def test_a_bundle_without_a_detector_is_refused(tmp_path: Path) -> None:
    write_face_bundle(tmp_path / "face.pface", detector=False)
    with pytest.raises(DataError, match="expected a bundle with a detector"):
        benchmark(tmp_path / "face.pface", None, 1, 1, QUIET)


def test_without_java_it_says_what_to_install(face_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackagingError, match="apt-get install openjdk"):
        benchmark(face_bundle, None, 1, 1, QUIET)
