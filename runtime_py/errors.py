"""The one error tree of the runtime.

PocketFaceError                 whatever went wrong on purpose; `code` is stable across languages and releases
├── BundleError                 a .pface file that cannot be used
│   ├── BundleReadError         bundle.read       the file is missing or cannot be read
│   ├── BundleContainerError    bundle.container  not a bundle, or its container differs from the one form allowed
│   ├── BundleHashError         bundle.hash       the bytes differ from those that were written
│   ├── BundleVersionError      bundle.version    written in a schema that this release does not know
│   ├── BundleManifestError     bundle.manifest   the manifest breaks its schema
│   ├── BundleModelError        bundle.model      a blob that should be a .tflite is not one
│   └── BundleVariantError      bundle.variant    no variant or file of that name
├── PackedError                 a packed variant that cannot be rebuilt
│   ├── PackedFormatError       packed.format     not the packed form, or a field out of its bounds
│   ├── PackedVersionError      packed.version    a version of the packed form that this release does not know
│   ├── PackedLimitError        packed.limit      it would grow past a stated limit
│   ├── PackedStreamError       packed.stream     a compressed stream is damaged, too short or too long
│   └── PackedHashError         packed.hash       what was rebuilt is not what was packed
├── SourceError                 source            a path of images is missing, empty or damaged; an output cannot be written
├── ImageError                  an image that cannot be used
│   ├── ImageFormatError        image.format      not an image, or of a kind that is not read
│   ├── ImageTruncatedError     image.truncated   it ends too early, or its data are damaged
│   ├── ImageSizeError          image.size        more pixels or bytes than are read
│   ├── ImageModeError          image.mode        pixels that have no stated meaning as colours
│   └── ImageArrayError         image.array       an array of another shape or dtype than images have
├── FaceError                   a photograph's faces cannot be had
│   ├── NoFaceError             face.none         the detector found none
│   ├── NoDetectorError         face.detector     the bundle has no detector
│   └── AlignmentError          face.alignment    key points that no crop can be aligned on
├── RuntimeMissingError         runtime.missing   no TFLite runtime is installed
├── ModelRunError               runtime.model     the TFLite runtime refused a model, or its tensors are not those stated
├── EmbeddingError              embedding         not finite, of length zero, or of another size
└── ThresholdError              threshold         not a similarity, or none is known for what was asked

Every message is one line: what was expected, what came, where, and what to do.
"""

from __future__ import annotations

from typing import ClassVar


class PocketFaceError(Exception):
    """Base of every error that the runtime raises on purpose. The codes are documented in docs/bundle-format.md and
    are the same in the Java SDK."""

    code: ClassVar[str] = "pocketface"


class BundleError(PocketFaceError):
    """A .pface file that cannot be used."""

    code = "bundle"


class BundleReadError(BundleError):
    """The file is missing, is no file, or cannot be read."""

    code = "bundle.read"


class BundleContainerError(BundleError):
    """Not a bundle, or its zip structure is not the one form that is allowed."""

    code = "bundle.container"


class BundleHashError(BundleError):
    """The whole file, or one blob in it, is not what was written."""

    code = "bundle.hash"


class BundleVersionError(BundleError):
    """The manifest is of a schema version that this release does not know."""

    code = "bundle.version"


class BundleManifestError(BundleError):
    """The manifest breaks its schema."""

    code = "bundle.manifest"


class BundleModelError(BundleError):
    """A blob that should be a .tflite does not have a .tflite's structure."""

    code = "bundle.model"


class BundleVariantError(BundleError):
    """The bundle has no variant or file of the name that was asked for."""

    code = "bundle.variant"


class PackedError(PocketFaceError):
    """A packed variant that cannot be rebuilt."""

    code = "packed"


class PackedFormatError(PackedError):
    """Not the packed form, or a field of it is out of its bounds."""

    code = "packed.format"


class PackedVersionError(PackedError):
    """A version of the packed form that this release does not know."""

    code = "packed.version"


class PackedLimitError(PackedError):
    """Rebuilding would take more memory than a stated limit."""

    code = "packed.limit"


class PackedStreamError(PackedError):
    """A compressed stream is damaged, too short or too long."""

    code = "packed.stream"


class PackedHashError(PackedError):
    """What was rebuilt is not what was packed."""

    code = "packed.hash"


class SourceError(PocketFaceError):
    """A file, folder or archive of images that is missing, empty or damaged, or an output that cannot be written."""

    code = "source"


class ImageError(PocketFaceError):
    """An image that cannot be used."""

    code = "image"


class ImageFormatError(ImageError):
    """Not an image, or of a kind that is not read."""

    code = "image.format"


class ImageTruncatedError(ImageError):
    """The image ends too early, or its data are damaged."""

    code = "image.truncated"


class ImageSizeError(ImageError):
    """More pixels or bytes than are read."""

    code = "image.size"


class ImageModeError(ImageError):
    """Pixels that have no stated meaning as colours."""

    code = "image.mode"


class ImageArrayError(ImageError):
    """An array of another shape or dtype than images have."""

    code = "image.array"


class FaceError(PocketFaceError):
    """A photograph's faces cannot be had."""

    code = "face"


class NoFaceError(FaceError):
    """The detector found no face."""

    code = "face.none"


class NoDetectorError(FaceError):
    """The bundle has no detector."""

    code = "face.detector"


class AlignmentError(FaceError):
    """Key points that no crop can be aligned on."""

    code = "face.alignment"


class RuntimeMissingError(PocketFaceError):
    """No TFLite runtime is installed."""

    code = "runtime.missing"


class ModelRunError(PocketFaceError):
    """The TFLite runtime refused a model, or its tensors are not those that were stated."""

    code = "runtime.model"


class EmbeddingError(PocketFaceError):
    """An embedding that is not finite, of length zero, or of another size than the one that it is compared with."""

    code = "embedding"


class ThresholdError(PocketFaceError):
    """A threshold that is no similarity, or none is known for what was asked."""

    code = "threshold"
