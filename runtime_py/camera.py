"""Pictures from a camera, or from a video file in its place, by OpenCV (`pip install 'pocketface[camera]'`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from runtime_py.errors import SourceError
from runtime_py.image import Pixels
from runtime_py.opencv import opencv

MOST_CAMERAS = 9999
"""OpenCV takes numbers of 32 bits, the hundreds of which name a way to reach cameras."""


@contextmanager
def camera(source: int | str) -> Iterator[Iterator[Pixels]]:
    """Opens camera number `source`, or the video file of that name, and yields its pictures `[H, W, 3]` uint8 RGB, in order, until it
    has no more. Errors: RuntimeMissingError without OpenCV; SourceError where there is no such camera or file."""
    cv2 = opencv()
    if isinstance(source, str) and not os.path.isfile(source):
        raise SourceError(f"{source}: expected the number of a camera, or a video file, found no file there that can be read")
    if isinstance(source, int) and not 0 <= source <= MOST_CAMERAS:
        raise SourceError(f"camera {source}: expected a number from 0 to {MOST_CAMERAS}")
    cv2.setLogLevel(0)  # its warnings would stand beside the one line of ours
    capture = cv2.VideoCapture(source)
    try:
        if not capture.isOpened():
            what = f"camera {source}" if isinstance(source, int) else source
            raise SourceError(f"{what}: cannot be opened; see that it is connected and that no other program uses it")
        yield _pictures(capture)
    finally:
        capture.release()


def _pictures(capture: Any) -> Iterator[Pixels]:
    while True:
        there, picture = capture.read()
        if not there:
            return
        yield np.ascontiguousarray(picture[:, :, ::-1])
