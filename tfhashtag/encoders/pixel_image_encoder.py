"""An image encoder without weights: mean colours and contrast of the cells of a grid."""

import hashlib
import json
from typing import Any

import tensorflow as tf

from tfhashtag.encoders.image_encoder import ImageEncoder, grid_side

_PATCHES = 2  # along a side of a cell
_PATCH_PIXELS = 8  # along a side of a patch
_CELL_VALUES = (_PATCHES * _PATCHES + 1) * 3
_GREY = 127.5


class PixelImageEncoder(ImageEncoder):
    r"""The cells of a grid as mean colours, for machines that have no trained weights.

    Of each of the m cells there are 15 values: the mean red, green and blue of its 2 x 2 patches,
    row by row, as \((x - 127.5) / 127.5\) in [-1, 1], then the standard deviation of red, green and
    blue over all its pixels, divided by 127.5, in [0, 1]. Proposal j holds them at the places
    15 j to 15 j + 14 and zeros elsewhere. So the mean proposal, which equation (13) of the thesis
    (2024) compares, is the picture as a thumbnail: two pictures are similar where their colours lie
    in the same cells, and are opposite where one is the negative of the other. A picture of nothing
    but mid grey is all zeros, and similar to none.

    It knows colours and where they are, no objects. With real pictures use trained weights.

    Args:
        proposals: int m, a square number. The picture is seen at 16 pixels a cell and side.

    Raises:
        EncoderError: `proposals` is no square number.

    Example:

    >>> encoder = PixelImageEncoder(proposals=4)
    >>> red = tf.io.encode_png(tf.constant([[[255, 0, 0]]], tf.uint8)).numpy()
    >>> vectors, valid = encoder.encode([red, b""])
    >>> vectors.shape, valid.tolist()
    ((2, 4, 60), [True, False])
    >>> vectors[0, 1, 14:18].tolist()  # the second cell begins at place 15
    [0.0, 1.0, -1.0, -1.0]
    """

    def __init__(self, proposals: int = 9) -> None:
        self.name = "pixels"
        self.proposals = proposals
        self._side = grid_side(proposals)
        self.width = proposals * _CELL_VALUES
        self.size = self._side * _PATCHES * _PATCH_PIXELS
        settings = [self.name, proposals, _PATCHES, _PATCH_PIXELS, _GREY]
        self.fingerprint = hashlib.sha256(json.dumps(settings).encode()).hexdigest()

    def pooled(self, pixels: tf.Tensor) -> tf.Tensor:
        """Proposals float32 `[batch, m, width]` of float32 RGB `[batch, size, size, 3]`."""
        side, cells = self._side, self.proposals
        centred = (pixels - _GREY) / _GREY
        # [batch, cell row, patch row, pixel, cell column, patch column, pixel, colour]
        split = tf.reshape(
            centred, [-1, side, _PATCHES, _PATCH_PIXELS, side, _PATCHES, _PATCH_PIXELS, 3]
        )
        split = tf.transpose(split, [0, 1, 4, 2, 5, 3, 6, 7])
        means = tf.reduce_mean(split, axis=[5, 6])
        deviations = tf.math.reduce_std(split, axis=[3, 4, 5, 6])
        values = tf.concat(
            [
                tf.reshape(means, [-1, cells, _CELL_VALUES - 3]),
                tf.reshape(deviations, [-1, cells, 3]),
            ],
            axis=-1,
        )
        placed = values[:, :, None, :] * tf.eye(cells)[None, :, :, None]
        return tf.reshape(placed, [-1, cells, self.width])

    def trackables(self) -> list[Any]:
        """Nothing: there are no variables."""
        return []
