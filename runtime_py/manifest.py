"""What a bundle's manifest holds, as frozen dataclasses: the only home of its schema.

`runtime_py.typed_json` reads a manifest against the annotations here, and `manifest.schema.json` is made from them.
What each field means is said here and, for readers in other languages, in docs/bundle-format.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from runtime_py import typed_json
from runtime_py.errors import BundleManifestError, BundleVersionError
from runtime_py.figures import PATH as PATH
from runtime_py.figures import Accuracy as Accuracy
from runtime_py.figures import Bytes as Bytes
from runtime_py.figures import Cosine as Cosine
from runtime_py.figures import Count as Count
from runtime_py.figures import FaceTerms as FaceTerms
from runtime_py.figures import KeptTar as KeptTar
from runtime_py.figures import Name as Name
from runtime_py.figures import Parity as Parity
from runtime_py.figures import Path as Path
from runtime_py.figures import Sha256 as Sha256
from runtime_py.figures import Share as Share
from runtime_py.figures import Size as Size
from runtime_py.figures import Threshold as Threshold
from runtime_py.figures import UnsupportedThreshold as UnsupportedThreshold
from runtime_py.levels import CrossLevel as CrossLevel
from runtime_py.levels import CrossRate as CrossRate
from runtime_py.levels import Level as Level
from runtime_py.levels import LevelSet as LevelSet
from runtime_py.levels import check_levels
from runtime_py.typed_json import Bounds, Items, Pattern, TypedJsonError

SCHEMA_MAJOR, SCHEMA_MINOR = 1, 1
"""Another major version is refused. A later minor version may only add fields that a reader need not know, so that they
are skipped there; in this version and earlier ones an unknown field is an error."""

Role = Literal["model", "packed-model", "detector", "golden-image", "golden-crop", "golden-embeddings", "model-card", "licence"]


@dataclass(frozen=True)
class InputContract:
    """What a model takes: an image of `height` x `width` pixels in the order `color`, where each tensor value is
    pixel * scale + offset of an 8-bit pixel (0 to 255).

    `scale` is never zero. For a variant with integer input this is still the real-valued range; its own `input`
    quantization says how reals become integers.
    """

    height: Size = 112
    width: Size = 112
    color: Literal["rgb", "bgr"] = "rgb"
    scale: float = 2.0 / 255.0
    offset: float = -1.0

    def __post_init__(self) -> None:
        if self.scale == 0:
            raise ValueError("scale: expected any number but 0, got 0")

    @classmethod
    def parse(cls, text: str, height: int = 112, width: int = 112) -> InputContract:
        """The contract that `"rgb,0..255"`, `"rgb,-1..1"` or `"bgr,0..1"` states: colour order, then the real values of
        pixel 0 and of pixel 255. Raises ValueError with the reason for any other text."""
        match = re.fullmatch(r"(rgb|bgr),(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)", text.strip().lower())
        if match is None:
            raise ValueError(f"input contract: expected COLOUR,LOW..HIGH such as rgb,0..255 or bgr,-1..1, got {text!r}")
        low, high = float(match[2]), float(match[3])
        if low >= high:
            raise ValueError(f"input contract: expected LOW below HIGH, got {text!r}")
        color: Literal["rgb", "bgr"] = "rgb" if match[1] == "rgb" else "bgr"
        return cls(height, width, color, (high - low) / 255.0, low)


@dataclass(frozen=True)
class TemplatePoint:
    """Where key point `name` lies in an aligned crop: pixels, the centre of the upper left pixel is (0, 0)."""

    name: Name
    x: float
    y: float


@dataclass(frozen=True)
class Template:
    """The points that alignment maps a face's key points to, by the similarity transform of least squares (Umeyama,
    IEEE PAMI 13(4), 1991, equations 40-42)."""

    name: Name
    points: Annotated[tuple[TemplatePoint, ...], Items(2)]


@dataclass(frozen=True)
class Preprocessing:
    """From an aligned crop to the input tensor, and from a photograph to an aligned crop.

    `resampling` names the one resampler of `runtime_py.resample`: area reduction by whole factors, then bilinear.
    """

    input: InputContract
    layout: Literal["nhwc"]
    dtype: Literal["float32"]
    resampling: Literal["area-bilinear"]
    templates: Annotated[tuple[Template, ...], Items(1)]


@dataclass(frozen=True)
class Embedding:
    """`size` numbers, L2-normalised after the net, compared by their dot product."""

    size: Size
    metric: Literal["cosine"]
    normalisation: Literal["l2"]


@dataclass(frozen=True)
class Quantization:
    """real = scale * (integer - zero_point)."""

    scale: Annotated[float, Bounds(0)]
    zero_point: Annotated[int, Bounds(-128, 255)]

    def __post_init__(self) -> None:
        if self.scale == 0:
            raise ValueError("scale: expected a number above 0, got 0")


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a .tflite as it is in the file. `quantization` is there exactly for integer dtypes."""

    name: str
    dtype: Literal["float32", "int8", "uint8"]
    shape: Annotated[tuple[Annotated[int, Bounds(1, 2**31 - 1)], ...], Items(1)]
    quantization: Quantization | None = None

    def __post_init__(self) -> None:
        if (self.dtype == "float32") != (self.quantization is None):
            raise ValueError(f"quantization: expected for int8 and uint8 and only there, got dtype {self.dtype} and {self.quantization}")


