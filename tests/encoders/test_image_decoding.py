"""Decoding in the graph: held against Pillow, and against everything that is broken."""

import io
import pathlib
import resource
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from tests.c_program import can_compile, run_in_c
from tfhashtag.encoders.image_decoding import decode_images

SIZE = 16


def field_picture(width=48, height=32) -> Image.Image:
    """Smooth, with four different corners, so that a turn or a mirror shows."""
    corners = np.array([[[250, 10, 10], [10, 240, 10]], [[10, 10, 230], [200, 200, 20]]], np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


BASE = field_picture()


def decode(*contents):
    pixels, valid = decode_images(tf.constant(list(contents), tf.string), SIZE)
    return pixels.numpy(), valid.numpy()


def expected(image):
    """Squeezed to a square by Pillow, whose bilinear filter also averages when it makes smaller."""
    return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR), float)


def grey16():
    return Image.fromarray(np.asarray(BASE.convert("L")).astype(np.uint16) * 257)


FORMS = {
    "jpeg": (encoded(BASE, "JPEG", quality=95), BASE),
    "progressive": (encoded(BASE, "JPEG", quality=95, progressive=True), BASE),
    "jpeg grey": (encoded(BASE.convert("L"), "JPEG", quality=95), BASE.convert("L")),
    "jpeg cmyk": (encoded(BASE.convert("CMYK"), "JPEG", quality=95), BASE),
    "png": (encoded(BASE, "PNG"), BASE),
    "png grey": (encoded(BASE.convert("L"), "PNG"), BASE.convert("L")),
    "png 16": (encoded(grey16(), "PNG"), BASE.convert("L")),
    "png rgba": (encoded(BASE.convert("RGBA"), "PNG"), BASE),
    "png la": (encoded(BASE.convert("LA"), "PNG"), BASE.convert("L")),
    "png palette": (encoded(BASE.convert("P"), "PNG"), BASE.convert("P")),
    "png 2 bits": (
        encoded(BASE.convert("P", palette=Image.Palette.ADAPTIVE, colors=4), "PNG", bits=2),
        BASE.convert("P", palette=Image.Palette.ADAPTIVE, colors=4),
    ),
    "png 1 bit": (encoded(BASE.convert("1"), "PNG"), BASE.convert("1")),
    "webp": (encoded(BASE, "WEBP", quality=95), BASE),
    "webp lossless": (encoded(BASE, "WEBP", lossless=True), BASE),
    "webp alpha": (encoded(BASE.convert("RGBA"), "WEBP", lossless=True, exact=True), BASE),
    "webp animated": (
        encoded(BASE, "WEBP", save_all=True, append_images=[BASE.rotate(180)], quality=95),
        BASE,
    ),
    "gif": (encoded(BASE, "GIF"), BASE),
    "gif animated": (
        encoded(BASE, "GIF", save_all=True, append_images=[BASE.rotate(180)] * 3),
        BASE,
    ),
    "bmp": (encoded(BASE, "BMP"), BASE),
    "bmp 32": (encoded(BASE.convert("RGBA"), "BMP"), BASE),
    "bmp grey": (encoded(BASE.convert("L"), "BMP"), BASE.convert("L")),
}


@pytest.mark.parametrize("form", FORMS)
def test_like_pillow(form):
    content, image = FORMS[form]
    (pixels,), (valid,) = decode(content)
    assert valid
    assert np.abs(pixels - expected(image)).mean() < 4
    assert np.abs(pixels - expected(image)).max() < 24


def test_one_batch_gives_what_single_pictures_give():
    contents = [content for content, _ in FORMS.values()]
    broken = ["", b"", b"no picture", contents[0][:200]]
    pixels, valid = decode(*broken, *contents, *broken)
    assert valid.tolist() == [False] * 4 + [True] * len(contents) + [False] * 4
    assert not pixels[~valid].any()
    for row, content in enumerate(contents, 4):
        np.testing.assert_array_equal(pixels[row], decode(content)[0][0])


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 5)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_smallest_pictures(form, size):
    pixels, valid = decode(encoded(Image.new("RGB", size, (10, 200, 90)), form, quality=95))
    assert valid.all()
    np.testing.assert_allclose(pixels[0], np.broadcast_to([10, 200, 90], (SIZE, SIZE, 3)), atol=6)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(form, orientation):
    for order in "<>":
        exif = Image.Exif()
        exif.endian = order
        exif[0x010F] = "maker"
        exif[0x0112] = orientation
        content = encoded(BASE, form, exif=exif.tobytes(), quality=95)
        with Image.open(io.BytesIO(content)) as image:
            upright = ImageOps.exif_transpose(image)
        (pixels,), _ = decode(content)
        assert np.abs(pixels - expected(upright)).mean() < 4, order


