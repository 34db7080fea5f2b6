"""Mean colours of cells: against a loop, of plain pictures, told apart, and exported."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfhashtag.corpus.drawing import draw_picture, encoded_picture
from tfhashtag.encoders import PixelImageEncoder, load_image_encoder
from tfhashtag.errors import EncoderError


def plain(colour, size=(31, 17), mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("proposals", [1, 4, 9, 49])
def test_against_a_loop(proposals):
    encoder = PixelImageEncoder(proposals)
    side = int(proposals**0.5)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, encoder.size, encoder.size, 3))
    found = encoder.pooled(tf.constant(pixels, tf.float32)).numpy()
    expected = np.zeros((2, proposals, 15 * proposals))
    for picture in range(2):
        for j in range(proposals):
            top, left = 16 * (j // side), 16 * (j % side)
            cell = (pixels[picture, top : top + 16, left : left + 16] - 127.5) / 127.5
            values = []
            for y in (0, 8):
                for x in (0, 8):
                    values += [cell[y : y + 8, x : x + 8, c].mean() for c in range(3)]
            values += [cell[..., c].std() for c in range(3)]
            expected[picture, j, 15 * j : 15 * j + 15] = values
    assert found.shape == (2, proposals, encoder.width)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_plain_pictures():
    encoder = PixelImageEncoder(4)
    white, black, grey = plain(255, mode="L"), plain((0, 0, 0)), plain((127, 128, 127))
    found, valid = encoder.encode([white, black, grey, plain(9, (1, 1), "L"), b"", b"broken"])
    assert valid.tolist() == [True, True, True, True, False, False]
    means = found.mean(axis=1)
    np.testing.assert_allclose(means[0], -means[1], atol=1e-6)  # nothing but a sign apart
    assert np.abs(means[2]).max() < 0.002
    assert not np.any(found[4:])
    assert np.isfinite(found).all()


def test_pictures_of_a_theme_are_alike():
    """Theme and scene of made pictures are those of the picture nearest by equation (13)."""
    rng = np.random.default_rng(0)
    kinds = [(theme, scene) for theme in range(8) for scene in range(3)]
    pictures = [
        encoded_picture(draw_picture(*kind, rng), "JPEG") for _ in range(4) for kind in kinds
    ]
    vectors = load_image_encoder("pixels").encode(pictures)[0].mean(axis=1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T - 2 * np.eye(len(vectors))
    nearest = cosines.argmax(axis=1) % len(kinds)
    truth = np.arange(len(vectors)) % len(kinds)
    assert np.mean(nearest // 3 == truth // 3) == 1
    assert np.mean(nearest == truth) > 0.95


def test_exported_alike(tmp_path):
    encoder = PixelImageEncoder(9)
    pictures = [plain((9, 200, 30)), b"", plain((250, 3, 90), (2, 300))]
    module = tf.Module()
    module.encode = tf.function(
        lambda images: encoder(images)[0], [tf.TensorSpec([None], "string")]
    )
    tf.saved_model.save(module, str(tmp_path / "model"))
    loaded = tf.saved_model.load(str(tmp_path / "model")).encode(tf.constant(pictures)).numpy()
    np.testing.assert_array_equal(loaded, encoder.encode(pictures)[0])


def test_named():
    encoder = load_image_encoder("pixels", proposals=49)
    assert (encoder.name, encoder.proposals, encoder.width) == ("pixels", 49, 735)
    assert encoder.fingerprint == PixelImageEncoder(49).fingerprint
    assert encoder.fingerprint != PixelImageEncoder(9).fingerprint
    with pytest.raises(EncoderError, match="square number"):
        load_image_encoder("pixels", proposals=8)
    with pytest.raises(EncoderError, match="`pixels` has no weights"):
        load_image_encoder("pixels", weights="random")