@dataclass(frozen=True)
class Variant:
    """One form of the model. `sha256` and `size` are those of the .tflite that runs: of the blob itself, or, where `packed`,
    of what it is rebuilt to.

    `golden` is a blob of float32, little-endian, `[faces, embedding size]`: the L2-normalised embedding of each golden
    face in the manifest's order. A runtime is right where each cosine with it is at least `golden_min_cosine`. `missed_gates`
    says which gates it missed, where its maker allowed it in all the same.
    """

    name: Name
    file: Path
    packed: bool
    sha256: Sha256
    size: Count
    input: TensorSpec
    output: TensorSpec
    bytes: Bytes
    golden: Path
    golden_min_cosine: Cosine
    parity: tuple[Parity, ...]
    accuracy: tuple[Accuracy, ...]
    thresholds: tuple[Threshold, ...] = ()
    thresholds_left_out: tuple[UnsupportedThreshold, ...] = ()
    face_terms: tuple[FaceTerms, ...] = ()
    missed_gates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Anchors:
    """SSD anchors in the order of the model's outputs: for each stride, row by row and column by column of the map of
    input / stride cells, `per_cell` anchors of size 1 centred at (column + offset, row + offset) * stride pixels."""

    strides: Annotated[tuple[Size, ...], Items(1)]
    per_cell: Annotated[tuple[Size, ...], Items(1)]
    offset: float

    def __post_init__(self) -> None:
        if len(self.strides) != len(self.per_cell):
            raise ValueError(f"per_cell: expected one number a stride, got {len(self.per_cell)} for {len(self.strides)}")


@dataclass(frozen=True)
class Detector:
    """A BlazeFace face detector (Bazarevsky et al., arXiv:1907.05047).

    The photograph is fitted into `input` by a letterbox (aspect ratio kept, centred, black around). Output `boxes`
    `[1, anchors, 4 + 2 * key points]`: centre x, y, width, height, then x, y of each of `key_points`, in input pixels
    relative to the anchor's centre. Output `scores` `[1, anchors, 1]`: logits, clipped to +-`score_limit`. Faces below
    `min_score` go; the rest are merged by weighted non-maximum suppression at intersection over union `min_overlap`.
    Left and right are the photograph's sides, not the person's. `template` names the template that its points align to.
    """

    name: Name
    file: Path
    source: str
    licence: str
    input: InputContract
    fit: Literal["letterbox"]
    boxes: str
    scores: str
    anchors: Anchors
    key_points: Annotated[tuple[Name, ...], Items(2)]
    score_limit: Annotated[float, Bounds(0)]
    min_score: Share
    min_overlap: Share
    suppression: Literal["weighted"]
    template: Name