def test_exif_of_no_sense_is_upright():
    exif = b"Exif\0\0II*\0\xff\xff\xff\x7f"
    for data in (exif, exif[:9], b"Exif\0\0XX", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\0" * 40):
        (pixels,), (valid,) = decode(encoded(BASE, "JPEG", exif=data, quality=95))
        assert valid
        assert np.abs(pixels - expected(BASE)).mean() < 4


def test_transparent_is_white():
    image = BASE.convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    for form in ("PNG", "WEBP"):
        pixels, _ = decode(encoded(image, form, lossless=True, exact=True))
        np.testing.assert_array_equal(pixels[0], 255)
    image.putalpha(Image.new("L", image.size, 128))
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    pixels, _ = decode(encoded(image, "PNG"))
    assert np.abs(pixels[0] - expected(white)).max() < 3
    table = BASE.convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    content = encoded(table, "PNG", bits=1, transparency=b"\0\0")
    np.testing.assert_array_equal(decode(content)[0][0], 255)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "gif animated"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_truncated(form, share):
    content = FORMS[form][0]
    pixels, valid = decode(content[: int(share * len(content))])
    # What a JPEG lacks at its very end is filled up; everything else is no picture.
    if not (share == 0.9 and ("jpeg" in form or form == "progressive")):
        assert not valid.any() and not pixels.any()


def test_noise_never_raises():
    random = np.random.default_rng(0)
    contents = [content for content, _ in FORMS.values()]
    for _ in range(6):
        batch = []
        for content in contents * 3:
            damaged = bytearray(content)
            for place in random.integers(0, min(len(damaged), 80), 3):
                damaged[place] = random.integers(256)
            damaged[random.integers(len(damaged))] ^= 0xFF
            batch.append(bytes(damaged))
        pixels, valid = decode(*batch)
        assert np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 255
        assert not pixels[~valid].any()


def test_empty_batch():
    pixels, valid = decode_images(tf.zeros([0], tf.string), SIZE)
    assert (pixels.shape, valid.shape) == ((0, SIZE, SIZE, 3), (0,))
    with pytest.raises(ValueError, match="at least 1"):
        decode_images([""], 0)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bombs():
    """Small files that say they are huge."""
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(10**6), 9)
    yield b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    gif = bytearray(FORMS["gif"][0])
    gif[6:10] = b"\xff\xff\xff\xff"
    yield bytes(gif)
    bmp = bytearray(FORMS["bmp"][0])
    bmp[18:26] = struct.pack("<ii", 60_000, -60_000)
    yield bytes(bmp)
    webp = bytearray(FORMS["webp animated"][0])
    webp[24:30] = b"\xff" * 6
    yield bytes(webp)
    for size in (b"\xff\xff\xff\xff", b"\0\0\0\0"):
        jpeg = FORMS["jpeg"][0]
        at = jpeg.index(b"\xff\xc0") + 5
        yield jpeg[:at] + size + jpeg[at + 4 :]


def test_webp_can_be_left_out():
    pixels, valid = decode_images([FORMS["webp"][0], FORMS["png"][0]], 4, webp=False)
    assert valid.numpy().tolist() == [False, True] and not pixels[0].numpy().any()


def test_said_to_be_huge():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pixels, valid = decode(*bombs())
    assert not valid.any() and not pixels.any()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


LARGE = """
import resource, sys
sys.path[:0] = [{root!r}]
import tensorflow as tf
from tfhashtag.encoders.image_decoding import decode_images
contents = [open(path, "rb").read() for path in {paths!r}]
decode_images([contents[0][:500]], 16)
for content in contents:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pixels, valid = decode_images([content], 16)
    print(int(valid[0]), *pixels.numpy()[0, 2, 2].round().tolist(),
          resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow  # `test_large_progressive_jpeg_counts_in_full` is the fast twin
def test_12000_x_9000(tmp_path):
    large = Image.new("RGB", (12_000, 9_000), (30, 120, 220))
    root = str(pathlib.Path(__file__).parent.parent.parent)
    paths = [str(tmp_path / form) for form in ("JPEG", "PNG")]
    pathlib.Path(paths[0]).write_bytes(encoded(large, "JPEG"))
    pathlib.Path(paths[1]).write_bytes(encoded(large, "PNG", compress_level=1))
    code = LARGE.format(root=root, paths=paths)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=200
    )
    jpeg, png = ([float(word) for word in line.split()] for line in done.stdout.splitlines())
    # At an eighth the JPEG has 1.7 million pixels; the PNG is too large.
    np.testing.assert_allclose(jpeg[:4], [1, 30, 120, 220], atol=4)
    assert png[:4] == [0, 0, 0, 0]
    assert max(jpeg[4], png[4]) < 60_000  # kB; decoded in full it has 316,000


def test_large_progressive_jpeg_counts_in_full():
    image = Image.new("RGB", (7_000, 5_000))
    _, valid = decode(encoded(image, "JPEG", progressive=True), encoded(image, "JPEG"))
    assert valid.tolist() == [False, True]


@pytest.mark.parametrize("width", [15, 31, 48, 64, 127, 500])
def test_decoding_at_a_fraction_loses_nothing(width):
    image = field_picture(width, width + 7)
    (pixels,), _ = decode(encoded(image, "JPEG", quality=95))
    assert np.abs(pixels - expected(image)).mean() < 5


# The fast twin runs a model of posts with pictures in C: `tasks/posts/test_servable`.
@pytest.mark.slow
def test_in_a_saved_model(tmp_path):
    """Loaded from C, by the libraries of a model server: core operations are enough."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def pictures(images):
        pixels, valid = decode_images(images, SIZE)
        return {"pixels": pixels, "valid": valid}

    tf.saved_model.save(module, str(tmp_path / "model"), signatures=pictures)
    contents = [content for content, _ in FORMS.values()] + [b"", b"\xff\xd8\xff broken"]
    pixels, valid = decode(*contents)
    assert valid.sum() == len(contents) - 2
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    answers = [loaded.signatures["serving_default"](images=tf.constant(contents))]
    if can_compile():
        answers.append(run_in_c(tmp_path / "model", {"images": np.array(contents, object)}))
    for answer in answers:
        np.testing.assert_array_equal(answer["pixels"], pixels)
        np.testing.assert_array_equal(answer["valid"], valid)
