"""A convolutional network of Keras or KerasHub as image encoder."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.encoders.image_encoder import ImageEncoder, grid_side, pool_to_grid
from tfhashtag.errors import EncoderError


class BackboneImageEncoder(ImageEncoder):
    """Runs a backbone on pixels and pools its last feature map to the grid of m cells.

    Args:
        backbone: a Keras model from pixels `[batch, size, size, 3]` to a feature map
            `[batch, height, width, channels]`, or to tokens `[batch, tokens, channels]` where the
            tokens are a square number of patches, perhaps with a class token before them (which is
            left out), as vision transformers give. A dictionary of feature maps is taken at its
            deepest level, the last key.
        name: str, what to call the encoder.
        proposals: int m, a square number.
        size: int, height and width of the picture that the backbone sees. Default: what the
            backbone's input declares, else 224.
        scale: float, or three of them, factor of the pixels (which run from 0 to 255).
        offset: float, or three of them, added after `scale`.
        flip_channels: bool, whether the backbone wants BGR; before scale and offset.

    Raises:
        EncoderError: an argument is out of range or the backbone gives no feature map.

    Example:

    >>> backbone = keras.Sequential([
    ...     keras.Input([32, 32, 3]), keras.layers.AveragePooling2D(4)
    ... ])
    >>> encoder = BackboneImageEncoder(backbone, name="tiny", proposals=4, scale=1 / 255)
    >>> picture = tf.io.encode_png(tf.fill([5, 7, 3], tf.constant(255, tf.uint8))).numpy()
    >>> vectors, valid = encoder.encode([picture, b""])
    >>> vectors.shape, float(vectors[0, 3, 2]), valid.tolist()
    ((2, 4, 3), 1.0, [True, False])
    """

    def __init__(
        self,
        backbone: keras.Model,
        *,
        name: str,
        proposals: int = 9,
        size: int | None = None,
        scale: float | Sequence[float] = 1.0,
        offset: float | Sequence[float] = 0.0,
        flip_channels: bool = False,
    ) -> None:
        self.name = name
        self.proposals = proposals
        self.backbone = backbone
        self._side = grid_side(proposals)
        inputs = backbone.inputs
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[-1] != 3:
            raise EncoderError(
                f"Image encoder `{name}`: a backbone with one input, pixels [batch, height, width, "
                f"3], was expected; it takes {[tuple(item.shape) for item in inputs]}."
            )
        declared = inputs[0].shape[1]
        self.size: int = size or declared or 224
        if self.size < 1 or declared not in (None, self.size):
            raise EncoderError(
                f"`size` of image encoder `{name}` must be {declared or 'at least 1'}. "
                f"Received: size={size}."
            )
        self._scale = np.broadcast_to(np.asarray(scale, np.float32), [3])
        self._offset = np.broadcast_to(np.asarray(offset, np.float32), [3])
        self._flip = flip_channels
        backbone.trainable = False
        self.width = int(self.pooled(tf.zeros([1, self.size, self.size, 3])).shape[-1])
        self.fingerprint = self._fingerprint()

    def pooled(self, pixels: tf.Tensor) -> tf.Tensor:
        """Proposals float32 `[batch, m, width]` of float32 RGB `[batch, size, size, 3]`."""
        if self._flip:
            pixels = pixels[..., ::-1]
        maps: Any = self.backbone(pixels * self._scale + self._offset, training=False)
        if isinstance(maps, dict) and maps:
            maps = list(maps.values())[-1]
        return pool_to_grid(feature_map(tf.cast(maps, tf.float32), self.name), self._side)

    def trackables(self) -> list[Any]:
        """The backbone with its weights."""
        return [self.backbone]

    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        settings = {
            "layers": [_described(layer) for layer in _leaves(self.backbone)],
            "proposals": self.proposals,
            "size": self.size,
            "scale": self._scale.tolist(),
            "offset": self._offset.tolist(),
            "flip": self._flip,
        }
        digest.update(
            json.dumps(
                settings, sort_keys=True, default=lambda value: type(value).__name__
            ).encode()
        )
        for weight in self.backbone.weights:
            array = np.ascontiguousarray(weight.numpy())
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


def feature_map(maps: tf.Tensor, name: str) -> tf.Tensor:
    """A feature map `[batch, height, width, channels]` of one, or of a transformer's patches.

    Raises:
        EncoderError: it is neither.
    """
    if maps.shape.rank == 4 and None not in maps.shape[1:]:
        return maps
    if maps.shape.rank == 3 and None not in maps.shape[1:]:
        for extra in (0, 1):
            side = round((maps.shape[1] - extra) ** 0.5)
            if side > 0 and side * side + extra == maps.shape[1]:
                return tf.reshape(maps[:, extra:], [-1, side, side, maps.shape[2]])
    raise EncoderError(
        f"Image encoder `{name}`: a feature map [batch, height, width, channels] or a square "
        f"number of patches was expected, it gives {maps.shape}. Choose a backbone without a head."
    )


def seeded_weights(model: keras.Model, seed: int = 0) -> None:
    """Gives a model random weights that depend on the seed alone, for tests without a download.

    Kernels are normal with variance 1 / inputs; biases and statistics keep their first values.
    """
    random = np.random.default_rng(seed)
    for weight in model.weights:
        if len(weight.shape) > 1:
            inputs = int(np.prod(weight.shape[:-1]))
            values = random.standard_normal(tuple(weight.shape), np.float32)
            weight.assign(values / np.sqrt(np.float32(inputs)))


def _leaves(model: Any) -> Any:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _described(layer: Any) -> list:
    # Names count up within a process and say nothing about the proposals.
    config = {key: value for key, value in layer.get_config().items() if key != "name"}
    return [type(layer).__name__, config]