@dataclass(frozen=True)
class GoldenFace:
    """A face that the detector must find in a golden image: `box` (left, top, right, bottom) and the key points (x, y) in
    the detector's order, in pixels of the image; the crop aligned on these key points as PNG; sha256 of the float32
    little-endian NHWC input tensor that the crop becomes."""

    box: tuple[float, float, float, float]
    score: Share
    key_points: tuple[tuple[float, float], ...]
    crop: Path
    tensor_sha256: Sha256


@dataclass(frozen=True)
class GoldenImage:
    """A drawn photograph as PNG and its faces, largest first."""

    image: Path
    faces: tuple[GoldenFace, ...]


@dataclass(frozen=True)
class Golden:
    """What a right runtime gives. Detected points may differ by `pixel_tolerance` pixels, crops by `crop_tolerance` grey
    levels; the tensor of a stored crop is exact."""

    images: Annotated[tuple[GoldenImage, ...], Items(1)]
    pixel_tolerance: Annotated[float, Bounds(0)]
    crop_tolerance: Annotated[int, Bounds(0, 255)]

    def __post_init__(self) -> None:
        if not any(image.faces for image in self.images):
            raise ValueError("images: expected a face at least, got none")


@dataclass(frozen=True)
class Target:
    """Where the bundle is to run, and the least version of each thing that it needs there, by name."""

    name: Name
    minimum: Mapping[str, str]


@dataclass(frozen=True)
class RecipeRecord:
    """How the model came to be: the recipe's own description, the seed, exact package versions, the weights it started
    from."""

    name: str
    seed: Annotated[int, Bounds(0, 2**53 - 1)]
    weights_sha256: Sha256
    packages: Mapping[str, str]
    description: Mapping[str, Any]


@dataclass(frozen=True)
class Licence:
    """`spdx` is an SPDX expression or a LicenseRef; `covers` says what in the bundle; `terms` what a user must know."""

    covers: str
    spdx: str
    terms: str


@dataclass(frozen=True)
class DataSource:
    """Data that had a part in the model: `use` says which."""

    name: str
    use: Literal["training", "distillation", "calibration", "evaluation", "pretrained-weights"]
    licence: str
    sha256: Sha256 | None = None


@dataclass(frozen=True)
class File:
    """A blob of the bundle."""

    path: Path
    role: Role
    size: Count
    sha256: Sha256


