"""Sizes of pictures, read from the heads of their files."""

import io
import struct

import hypothesis
import hypothesis.strategies as st
import pytest
from PIL import Image

from tfhashtag.encoders.image_decoding import MAX_PIXELS, is_picture
from tfhashtag.serving.runtime.picture_pixels import MOST_PIXELS, picture_pixels


def encoded(kind, size=(300, 200), **options):
    data = io.BytesIO()
    fast = {"method": 0} if kind == "WEBP" else {}
    Image.new("RGB", size, "teal").save(data, kind, **fast, **options)
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


def test_a_wide_jpeg_counts_as_the_largest_that_is_read():
    assert picture_pixels(encoded("JPEG", (65_000, 800))) == MOST_PIXELS
    progressive = encoded("JPEG", (65_000, 800), progressive=True)
    assert picture_pixels(progressive) == 0  # is never read smaller
    assert picture_pixels(encoded("PNG", (65_000, 800))) == 0


def test_a_gif_has_the_size_of_what_it_draws():
    small = bytearray(encoded("GIF", (30, 20)))
    small[6:10] = struct.pack("<HH", 3, 2)
    assert picture_pixels(bytes(small)) == 600
    at = small.index(b"\x2c" + bytes(4))
    small[at + 5 : at + 9] = struct.pack("<HH", 9000, 9000)
    assert picture_pixels(bytes(small)) == 0 and not is_picture(bytes(small))


SMALL = [encoded(kind, (30, 20)) for kind in ("PNG", "GIF", "BMP", "WEBP", "JPEG")]
SMALL += [encoded("WEBP", (30, 20), lossless=True), encoded("WEBP", (30, 20), exif=b"Exif\0\0")]


@hypothesis.given(
    st.sampled_from(SMALL),
    st.integers(0, 700),
    st.dictionaries(st.integers(3, 64), st.integers(0, 255)),
)
def test_no_header_raises(data, end, mangled):
    data = bytearray(data[:end])
    for at, value in mangled.items():
        data[at : at + 1] = bytes([value])
    assert 0 <= picture_pixels(bytes(data)) <= MOST_PIXELS


def test_jpeg_is_read_at_a_part_of_its_size():
    assert picture_pixels(encoded("JPEG", (4000, 3000))) == 1000 * 750
    assert picture_pixels(encoded("JPEG", (4000, 3000), progressive=True)) == 4000 * 3000
    assert MOST_PIXELS == MAX_PIXELS


NO_END = b"\xff\xd8" + b"\xff\xe0\x00\x02" * 511 + b"\xff\xe0\xff\xff" + bytes(8)


@pytest.mark.parametrize(
    "data",
    [b"", b"text", b"\xff\xd8\xff" * 10**6, b"\xff" * 10**7, b"BM", NO_END],
    ids=["empty", "text", "starts of JPEG", "marks", "cut BMP", "no end"],
)
def test_what_is_no_picture_has_none(data):
    assert picture_pixels(data) == 0
