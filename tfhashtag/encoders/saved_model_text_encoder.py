"""A TF-Hub SavedModel as text encoder."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.encoders.saved_model import (
    first_line,
    folder_fingerprint,
    load_saved_model,
    one_output,
)
from tfhashtag.encoders.text_encoder import TextEncoder
from tfhashtag.errors import EncoderError

OUTPUTS = ("default", "outputs", "output_0", "embedding", "embeddings", "pooled_output")
# A SavedModel does not say how it makes tokens; English has four to five bytes a token.
_BYTES_PER_TOKEN = 4
_SPECIAL_TOKENS = 2


class SavedModelTextEncoder(TextEncoder):
    """Strings in, vectors out: what `hub.load` gives for a text encoder of TF-Hub.

    The loaded object is called directly where it can be, else its `serving_default` signature is.
    A dictionary of outputs must have one entry, or one named `default`, `embedding` or the like.

    Args:
        folder: path of the SavedModel (holding `saved_model.pb`).
        name: str, what to call the encoder.

    Raises:
        EncoderError: the folder holds no such model.
    """

    def __init__(self, folder: str, *, name: str) -> None:
        self.name = name
        self.max_length = None
        self._model = load_saved_model(folder)
        self._call = self._model
        if not callable(self._model):
            signature = self._model.signatures.get("serving_default")
            if signature is None:
                raise EncoderError(
                    f"{folder}: a SavedModel that can be called on strings, or has the signature "
                    f"`serving_default`, was expected; it has {sorted(self._model.signatures)}."
                )
            inputs = signature.structured_input_signature[1]
            if len(inputs) != 1 or next(iter(inputs.values())).dtype != tf.string:
                raise EncoderError(
                    f"{folder}: `serving_default` should take one string tensor, it takes {inputs}."
                )
            self._call = lambda messages: signature(**dict.fromkeys(inputs, messages))
        try:
            probe = self(tf.constant(["", "a"]))
        except (TypeError, ValueError, tf.errors.OpError) as error:
            raise EncoderError(
                f"{folder}: the model cannot encode a string tensor of shape [2]: "
                f"{first_line(error)} A text encoder takes raw strings."
            ) from error
        if probe.shape.rank != 2 or probe.shape[0] != 2:
            raise EncoderError(
                f"{folder}: one vector a message was expected, the model gives shape "
                f"{tuple(probe.shape)} for 2 messages. Choose an encoder with pooled output."
            )
        self.width = int(probe.shape[1])
        self.fingerprint = folder_fingerprint(pathlib.Path(folder))
        self._traced = tf.function(
            self.__call__, [tf.TensorSpec([None], tf.string)], autograph=False
        )

    def read(self, strings: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The strings themselves, and about how many tokens they have, int32 `[batch]`."""
        strings = tf.convert_to_tensor(strings)
        return strings, tf.strings.length(strings) // _BYTES_PER_TOKEN + _SPECIAL_TOKENS

    def vectors(self, messages: tf.Tensor) -> tf.Tensor:
        """Vectors float32 `[batch, width]` of string `[batch]`; traces for export."""
        return one_output(self._call(messages), OUTPUTS, f"Text encoder `{self.name}`")

    def trackables(self) -> list[Any]:
        """The loaded model with its variables, tables and assets."""
        return [self._model]

    def _block_vectors(
        self, messages: Sequence[str], batch_tokens: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        tokens = self.read(tf.constant(list(messages), tf.string))[1].numpy()
        order = np.argsort(-tokens, kind="stable")
        start = 0
        while start < len(order):
            count = max(1, batch_tokens // int(tokens[order[start]]))
            rows = order[start : start + count]
            strings = tf.constant([messages[row] for row in rows], tf.string)
            yield rows, self._traced(strings).numpy()
            start += count
