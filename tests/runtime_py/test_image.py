from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime_py import image as image_module
from runtime_py.errors import ImageArrayError, ImageFormatError, ImageModeError, ImageSizeError, ImageTruncatedError, SourceError
from runtime_py.image import check_photograph, read_image

RAMP = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


# Colour modes


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_rgb_comes_back_as_it_was_from_every_lossless_kind(kind: str) -> None:
    assert np.array_equal(read_image(encoded(Image.fromarray(RAMP), kind)), RAMP)


def test_grey_palette_and_bilevel_images_become_rgb() -> None:
    grey = Image.fromarray(RAMP[:, :, 0])
    assert np.array_equal(read_image(encoded(grey, "PNG")), np.repeat(RAMP[:, :, :1], 3, axis=2))
    palette = Image.fromarray(RAMP).quantize(16)
    assert np.array_equal(read_image(encoded(palette, "PNG")), np.asarray(palette.convert("RGB")))
    assert set(read_image(encoded(grey.point(lambda value: 255 * (value > 90)).convert("1"), "PNG")).ravel()) == {0, 255}


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_laid_over_white(mode: str) -> None:
    picture = Image.new(mode, (3, 1), (0,) * len(mode))
    for x, alpha in enumerate((0, 51, 255)):
        picture.putpixel((x, 0), (100,) * (len(mode) - 1) + (alpha,))
    # 100 * a + 255 * (1 - a) for a = 0, 0.2, 1.
    assert read_image(encoded(picture, "PNG"))[0, :, 0].tolist() == [255, 224, 100]


def test_a_palette_with_a_transparent_colour_is_laid_over_white() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    assert read_image(encoded(picture, "PNG", transparency=0)).tolist() == [[[255, 255, 255], [40, 50, 60]]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_cut(kind: str) -> None:
    values = np.array([[0, 128, 257, 32896, 65535]], np.uint16)
    assert read_image(encoded(Image.fromarray(values), kind))[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_a_16_bit_pgm_is_scaled() -> None:
    values = np.array([[0, 32896, 65535]], ">u2")
    assert read_image(b"P5 3 1 65535\n" + values.tobytes())[0, :, 1].tolist() == [0, 128, 255]


def test_cmyk_becomes_rgb_within_what_jpeg_loses() -> None:
    picture = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    # A constant block has only the DC term; quality 100 quantizes it by 1, so each of four channels is within one level.
    assert np.abs(read_image(encoded(picture, "JPEG", quality=100)).astype(int) - (255, 0, 0)).max() <= 2


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_of_no_stated_range_are_refused(mode: str) -> None:
    with pytest.raises(ImageModeError, match="8 or 16 bits"):
        read_image(encoded(Image.new(mode, (2, 2)), "TIFF"), "deep.tif")


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation: int) -> None:
    upright = np.zeros((2, 3, 3), np.uint8)
    upright[0, 0] = 200  # the upper left corner of what was seen
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    assert np.array_equal(read_image(data), upright)


def test_damaged_exif_does_not_cost_the_photograph() -> None:
    data = encoded(Image.fromarray(RAMP), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert np.array_equal(read_image(data), RAMP)


# What is refused


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_a_truncated_image_is_a_typed_error_at_every_length(kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    whole = encoded(Image.fromarray(pixels), kind)
    for share in (0.1, 0.5, 0.9):
        with pytest.raises((ImageTruncatedError, ImageFormatError)):
            read_image(whole[: int(len(whole) * share)], "cut")
    with pytest.raises(ImageTruncatedError, match="^cut: expected a whole image"):
        read_image(whole[: int(len(whole) * 0.9)], "cut")


def test_damage_in_any_place_is_an_image_or_a_typed_error() -> None:
    random = np.random.default_rng(1)
    whole = encoded(Image.fromarray(RAMP), "PNG")
    for _ in range(300):
        changed = bytearray(whole)
        changed[random.integers(len(whole))] ^= 1 << random.integers(8)
        try:
            assert read_image(bytes(changed)).shape[2] == 3
        except (ImageTruncatedError, ImageFormatError, ImageModeError, ImageSizeError) as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "git lfs pull"),
        (b"\x80\x04\x95\x05\0\0\0\0\0\0\0\x8c\x01a\x94.", "pickle"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "something else"),
        (b"hello", "something else"),
    ],
)
def test_what_is_no_image_is_named(data: bytes, said: str) -> None:
    with pytest.raises(ImageFormatError, match=f"^x.jpg: expected an image.*{said}"):
        read_image(data, "x.jpg")


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    # A PNG header that claims 100,000 x 100,000 pixels, and no pixel data at all.
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"")
    with pytest.raises(ImageSizeError, match="^bomb: expected at most"):
        read_image(bomb, "bomb")


def test_the_limit_on_pixels_is_ours_where_it_is_below_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_module, "MAX_PIXELS", 15)
    with pytest.raises(ImageSizeError, match="4 x 4"):
        read_image(encoded(Image.fromarray(RAMP), "PNG"))


def test_paths_that_are_no_files_are_refused(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "none.jpg", "no such file"),
        (tmp_path, "a folder"),
        (Path(os.devnull), "that is no file"),
        (Path("a\0b"), "cannot be read|no such"),
    ):
        with pytest.raises(SourceError, match=said):
            read_image(path)


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)],
)
def test_arrays_that_are_no_photograph_are_refused(array: np.ndarray) -> None:
    with pytest.raises(ImageArrayError, match=r"uint8 RGB array \[H, W, 3\], got"):
        check_photograph(array)


def test_a_pillow_image_is_taken_as_it_is() -> None:
    assert np.array_equal(read_image(Image.fromarray(RAMP)), RAMP)


def test_an_image_that_does_not_fit_memory_is_a_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(image: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", load)
    with pytest.raises(ImageSizeError, match="fits memory, got 3 x 2 pixels"):
        read_image(Image.new("RGB", (3, 2)))
