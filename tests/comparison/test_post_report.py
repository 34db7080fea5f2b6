import base64
import io
import types

import numpy as np
import PIL.Image
import pytest

from tfhashtag.comparison.post_report import picture


@pytest.fixture
def task_of(tmp_path):
    def task(*names):
        corpus = types.SimpleNamespace(images=list(names))
        return types.SimpleNamespace(corpus=corpus, data=tmp_path)

    return task


def shown(source):
    assert source.startswith("data:image/jpeg;base64,")
    return PIL.Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "P", "I;16"])
def test_pictures_of_all_modes_are_shown_small(tmp_path, task_of, mode):
    ending = "jpg" if mode == "CMYK" else "png"
    PIL.Image.new(mode, (800, 400)).save(tmp_path / f"a.{ending}")
    source, problem = picture(task_of(f"a.{ending}"), 0)
    assert problem == "" and shown(source).size == (360, 180)


def test_a_transparent_picture_stands_on_white(tmp_path, task_of):
    PIL.Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "a.png")
    source, _ = picture(task_of("a.png"), 0)
    assert np.asarray(shown(source)).min() > 250


def test_a_turned_picture_stands_upright(tmp_path, task_of):
    image = PIL.Image.new("RGB", (40, 20))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    source, _ = picture(task_of("a.jpg"), 0)
    assert shown(source).size == (20, 40)


def test_what_is_not_there_is_said(tmp_path, task_of):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    task = task_of("", "broken.jpg", "missing.png")
    assert picture(task, 0) == ("", "no picture")
    assert picture(task, 1) == picture(task, 2) == ("", "picture cannot be read")
