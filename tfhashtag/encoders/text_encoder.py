"""What every text encoder does: raw strings in, one vector a message out."""

import abc
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.encoders.batches import BATCH_TOKENS
from tfhashtag.errors import EncoderError

_BLOCK = 65_536


class TextEncoder(abc.ABC):
    """A frozen model that turns messages into vectors (`V_c` of the EMNLP 2021 paper, section 3.2).

    There are two ways in and they agree: calling the encoder on a string tensor, which traces into
    core TensorFlow and TF Text operations and can stand in an exported graph, and `encode`, which
    takes a list of Python strings and groups messages of equal length to waste no work on padding.

    Bytes that are no UTF-8 are replaced by U+FFFD. The empty message is a message like any other:
    its vector is what the model gives for a text without tokens; callers mask padding themselves.

    Attributes:
        name: what the user called the encoder, such as `"minilm"`.
        width: int, length of a vector.
        fingerprint: hex SHA-256 over weights, vocabulary and settings; equal fingerprints give
            equal vectors, and the embedding cache is keyed by it.
        max_length: tokens of a message that are looked at, special tokens included; the rest is
            cut. None where the encoder decides for itself.
        skips_padding: bool, whether `vectors` of messages of unlike length cost what their tokens
            cost, not what they cost padded to the longest.
    """

    name: str
    width: int
    fingerprint: str
    max_length: int | None
    skips_padding = False

    def __call__(self, strings: tf.Tensor) -> tf.Tensor:
        """Vectors of a batch of messages, traceable in a `tf.function`.

        Args:
            strings: string `[batch]`, UTF-8.

        Returns:
            float32 `[batch, width]`.
        """
        return self.vectors(self.read(strings)[0])

    @abc.abstractmethod
    def read(self, strings: tf.Tensor) -> tuple[Any, tf.Tensor]:
        """Messages as `vectors` takes them, and their lengths; traceable in a `tf.function`.

        Args:
            strings: string `[batch]`, UTF-8.

        Returns:
            A tensor or ragged tensor with a row a message, and int32 `[batch]`, tokens of each;
            an estimate where the model does not show them.
        """

    @abc.abstractmethod
    def vectors(self, messages: Any) -> tf.Tensor:
        """Vectors float32 `[batch, width]` of rows of what `read` gives."""

    @abc.abstractmethod
    def trackables(self) -> list[Any]:
        """What an export must track: `for t in encoder.trackables(): archive.track(t)`."""

    def count_cut(self, messages: Sequence[str]) -> int:
        """How many messages are longer than `max_length` and are cut; 0 where it is None."""
        del messages
        return 0

    @abc.abstractmethod
    def _block_vectors(
        self, messages: Sequence[str], batch_tokens: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """`encode_batches` for a block of messages that fits into memory as tokens."""

    def encode_batches(
        self, messages: Sequence[str], batch_tokens: int = BATCH_TOKENS
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Encodes messages in batches of similar length; memory does not grow with their number.

        Args:
            messages: texts, in any order, duplicates allowed (and encoded twice).
            batch_tokens: int, most tokens in a batch (at least one message is taken).

        Yields:
            `(rows, vectors)`: int64 `[n]` positions in `messages` and float32 `[n, width]`. Every
            position comes once; the order is the encoder's.
        """
        if batch_tokens < 1:
            raise EncoderError(
                f"`batch_tokens` must be at least 1. Received: batch_tokens={batch_tokens}."
            )
        for start in range(0, len(messages), _BLOCK):
            block = messages[start : start + _BLOCK]
            for rows, vectors in self._block_vectors(block, batch_tokens):
                yield rows + start, vectors

    def encode(self, messages: Sequence[str], batch_tokens: int = BATCH_TOKENS) -> np.ndarray:
        """Vectors of messages in their order, float32 `[len(messages), width]`."""
        table = np.empty((len(messages), self.width), dtype=np.float32)
        for rows, vectors in self.encode_batches(messages, batch_tokens):
            table[rows] = vectors
        return table


def clean_utf8(strings: tf.Tensor) -> tf.Tensor:
    """Replaces bytes that are no UTF-8, which TF Text operations refuse, by U+FFFD."""
    return tf.strings.unicode_transcode(strings, "UTF-8", "UTF-8", errors="replace")
