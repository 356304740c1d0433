"""YuNet by OpenCV (`cv2.FaceDetectorYN`) in place of the bundle's detector: `pip install 'pocketface[camera]'` and a model file of one's
own, such as face_detection_yunet of OpenCV's model zoo.

W. Wu, H. Peng, S. Yu, YuNet: A Tiny Millisecond-level Face Detector, Machine Intelligence Research 20, 2023.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from runtime_py import manifest
from runtime_py.errors import AlignmentError, ModelRunError, SourceError
from runtime_py.image import Pixels, check_photograph
from runtime_py.landmarks import face_at
from runtime_py.opencv import opencv
from runtime_py.recognizer import Face

MIN_SCORE = 0.6
MIN_OVERLAP = 0.3
"""Boxes that overlap by more are one face: OpenCV's default."""
MOST_PIXELS = 640
"""A larger picture is scaled to this longer side first: the model finds faces of about 10 to 300 pixels."""


class YuNet:
    """A finder of faces as `Identifier` takes one. May be shared between threads."""

    def __init__(self, model: str | os.PathLike[str], preprocessing: manifest.Preprocessing, min_score: float = MIN_SCORE) -> None:
        """`model`: an ONNX file that cv2.FaceDetectorYN reads; `preprocessing`: the bundle's, whose template faces are aligned to.

        Errors: RuntimeMissingError without OpenCV; SourceError, ModelRunError for what is no such file.
        """
        self._cv2, self._path, self._preprocessing, self._min_score = opencv(), Path(model), preprocessing, min_score
        self._of_thread = threading.local()
        if not os.path.isfile(self._path):
            raise SourceError(f"{self._path}: expected a YuNet model (.onnx), found no file there that can be read")
        self._detector()

    def faces(self, photograph: Pixels) -> tuple[Face, ...]:
        """The faces of `photograph` `[H, W, 3]` uint8 RGB, largest first; none is no error here. Error: ModelRunError."""
        pixels = check_photograph(photograph)
        height, width = pixels.shape[:2]
        scale = min(1.0, MOST_PIXELS / max(height, width))
        size = max(1, round(scale * width)), max(1, round(scale * height))
        fitted = self._cv2.resize(pixels, size, interpolation=self._cv2.INTER_AREA) if scale < 1 else pixels
        detector = self._detector()
        try:
            detector.setInputSize(size)
            rows = detector.detect(np.ascontiguousarray(fitted[:, :, ::-1]))[1]
        except self._cv2.error as error:
            raise ModelRunError(f"{self._path}: OpenCV failed: {' '.join(str(error).split())}") from None
        # From the fitted picture's pixels to the photograph's, both counted from the centre of the first.
        factors = np.array([width / size[0], height / size[1]])
        faces = [self._face(pixels, np.asarray(row, np.float64), factors) for row in (() if rows is None else rows)]
        found = [face for face in faces if face is not None]
        return tuple(sorted(found, key=lambda face: (-face.detection.area, -face.detection.score, face.detection.box)))

    def _face(self, photograph: Pixels, row: np.ndarray, factors: np.ndarray) -> Face | None:
        """`row`: left, top, width, height, five landmarks, score. None for landmarks that no crop can be aligned on."""
        corners = (row[[0, 1]], row[[0, 1]] + row[[2, 3]])
        (left, top), (right, bottom) = (((corner + 0.5) * factors - 0.5).tolist() for corner in corners)
        landmarks = (row[4:14].reshape(5, 2) + 0.5) * factors - 0.5
        try:
            return face_at(photograph, landmarks, self._preprocessing, (left, top, right, bottom), float(row[14]))
        except AlignmentError:
            return None

    def _detector(self) -> Any:
        """One a thread: the size of its input is a state of its own."""
        made = getattr(self._of_thread, "detector", None)
        if made is None:
            try:
                made = self._cv2.FaceDetectorYN.create(str(self._path), "", (320, 320), self._min_score, MIN_OVERLAP)
            except self._cv2.error as error:
                reason = " ".join(str(error).split())[:200]
                raise ModelRunError(f"{self._path}: expected a model that cv2.FaceDetectorYN reads, got another file ({reason})") from None
            self._of_thread.detector = made
        return made