@dataclass(frozen=True)
class Manifest:
    """The whole manifest. Every blob is in `files`, in the order of their paths."""

    schema: Annotated[str, Pattern("1[.](0|[1-9][0-9]{0,3})")]
    name: str
    target: Target
    preprocessing: Preprocessing
    embedding: Embedding
    default_variant: Name
    variants: Annotated[tuple[Variant, ...], Items(1)]
    detector: Detector | None
    golden: Golden
    recipe: RecipeRecord
    licences: Annotated[tuple[Licence, ...], Items(1)]
    data: tuple[DataSource, ...]
    files: Annotated[tuple[File, ...], Items(1)]
    levels: tuple[LevelSet, ...] = ()

    def __post_init__(self) -> None:
        paths = [file.path for file in self.files]
        if paths != sorted(set(paths)) or "manifest.json" in paths:
            raise ValueError("files: expected each blob once, in the order of their paths, without manifest.json")
        names = [variant.name for variant in self.variants]
        if len(set(names)) != len(names) or self.default_variant not in names:
            raise ValueError(
                f"variants: expected distinct names, {self.default_variant!r} (default_variant) among them, got {', '.join(names)}"
            )
        self._check_roles({file.path: file for file in self.files})
        self._check_templates()
        check_levels(self.levels, {variant.name: variant.packed for variant in self.variants})

    def levels_of(self, variant: str) -> LevelSet | None:
        """The levels that `variant` is one of; None where it is none."""
        return next((found for found in self.levels if found.level_of(variant) is not None), None)

    def _check_roles(self, files: Mapping[str, File]) -> None:
        """Every path that the manifest uses is a blob of the right role, and sizes agree."""
        uses: list[tuple[str, str]] = []
        for variant in self.variants:
            uses += [(variant.file, "packed-model" if variant.packed else "model"), (variant.golden, "golden-embeddings")]
        for image in self.golden.images:
            uses.append((image.image, "golden-image"))
            uses += [(face.crop, "golden-crop") for face in image.faces]
            self._check_key_points(image)
        if self.detector is not None:
            uses.append((self.detector.file, "detector"))
        for path, role in uses:
            if path not in files or files[path].role != role:
                raise ValueError(f"files: expected {path} with role {role}, got {files[path].role if path in files else 'no such file'}")
        faces = sum(len(image.faces) for image in self.golden.images)
        for variant in self.variants:
            self._check_sizes(variant, files, 4 * faces * self.embedding.size)

    def _check_key_points(self, image: GoldenImage) -> None:
        names = None if self.detector is None else self.detector.key_points
        for face in image.faces:
            if names is not None and len(face.key_points) != len(names):
                raise ValueError(
                    f"golden: expected {len(names)} key points of {face.crop}, as the detector has, got {len(face.key_points)}"
                )

    def _check_sizes(self, variant: Variant, files: Mapping[str, File], golden_bytes: int) -> None:
        stored = files[variant.file]
        where = f"variant {variant.name}"
        if (variant.bytes.stored, variant.bytes.raw) != (stored.size, variant.size):
            raise ValueError(
                f"{where}: expected bytes stored {stored.size} and raw {variant.size}, got {variant.bytes.stored} and {variant.bytes.raw}"
            )
        if not variant.packed and (variant.size, variant.sha256) != (stored.size, stored.sha256):
            raise ValueError(f"{where}: expected the size and sha256 of {variant.file}, since it is not packed")
        if files[variant.golden].size != golden_bytes:
            raise ValueError(f"{where}: expected {golden_bytes} bytes of golden embeddings, got {files[variant.golden].size}")
        height, width = self.preprocessing.input.height, self.preprocessing.input.width
        if variant.input.shape != (1, height, width, 3) or variant.output.shape != (1, self.embedding.size):
            raise ValueError(
                f"{where}: expected input [1, {height}, {width}, 3] and output [1, {self.embedding.size}], "
                f"got {list(variant.input.shape)} and {list(variant.output.shape)}"
            )

    def _check_templates(self) -> None:
        templates = {template.name: template for template in self.preprocessing.templates}
        if len(templates) != len(self.preprocessing.templates):
            raise ValueError("preprocessing.templates: expected distinct names")
        if self.detector is None:
            return
        if self.detector.template not in templates:
            raise ValueError(f"detector.template: expected one of {', '.join(templates)}, got {self.detector.template}")
        missing = {point.name for point in templates[self.detector.template].points} - set(self.detector.key_points)
        if missing:
            raise ValueError(
                f"detector.key_points: expected the points of template {self.detector.template}, got none named {sorted(missing)[0]}"
            )


def read_manifest(text: bytes, where: str) -> Manifest:
    """A manifest from its JSON. Errors: BundleVersionError for another major version, BundleManifestError otherwise."""
    try:
        value = typed_json.parse(text)
        version = value.get("schema") if isinstance(value, dict) else None
        match = re.fullmatch(r"([1-9][0-9]{0,3}|0)[.]([1-9][0-9]{0,3}|0)", version) if isinstance(version, str) else None
        if match is None:
            raise TypedJsonError(f"manifest.schema: expected a version such as 1.0, got {typed_json.shown(version)}")
        if int(match[1]) != SCHEMA_MAJOR:
            raise BundleVersionError(
                f"{where}: expected manifest schema {SCHEMA_MAJOR}.x, got {version}; use a release of the runtime that reads it"
            )
        return typed_json.read(Manifest, value, "manifest", ignore_unknown=int(match[2]) > SCHEMA_MINOR)
    except TypedJsonError as error:
        raise BundleManifestError(f"{where}: {error}; build the bundle again") from None
