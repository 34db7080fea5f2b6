"""Sizes of pictures, read from the heads of their files."""

import io

import pytest
from PIL import Image

from tfhashtag.encoders.image_decoding import MAX_PIXELS
from tfhashtag.serving.runtime.picture_pixels import MOST_PIXELS, picture_pixels


def encoded(kind, size=(300, 200), **options):
    data = io.BytesIO()
    Image.new("RGB", size, "teal").save(data, kind, **options)
    return data.getvalue()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}), ("GIF", {}), ("BMP", {}), ("WEBP", {}), ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0"}), ("JPEG", {}), ("JPEG", {"progressive": True}),
        ("JPEG", {"comment": b"a" * 5000}),
    ],
)  # fmt: skip
def test_what_a_file_says(kind, options):
    data = encoded(kind, **options)
    assert picture_pixels(data) == 300 * 200
    assert {picture_pixels(data[:end]) for end in range(200)} <= {0, 300 * 200}
    assert picture_pixels(encoded(kind, (6000, 6000), **options)) in (0, 750**2)


def test_jpeg_is_read_at_a_part_of_its_size():
    assert picture_pixels(encoded("JPEG", (4000, 3000))) == 1000 * 750
    assert picture_pixels(encoded("JPEG", (4000, 3000), progressive=True)) == 4000 * 3000
    assert MOST_PIXELS == MAX_PIXELS


@pytest.mark.parametrize("data", [b"", b"text", b"\xff\xd8\xff" * 10**6, b"\xff" * 10**7, b"BM"])
def test_what_is_no_picture_has_none(data):
    assert picture_pixels(data) == 0
