"""A TF-Hub SavedModel as image encoder."""

import pathlib
from typing import Any

import tensorflow as tf

from tfhashtag.encoders.backbone_image_encoder import feature_map
from tfhashtag.encoders.image_encoder import ImageEncoder, grid_side, pool_to_grid
from tfhashtag.encoders.saved_model import (
    first_line,
    folder_fingerprint,
    load_saved_model,
    one_output,
)
from tfhashtag.errors import EncoderError

OUTPUTS = ("default", "outputs", "output_0", "feature_vector", "embedding", "pooled_output")


class SavedModelImageEncoder(ImageEncoder):
    """Pixels in, features out: what `hub.load` gives for an image model of TF-Hub.

    Pixels are float32 RGB from 0 to 1, as TF-Hub's image models take them. A model that gives a
    feature map is pooled to the grid. One that gives a single vector a picture is run on each cell
    of the grid by itself, enlarged to the model's size: m times the work, and a proposal sees its
    cell alone.

    Args:
        folder: path of the SavedModel (holding `saved_model.pb`). The loaded object is called where
            it can be, else its `serving_default` signature is.
        name: str, what to call the encoder.
        proposals: int m, a square number.
        size: int, height and width of the pixels that the model takes. Default: what
            `serving_default` declares, else 224.

    Raises:
        EncoderError: the folder holds no such model.
    """

    def __init__(
        self, folder: str, *, name: str, proposals: int = 9, size: int | None = None
    ) -> None:
        self.name = name
        self.proposals = proposals
        self._side = grid_side(proposals)
        self._model = load_saved_model(folder)
        signature = getattr(self._model, "signatures", {}).get("serving_default")
        declared = None
        if signature is not None:
            specs = signature.structured_input_signature[1]
            shapes = [spec.shape for spec in specs.values() if spec.shape.rank == 4]
            declared = shapes[0][1] if len(specs) == 1 and shapes else None
        self._call = self._model
        if not callable(self._model):
            if signature is None or len(specs) != 1:
                raise EncoderError(
                    f"{folder}: a SavedModel that can be called on pixels, or has the signature "
                    f"`serving_default` with one input, was expected; it has "
                    f"{sorted(getattr(self._model, 'signatures', {}))}."
                )
            self._call = lambda pixels: signature(**dict.fromkeys(specs, pixels))
        self._seen: int = size or declared or 224
        try:
            probe = self._features(tf.zeros([2, self._seen, self._seen, 3]))
        except (TypeError, ValueError, tf.errors.OpError) as error:
            raise EncoderError(
                f"{folder}: the model cannot take float32 pixels of shape [2, {self._seen}, "
                f"{self._seen}, 3]: {first_line(error)} Set another size, or another model."
            ) from error
        self._single = probe.shape.rank == 2
        self._map_shape = tuple(probe.shape[1:])
        if not self._single:
            feature_map(probe, name)
        self.size = self._seen * (self._side if self._single else 1)
        self.width = int(probe.shape[-1])
        self.fingerprint = folder_fingerprint(
            pathlib.Path(folder), f"proposals={proposals} size={self.size}"
        )

    def pooled(self, pixels: tf.Tensor) -> tf.Tensor:
        """Proposals float32 `[batch, m, width]` of float32 RGB `[batch, size, size, 3]`."""
        pixels = pixels / 255.0
        if not self._single:
            maps = self._features(pixels)
            maps = tf.ensure_shape(maps, [None, *self._map_shape])
            return pool_to_grid(feature_map(maps, self.name), self._side)
        side, seen = self._side, self._seen
        cells = tf.reshape(pixels, [-1, side, seen, side, seen, 3])
        cells = tf.reshape(tf.transpose(cells, [0, 1, 3, 2, 4, 5]), [-1, seen, seen, 3])
        return tf.reshape(self._features(cells), [-1, self.proposals, self.width])

    def trackables(self) -> list[Any]:
        """The loaded model with its variables and assets."""
        return [self._model]

    def _features(self, pixels: tf.Tensor) -> tf.Tensor:
        return one_output(self._call(pixels), OUTPUTS, f"Image encoder `{self.name}`")
