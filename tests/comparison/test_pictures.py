import base64
import io
import types

import numpy as np
import PIL.Image
import pytest

from tfhashtag.comparison.phr_sections import picture


@pytest.fixture
def shown_of(tmp_path):
    """`picture` of a post with a picture of that name."""

    def show(name):
        return picture(tmp_path, types.SimpleNamespace(images=[(name,) if name else ()]), 0)

    return show


def shown(source):
    assert source.startswith("data:image/jpeg;base64,")
    return PIL.Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "P", "I;16"])
def test_pictures_of_all_modes_are_shown_small(tmp_path, shown_of, mode):
    ending = "jpg" if mode == "CMYK" else "png"
    PIL.Image.new(mode, (800, 400)).save(tmp_path / f"a.{ending}")
    source, problem = shown_of(f"a.{ending}")
    assert problem == "" and shown(source).size == (360, 180)


def test_a_transparent_picture_stands_on_white(tmp_path, shown_of):
    PIL.Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "a.png")
    source, _ = shown_of("a.png")
    assert np.asarray(shown(source)).min() > 250


def test_a_turned_picture_stands_upright(tmp_path, shown_of):
    image = PIL.Image.new("RGB", (40, 20))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    source, _ = shown_of("a.jpg")
    assert shown(source).size == (20, 40)


def test_what_is_not_there_is_said(tmp_path, shown_of):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    assert shown_of("") == ("", "no picture")
    assert shown_of("broken.jpg") == shown_of("missing.png") == ("", "picture cannot be read")
