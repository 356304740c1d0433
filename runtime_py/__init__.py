"""Loads a bundle, finds and aligns faces, embeds and matches them. Needs numpy, Pillow and a TFLite runtime.

import runtime_py

recognizer = runtime_py.load("face.pface")
for face in recognizer.faces("holiday.jpg"):
    print(face.detection.box, recognizer.embed(face))
print(recognizer.verify("a.jpg", "b.jpg", fmr=1e-3).same)
"""

from runtime_py.bundle import Bundle
from runtime_py.detector import Detection
from runtime_py.errors import PocketFaceError
from runtime_py.image import read_image
from runtime_py.matching import Verification, similarity
from runtime_py.recognizer import Face, Recognizer, load

__all__ = ["Bundle", "Detection", "Face", "PocketFaceError", "Recognizer", "Verification", "load", "read_image", "similarity"]
