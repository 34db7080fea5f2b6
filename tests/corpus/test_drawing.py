"""Drawn pictures: theme and scene can be told from the mean colours of a 3 x 3 grid."""

import io

import numpy as np
import pytest
from PIL import Image

from tfhashtag.corpus.drawing import PICTURE_THEMES, SCENES, draw_picture, encoded_picture
from tfhashtag.errors import DataError


def cells(image):
    """Mean colour of each of 3 x 3 cells, [27]."""
    pixels = np.asarray(image, np.float32)
    side = len(pixels) // 3
    return np.stack(
        [
            pixels[y : y + side, x : x + side].mean((0, 1))
            for y in (0, side, 2 * side)
            for x in (0, side, 2 * side)
        ]
    ).ravel()


@pytest.mark.parametrize("size", [24, 72])
def test_nearest_mean_colours_tell_theme_and_scene(size):
    kinds = [(t, s) for t in range(len(PICTURE_THEMES)) for s in (0, 1, 7, 20, 47)]

    def drawn(seed):
        rngs = (np.random.default_rng([seed, *kind]) for kind in kinds)
        return np.stack(
            [cells(draw_picture(*kind, rng, size)) for kind, rng in zip(kinds, rngs, strict=True)]
        )

    first, second = drawn(1), drawn(2)
    nearest = np.linalg.norm(first[:, None] - second[None], axis=-1).argmin(1)
    right = np.array(kinds) == np.array(kinds)[nearest]
    assert right[:, 0].mean() > 0.98 and right[:, 1].mean() > 0.9


def test_every_scene_has_its_own_mark():
    marked = (draw_picture(5, scene, np.random.default_rng(3), 48) for scene in range(SCENES))
    found = np.stack([cells(picture) for picture in marked])
    distances = np.linalg.norm(found[:, None] - found[None], axis=-1)
    assert distances[~np.eye(SCENES, dtype=bool)].min() > 5


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG"])
def test_encoded_picture_is_a_file_of_the_format(picture_format):
    image = draw_picture(1, 2, np.random.default_rng(0), 40)
    found = Image.open(io.BytesIO(encoded_picture(image, picture_format)))
    assert (found.format, found.size, found.mode) == (picture_format, (40, 40), "RGB")
    assert np.abs(cells(found) - cells(image)).max() < 8


@pytest.mark.parametrize("arguments", [(-1, 0, 72), (12, 0, 72), (0, SCENES, 72), (0, 0, 8)])
def test_out_of_range(arguments):
    theme, scene, size = arguments
    with pytest.raises(DataError, match="must be below"):
        draw_picture(theme, scene, np.random.default_rng(0), size)
