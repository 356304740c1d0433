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
│   ├── AlignmentError          face.alignment    key points that no crop can be aligned on
│   ├── SeveralFacesError       face.several      more than one where one is to be enrolled
│   └── FaceQualityError        face.quality      a picture that is not good enough to enrol from
├── RuntimeMissingError         runtime.missing   no TFLite runtime is installed
├── ModelRunError               runtime.model     the TFLite runtime refused a model, or its tensors are not those stated
├── BudgetError                 budget            no level of a net is fast enough here
├── EmbeddingError              embedding         not finite, of length zero, or of another size
├── ThresholdError              threshold         not a similarity, or none is known for what was asked
└── GalleryError                gallery           a gallery that cannot be used, or a change to it that makes no sense
    ├── GalleryReadError        gallery.read      the file cannot be read
    ├── GalleryWriteError       gallery.write     the change was not made: the file is as before
    ├── GalleryFormatError      gallery.format    not a gallery, or a damaged one
    ├── GalleryVersionError     gallery.version   written by a later release
    ├── GalleryLimitError       gallery.limit     more than a file of people, or this machine's memory, holds
    ├── GalleryKeyError         gallery.key       the means to seal or open an export are missing
    ├── GalleryAuthenticationError  gallery.authentication  an export was changed, or sealed with another passphrase
    ├── GalleryClosedError      gallery.closed    it was closed before
    ├── GalleryPersonError      gallery.person    nobody of that name
    ├── GalleryDuplicateError   gallery.duplicate somebody of that name is there already
    ├── GalleryNameError        gallery.name      not a name: empty, too long, or with characters that no name has
    ├── GalleryModelError       gallery.model     templates of another model
    ├── GalleryDimensionError   gallery.dimension a template of another size than its model's
    ├── GalleryVectorError      gallery.vector    a template with NaN or infinity, or none at all
    └── GalleryNormalisationError  gallery.normalisation  a template whose length is not 1

Every message is one line: what was expected, what came, where, and what to do.
"""

from __future__ import annotations

from typing import ClassVar


class PocketFaceError(Exception):
    """Base of every error that the runtime raises on purpose. The codes, in the tree above, mean the
    same in the Java SDK."""

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


class SeveralFacesError(FaceError):
    """More faces than the one that is to be enrolled."""

    code = "face.several"


class FaceQualityError(FaceError):
    """A picture that is not good enough to enrol from."""

    code = "face.quality"


class RuntimeMissingError(PocketFaceError):
    """No TFLite runtime is installed."""

    code = "runtime.missing"


class ModelRunError(PocketFaceError):
    """The TFLite runtime refused a model, or its tensors are not those that were stated."""

    code = "runtime.model"


class BudgetError(PocketFaceError):
    """A time that no level of a net embeds a face in on this machine, or that is none."""

    code = "budget"


class EmbeddingError(PocketFaceError):
    """An embedding that is not finite, of length zero, or of another size than the one that it is compared with."""

    code = "embedding"


class ThresholdError(PocketFaceError):
    """A threshold that is no similarity, or none is known for what was asked."""

    code = "threshold"


class GalleryError(PocketFaceError):
    """A gallery that cannot be used, or a change to it that makes no sense."""

    code = "gallery"


class GalleryReadError(GalleryError):
    """The file is there and cannot be read."""

    code = "gallery.read"


class GalleryWriteError(GalleryError):
    """The change was not made, and the file is as it was before."""

    code = "gallery.write"


class GalleryFormatError(GalleryError):
    """Not a gallery, or a damaged one."""

    code = "gallery.format"


class GalleryVersionError(GalleryError):
    """A gallery that a later release wrote."""

    code = "gallery.version"


class GalleryLimitError(GalleryError):
    """More people than one file of exported people holds, or more memory than this machine has."""

    code = "gallery.limit"


class GalleryKeyError(GalleryError):
    """What an export is sealed or opened with is missing."""

    code = "gallery.key"


class GalleryAuthenticationError(GalleryError):
    """What is sealed is not what was written, or it was sealed with another passphrase."""

    code = "gallery.authentication"


class GalleryClosedError(GalleryError):
    """The gallery was closed before."""

    code = "gallery.closed"


class GalleryPersonError(GalleryError):
    """Nobody of that id or name is enrolled."""

    code = "gallery.person"


class GalleryDuplicateError(GalleryError):
    """Somebody of that name is enrolled already."""

    code = "gallery.duplicate"


class GalleryNameError(GalleryError):
    """Not a name: empty, too long, or with characters that no name has. Or metadata that are no text."""

    code = "gallery.name"


class GalleryModelError(GalleryError):
    """Templates of another model, which are not to be compared."""

    code = "gallery.model"


class GalleryDimensionError(GalleryError):
    """A template of another size than its model's."""

    code = "gallery.dimension"


class GalleryVectorError(GalleryError):
    """A template with NaN or infinity, or no template at all."""

    code = "gallery.vector"


class GalleryNormalisationError(GalleryError):
    """A template whose length is not 1."""

    code = "gallery.normalisation"
