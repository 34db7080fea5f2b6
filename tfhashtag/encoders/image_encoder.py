"""What every image encoder does: encoded pictures in, m proposals a picture out."""

import abc
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.blocks import in_blocks
from tfhashtag.encoders.batches import BATCH_IMAGES
from tfhashtag.encoders.image_decoding import decode_images
from tfhashtag.errors import EncoderError

_AT_A_TIME = 8  # pictures whose pixels and feature maps are in memory


class ImageEncoder(abc.ABC):
    """A frozen model that turns pictures into proposals (thesis 2024, equation (1)).

    A picture is decoded and squeezed to a square, the model's last feature map is average-pooled
    to a grid of `sqrt(m)` by `sqrt(m)` cells, row by row from the top left. Calling the encoder
    traces into core TensorFlow operations and can stand in an exported graph.

    Attributes:
        name: what the user called the encoder, such as `"resnet50"`.
        proposals: int m, a square number.
        width: int, length of a proposal, 2048 for ResNet-50.
        size: int, height and width in pixels of the picture that the model sees.
        webp: bool, read WebP pictures; without them the graph runs on servers before 2.20.
        fingerprint: hex SHA-256 over weights and settings; equal fingerprints give equal proposals,
            and the cache of proposals is keyed by it.
    """

    name: str
    proposals: int
    width: int
    size: int
    fingerprint: str
    webp: bool = True

    @abc.abstractmethod
    def pooled(self, pixels: tf.Tensor) -> tf.Tensor:
        """Proposals float32 `[batch, m, width]` of float32 RGB `[batch, size, size, 3]`, 0 to 255.

        Traceable in a `tf.function`.
        """

    @abc.abstractmethod
    def trackables(self) -> list[Any]:
        """What an export must track: `for t in encoder.trackables(): archive.track(t)`."""

    def __call__(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Proposals of encoded pictures, traceable in a `tf.function`.

        Args:
            images: string `[batch]`, encoded pictures as `decode_images` reads them, `""` for none.

        Returns:
            `(proposals, valid)`: float32 `[batch, m, width]`, zeros where there is no picture, and
            bool `[batch]`. A row does not depend on the rest of the batch. Different pictures are
            read once, a few at a time: memory grows with the answer alone.
        """
        distinct, place = tf.unique(images)

        def proposals(rows: list[tf.Tensor]) -> list[tf.Tensor]:
            pixels, valid = decode_images(rows[0], self.size, self.webp)
            return [tf.where(valid[:, None, None], self.pooled(pixels), 0.0), valid]

        specs = [
            tf.TensorSpec([None, self.proposals, self.width]),
            tf.TensorSpec([None], tf.bool),
        ]
        found, valid = in_blocks(proposals, [distinct], _AT_A_TIME, specs, beside=1)
        return tf.gather(found, place), tf.gather(valid, place)

    def encode(
        self, images: Sequence[bytes], batch_images: int = BATCH_IMAGES
    ) -> tuple[np.ndarray, np.ndarray]:
        """Proposals float32 `[len(images), m, width]` and bool `[len(images)]`, as a call gives.

        Args:
            images: encoded pictures.
            batch_images: int, most pictures in a batch.
        """
        if batch_images < 1:
            raise EncoderError(
                f"`batch_images` must be at least 1. Received: batch_images={batch_images}."
            )
        if not hasattr(self, "_traced"):
            signature = [tf.TensorSpec([None], tf.string)]
            self._traced = tf.function(self.__call__, signature, autograph=False)
        table = np.zeros((len(images), self.proposals, self.width), np.float32)
        valid = np.zeros(len(images), bool)
        for start in range(0, len(images), batch_images):
            part = slice(start, start + batch_images)
            found = self._traced(tf.constant(list(images[part]), tf.string))
            table[part], valid[part] = found[0].numpy(), found[1].numpy()
        return table, valid


def grid_side(proposals: int) -> int:
    """Cells along one side of the grid of m cells.

    Raises:
        EncoderError: m is not a square number.

    Example:

    >>> grid_side(9), grid_side(49)
    (3, 7)
    """
    side = math.isqrt(max(proposals, 0))
    if side < 1 or side * side != proposals:
        raise EncoderError(
            f"`proposals` must be a square number, 9 for a grid of 3 x 3 or 49 for 7 x 7. "
            f"Received: proposals={proposals}."
        )
    return side


def pool_to_grid(maps: tf.Tensor, side: int) -> tf.Tensor:
    """Average-pools feature maps to a grid.

    Cell i of a side covers the interval from `i * height / side` to `(i + 1) * height / side`; a
    row that it covers in part counts with that part, so the mean over the cells is the mean of the
    map.

    Args:
        maps: float `[batch, height, width, channels]`, with known height and width.
        side: int, cells along a side.

    Returns:
        float `[batch, side * side, channels]`, cells row by row.

    Source: thesis 2024, equation (1); 7 x 7 to 3 x 3 leaves the way of pooling open.

    Example:

    >>> maps = tf.reshape(tf.range(16.0), [1, 4, 4, 1])
    >>> pool_to_grid(maps, 2).numpy().ravel().tolist()
    [2.5, 4.5, 10.5, 12.5]
    """
    height, width = int(maps.shape[1]), int(maps.shape[2])
    rows = tf.constant(_shares(height, side), maps.dtype)
    columns = tf.constant(_shares(width, side), maps.dtype)
    cells = tf.einsum("ih,bhwc,jw->bijc", rows, maps, columns)
    return tf.reshape(cells, [-1, side * side, maps.shape[-1]])


def _shares(length: int, side: int) -> np.ndarray:
    edges = np.arange(side + 1) * length / side
    places = np.arange(length)
    overlap = np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places)
    return np.maximum(overlap, 0) * side / length
