"""Images as RGB pixels: reads files of the usual kinds, and says what is wrong with the others.

Every image becomes `[H, W, 3]` uint8 RGB, upright: EXIF orientation is applied. What is transparent is laid over white, as a
viewer would show it. 16-bit grey is scaled by 255 / 65535. Colour profiles are not applied: values are taken as sRGB. Of an
animation or several pages the first is read.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from runtime_py.errors import (
    ImageArrayError,
    ImageError,
    ImageFormatError,
    ImageModeError,
    ImageSizeError,
    ImageTruncatedError,
    SourceError,
)

Pixels = npt.NDArray[np.uint8]

MAX_BYTES = 2**28
MAX_PIXELS = 2**27
"""134 million: 400 MB as RGB, and about 1.6 GB while it is read (12 bytes a pixel), 3.4 GB where it has
transparency (25). The few phone cameras that give more (200 million) give smaller pictures as well."""
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Pillow's names of what is read. JPEG covers MPO, which phones write with a second picture in it. No format that runs another
program (EPS) is among them."""

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_EXPECTED = "expected an image (JPEG, PNG, WebP, BMP, GIF, TIFF, PPM)"
# What Pillow's decoders raise on damaged files, beside OSError.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error, OverflowError)


def read_image(source: str | os.PathLike[str] | bytes | memoryview | Image.Image, name: str | None = None) -> Pixels:
    """`[H, W, 3]` uint8 RGB of a file, of an encoded image's bytes, or of a Pillow image.

    `name` stands for bytes and Pillow images in messages. Errors: SourceError where a file cannot be read; ImageError's
    subclasses where it is no image that can be used.
    """
    if isinstance(source, Image.Image):
        return _to_rgb(source, name or "image")
    if isinstance(source, bytes | memoryview):
        return _decode(bytes(source), name or "image")
    return _decode(read_bytes(Path(source)), name or str(source))


def read_bytes(path: Path) -> bytes:
    """The bytes of an image file. Errors: SourceError where it is missing or no file; ImageSizeError past MAX_BYTES."""
    try:
        if not path.is_file():
            what = "a folder" if path.is_dir() else "something that is no file" if path.exists() else "no such file"
            raise SourceError(f"{path}: {_EXPECTED}, got {what}")
        if path.stat().st_size > MAX_BYTES:
            raise ImageSizeError(f"{path}: expected an image file of at most {MAX_BYTES} bytes, got {path.stat().st_size}")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        raise SourceError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def check_photograph(array: npt.NDArray[np.generic]) -> Pixels:
    """`array` itself, where it is `[H, W, 3]` uint8 with H and W of 1 or more. Error: ImageArrayError."""
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise ImageArrayError(f"photograph: expected a uint8 RGB array [H, W, 3], got {describe_array(array)}; convert it with read_image")
    return array.view(np.uint8)


def describe_array(array: object) -> str:
    """dtype and shape, for messages."""
    if isinstance(array, np.ndarray):
        return f"{array.dtype} {list(array.shape)}"
    return type(array).__name__


def _decode(data: bytes, name: str) -> Pixels:
    if len(data) > MAX_BYTES:
        raise ImageSizeError(f"{name}: expected an image file of at most {MAX_BYTES} bytes, got {len(data)}")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageSizeError(f"{name}: expected at most {MAX_PIXELS} pixels: {error}; scale the image down") from None
    except Image.UnidentifiedImageError:
        raise ImageFormatError(f"{name}: {_EXPECTED}, got {_kind(data)}") from None
    except _DAMAGE as error:
        raise ImageTruncatedError(f"{name}: expected a whole image, got damaged data ({_reason(error)}); get the file again") from None
    with image:
        return _to_rgb(image, name)


def _kind(data: bytes) -> str:
    """What data that are no image look like, with what to do."""
    if not data:
        return "an empty file"
    if data.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer; fetch the file itself with git lfs pull"
    if data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05" and data.endswith(b"."):
        return "a Python pickle, which is never loaded"
    if data.startswith((b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8")):
        return "the beginning of one that is damaged; get the file again"
    return f"something else, starting with {data[:8]!r}"


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _to_rgb(image: Image.Image, name: str) -> Pixels:
    width, height = image.size
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise ImageSizeError(f"{name}: expected 1 to {MAX_PIXELS} pixels, got {width} x {height}; scale the image down")
    try:
        image.load()
        turned = _upright(image)
        return np.ascontiguousarray(_pixels(turned, image.format, image.info, name))
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageSizeError(f"{name}: expected at most {MAX_PIXELS} pixels: {_reason(error)}") from None
    except MemoryError:
        raise ImageSizeError(f"{name}: expected an image that fits memory, got {width} x {height} pixels; scale the image down") from None
    except _DAMAGE as error:
        raise ImageTruncatedError(f"{name}: expected a whole image, got damaged data ({_reason(error)}); get the file again") from None


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except _DAMAGE:
        return image  # a photograph with damaged EXIF is still a photograph
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _pixels(image: Image.Image, kind: str | None, info: dict[str | tuple[int, int], object], name: str) -> Pixels:
    mode = image.mode
    if mode.startswith("I;16"):
        return _grey16(np.asarray(image).astype(np.int32), name)
    if mode == "I" and kind in ("PNG", "PPM"):  # Pillow's form of 16-bit grey from these; elsewhere its range is not stated
        return _grey16(np.asarray(image).astype(np.int32), name)
    if mode in ("I", "F"):
        raise ImageModeError(f"{name}: expected 8 or 16 bits a channel, got mode {mode}, whose range is not stated; convert it to 8 bits")
    if mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in info:
        return _over_white(np.asarray(image.convert("RGBA")).astype(np.uint16))
    if mode in ("RGB", "L", "1", "P", "CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        return np.asarray(image.convert("RGB"))
    raise ImageModeError(f"{name}: expected grey, RGB, CMYK or a palette, got mode {mode}; convert it to RGB")


def _grey16(values: npt.NDArray[np.int32], name: str) -> Pixels:
    """0..65535 to 0..255, rounded to nearest."""
    if values.min() < 0 or values.max() > 65535:
        raise ImageModeError(f"{name}: expected grey of 16 bits, got values from {values.min()} to {values.max()}; convert it to 8 bits")
    grey = ((values * 255 + 32767) // 65535).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _over_white(rgba: npt.NDArray[np.uint16]) -> Pixels:
    """colour * alpha + white * (1 - alpha), rounded to nearest; at most 65152 on the way, so 16 bits hold it."""
    alpha = rgba[:, :, 3:]
    return ((rgba[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
