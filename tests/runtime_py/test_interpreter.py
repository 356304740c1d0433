from __future__ import annotations

import numpy as np
import pytest

from runtime_py import interpreter
from runtime_py.detector import Detector
from runtime_py.errors import ModelRunError, RuntimeMissingError
from runtime_py.interpreter import Interpreter
from toolchain.data.synthetic import Identity, View, photograph
from toolchain.detector import SETTINGS, packaged_detector

LITERT, TFLITE_RUNTIME = interpreter._RUNTIMES


def test_litert_is_preferred_and_named() -> None:
    name, version, _ = interpreter.runtime()
    assert name == "ai-edge-litert" and version[0].isdigit()


def test_tflite_runtime_stands_in_and_finds_the_same_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tflite_runtime.interpreter")
    picture = photograph(Identity.draw(1, 0), View.draw(1, 0, 0, 0.4), 256, 256).image
    (expected,) = Detector(SETTINGS, packaged_detector().tflite).find(picture)
    monkeypatch.setattr(interpreter, "_RUNTIMES", (("absent", "no_such_module"), TFLITE_RUNTIME))
    other = Detector(SETTINGS, packaged_detector().tflite)
    assert other.interpreter.runtime == "tflite-runtime"
    (face,) = other.find(picture)
    # float32 sums taken in another order: about 1e-5 of 256 pixels; the golden vectors allow 0.1.
    assert np.abs(face.key_points - expected.key_points).max() < 0.01


def test_no_runtime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_RUNTIMES", (("absent", "no_such_module"),))
    with pytest.raises(RuntimeMissingError, match="pip install ai-edge-litert"):
        Interpreter(packaged_detector().tflite, "detector")


def test_a_tensor_of_another_shape_is_an_error_that_names_the_model() -> None:
    made = Interpreter(packaged_detector().tflite, "detector x")
    with pytest.raises(ModelRunError, match="^detector x: ai-edge-litert .* failed"):
        made.run(np.zeros((1, 128, 128, 3), np.float32))
    with pytest.raises(ModelRunError, match="expected an output 'boxes', got regressors, classificators"):
        made.output("boxes")
