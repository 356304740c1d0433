"""The APK's own arm64-v8a library runs every model of the bundle and gives the golden vectors.

The library is made for Android's C library. A small stand-in for that (toolchain.android.bionic) lets it run in an ordinary
process for arm64, under qemu. What is around it, preprocessing and decoding, is runtime_py's. It says nothing about speed.
"""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime_py.bundle import Bundle
from runtime_py.detector import Detector
from runtime_py.embedder import Embedder
from runtime_py.image import Pixels, read_image
from runtime_py.interpreter import Interpreter, shape_of
from toolchain.android import tools
from toolchain.android.bionic.build import PROGRAMS, Runner, build
from toolchain.android.code import LIBRARIES
from toolchain.android.proofs import Proof
from toolchain.errors import PackagingError

NAME = "arm64"
_LIBRARY = f"lib/arm64-v8a/{LIBRARIES[0]}"


def prove(apk: Path, bundle: Bundle, work: Path) -> Proof:
    """Every variant and the detector. Error: PackagingError where a model does not run or misses its golden vectors."""
    absent = tools.missing(PROGRAMS)
    if absent:
        packages = " ".join(dict.fromkeys(tools.DEBIAN_PACKAGES[program] for program in absent))
        return Proof(NAME, False, f"needs {', '.join(absent)}; apt-get install {packages}")
    folder = work / NAME
    folder.mkdir()
    library = folder / LIBRARIES[0]
    with zipfile.ZipFile(apk) as opened:
        library.write_bytes(opened.read(_LIBRARY))
    runner = build(library, folder)
    faces = [face for image in bundle.manifest.golden.images for face in image.faces]
    crops = [read_image(bytes(bundle.blob(face.crop)), face.crop) for face in faces]
    found = [_variant(bundle, name, crops, runner) for name in bundle.variants]
    if bundle.manifest.detector is not None:
        found.append(_detector(bundle, runner))
    return Proof(NAME, True, "; ".join(found))


class EmulatedInterpreter(Interpreter):
    """runtime_py's interpreter, whose models run with an Android library in a process of its own."""

    def __init__(self, tflite: bytes, where: str, runner: Runner) -> None:
        """What the tensors are is asked of the TFLite runtime here. Errors: as Interpreter."""
        super().__init__(tflite, where)
        self._what = where
        model = runner.folder / "model.tflite"
        model.write_bytes(tflite)
        self._process = subprocess.Popen(runner.command(model), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, tensor: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """As Interpreter.run. Error: PackagingError where the process ended."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(tensor).tobytes())
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it ended, and reading says so
        outputs = []
        for details in self.outputs:
            shape, dtype = shape_of(details), np.dtype(details["dtype"])
            data = self._process.stdout.read(int(np.prod(shape)) * dtype.itemsize)
            if len(data) != int(np.prod(shape)) * dtype.itemsize:
                raise PackagingError(f"{self._what}: the APK's arm64 library under qemu gave no result: {self._reason()}")
            outputs.append(np.frombuffer(data, dtype).reshape(shape))
        return outputs

    def _reason(self) -> str:
        assert self._process.stderr is not None
        said = self._process.stderr.read().decode(errors="replace").split("\n")
        telling = [line for line in said if "error" in line] or [line for line in said if line] or ["nothing was said"]
        return f"{telling[0][:200]} (exit {self._process.wait()})"

    def __enter__(self) -> EmulatedInterpreter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # Closes its input, at which it ends.
        self._process.communicate()


def _variant(bundle: Bundle, name: str, crops: list[Pixels], runner: Runner) -> str:
    """The golden embeddings by cosine, and this machine's for comparison."""
    variant, tflite = bundle.variant(name), bundle.model(name)
    embedder = Embedder(variant, bundle.manifest.preprocessing.input, tflite)
    here = np.array([embedder.embed(crop) for crop in crops])
    with EmulatedInterpreter(tflite, f"variant {name}", runner) as interpreter:
        embedder.interpreter = interpreter
        seen = np.array([embedder.embed(crop) for crop in crops], np.float64)
    stated = np.frombuffer(bundle.blob(variant.golden), "<f4").reshape(len(crops), -1).astype(np.float64)
    # Stored components are rounded, so their lengths are not quite 1.
    least = float(((stated * seen).sum(axis=1) / np.linalg.norm(stated, axis=1)).min(initial=1.0))
    if not least >= variant.golden_min_cosine:
        raise PackagingError(
            f"variant {name}: expected the APK's arm64 library to give the golden embeddings within a cosine of "
            f"{variant.golden_min_cosine:g}, got {least:.6f}"
        )
    away = float(np.abs(seen - here).max(initial=0.0))
    return f"{name} cosine {least:.6f}, {'equal to' if away == 0 else f'within {away:.1g} of'} this machine's"


def _detector(bundle: Bundle, runner: Runner) -> str:
    """Boxes and key points of the golden photographs, in pixels."""
    settings, golden = bundle.manifest.detector, bundle.manifest.golden
    assert settings is not None
    tflite = bytes(bundle.blob(settings.file))
    detector = Detector(settings, tflite)
    away = 0.0
    with EmulatedInterpreter(tflite, "detector", runner) as interpreter:
        detector.interpreter = interpreter
        for image in golden.images:
            found = detector.find(read_image(bytes(bundle.blob(image.image)), image.image))
            if len(found) != len(image.faces):
                raise PackagingError(f"{image.image}: expected the APK's arm64 library to find {len(image.faces)} faces, got {len(found)}")
            for face, detection in zip(image.faces, found, strict=True):
                stated = np.concatenate([np.reshape(face.box, (2, 2)), np.array(face.key_points)])
                seen = np.concatenate([np.reshape(detection.box, (2, 2)), detection.key_points])
                away = max(away, float(np.abs(stated - seen).max()))
    if not away <= golden.pixel_tolerance:
        raise PackagingError(
            f"detector: expected the APK's arm64 library to give points within {golden.pixel_tolerance:g} pixels, got {away:.3f}"
        )
    return f"detector within {away:.3f} pixels"
