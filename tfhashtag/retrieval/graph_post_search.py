"""Exact search for similar train posts in the graph, as `ExactPostIndex` does it outside."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.blocks import in_blocks
from tfhashtag.errors import ConfigError
from tfhashtag.retrieval.post_search import STEP
from tfhashtag.retrieval.shared_tables import constant

_BLOCK_VALUES = 1 << 22  # similarities at a time: 16 MiB, whatever the batch


class GraphPostSearch:
    """Train posts by similarity (thesis 2024, equation (13)), traceable in a `tf.function`.

    The rules are those of `ExactPostIndex`: shares of image and text, what a post lacks, equal
    similarities by place, lower first. Queries are never train posts themselves and are asked at a
    moment after all of them: nothing is left out for its time.

    Each distinct text and picture is held and compared once, so that posts with one text are
    exactly equally similar. Queries are taken in blocks: memory beside the tables is about 100 MiB
    for any batch, as long as there are less than 4 million posts.

    Args:
        text: float32 `[M, g]`, vectors of distinct texts; zeros for no text.
        text_row: int32 `[P]`, the row of each train post.
        users: int32 `[P]`, at least 0.
        visual: float32 `[V, w]`, one vector a distinct picture, zeros for no picture; or None.
        visual_row: int32 `[P]`, together with `visual`.
        omega: share of visual similarity, in [0, 1].

    Raises:
        ConfigError: `omega` is out of range.

    Example:

    >>> table = np.eye(3, dtype="float32")
    >>> search = GraphPostSearch(table, np.array([2, 0, 1, 0]), np.array([0, 0, 1, 1]))
    >>> query = tf.constant([[2.0, 1.0, 0.0]])
    >>> own, _, others, similarity = search(query, None, tf.constant([0]), own=3, others=2)
    >>> own.numpy().tolist(), others.numpy().tolist(), np.float64(similarity).round(2).tolist()
    ([[1, 0, -1]], [[3, 2]], [[0.89, 0.45]])
    """

    def __init__(
        self,
        text: np.ndarray,
        text_row: np.ndarray,
        users: np.ndarray,
        visual: np.ndarray | None = None,
        visual_row: np.ndarray | None = None,
        omega: float = 0.5,
    ) -> None:
        if not 0 <= omega <= 1:
            raise ConfigError(f"`omega` must be in [0, 1], found {omega}.")
        self.omega = omega
        self.posts = len(text_row)
        lengths, unit = _split(text)
        self.text = constant("text", unit)
        self.text_length = constant("text_length", lengths)
        self.text_row = constant("text_row", np.asarray(text_row, np.int32))
        self.users = constant("user_of_post", np.asarray(users, np.int32))
        self.visual = self.visual_row = None
        self.reads_pictures = visual is not None
        if visual is not None:
            self.visual = constant("visual", _split(visual)[1])
            self.visual_row = constant("visual_row", np.asarray(visual_row, np.int32))

    def trackables(self) -> list[tf.Variable]:
        """What the SavedModel must hold."""
        held = [self.text, self.text_length, self.text_row, self.users]
        return held + [table for table in (self.visual, self.visual_row) if table is not None]

    def text_vectors(self, places: tf.Tensor) -> tf.Tensor:
        """Vectors of the texts of train posts: int `[..., k]`, -1 pads, to `[..., k, g]`, zeros."""
        # Gathering from a variable makes TensorFlow copy it whenever it is read as a whole.
        text, text_row = tf.convert_to_tensor(self.text), tf.convert_to_tensor(self.text_row)
        rows = tf.gather(text_row, tf.maximum(places, 0))
        vectors = tf.gather(text, rows) * tf.gather(self.text_length, rows)[..., None]
        return tf.where((places >= 0)[..., None], vectors, tf.zeros_like(vectors))

    def __call__(
        self,
        text: tf.Tensor,
        visual: tf.Tensor | None,
        users: tf.Tensor,
        *,
        own: int,
        others: int,
    ) -> tuple[tf.Tensor, ...]:
        """The most similar train posts of each query.

        Args:
            text: float32 `[B, g]`, zeros for no text.
            visual: float32 `[B, w]`, zeros for no picture; None where the tables have none.
            users: int32 `[B]`, -1 for somebody who has no train posts.
            own, others: how many posts by the same user and by others, each at least 1.

        Returns:
            Places of posts int32 `[B, own]`, -1 pads, their similarities float32 `[B, own]`, 0 at
            the padding; the same of others.
        """
        text = unit_vectors(text)
        visual = None if self.visual is None else unit_vectors(visual)
        block = max(1, _BLOCK_VALUES // max(self.posts, 1))
        kinds = [(own, tf.int32), (own, tf.float32), (others, tf.int32), (others, tf.float32)]
        specs = [tf.TensorSpec([None, width], dtype) for width, dtype in kinds]
        parts = {"text": text, "users": users, "visual": visual}
        parts = {name: values for name, values in parts.items() if values is not None}

        def found(rows: list[Any]) -> list[tf.Tensor]:
            some = dict(zip(parts, rows, strict=True))
            return list(self._block(**{"visual": None, **some}, own=own, others=others))

        return tuple(in_blocks(found, list(parts.values()), block, specs, beside=1))

    def _block(
        self, text: tf.Tensor, visual: tf.Tensor | None, users: tf.Tensor, own: int, others: int
    ) -> tuple[tf.Tensor, ...]:
        # Posts by queries, `[P, b]`: products and gathered rows are contiguous that way.
        has_text = tf.reduce_any(text != 0, axis=1)
        similarity = tf.gather(tf.matmul(self.text, text, transpose_b=True), self.text_row)
        comparable = has_text
        if visual is not None:
            has_visual = tf.reduce_any(visual != 0, axis=1)
            comparable = has_text | has_visual
            seen = tf.gather(tf.matmul(self.visual, visual, transpose_b=True), self.visual_row)
            similarity = tf.where(has_visual, 1 - self.omega, 1.0) * similarity
            similarity += tf.where(has_text, self.omega, 1.0) * seen
        levels = tf.transpose(tf.round(similarity * STEP))
        mine = self.users[None] == users[:, None]
        nothing = -float("inf")
        return (
            *_best(tf.where(mine, levels, nothing), own),
            *_best(tf.where(comparable[:, None] & ~mine, levels, nothing), others),
        )


def _best(levels: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Places `[b, count]` of the highest levels, the lower of equals first, and similarities."""
    held = min(count, levels.shape[1])
    best = tf.math.top_k(levels, held)
    real = best.values > -float("inf")
    places = tf.where(real, best.indices, -1)
    similarity = tf.where(real, best.values / STEP, 0.0)
    padding = [[0, 0], [0, count - held]]
    return tf.pad(places, padding, constant_values=-1), tf.pad(similarity, padding)


def _split(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lengths, float32 `[n]`, and vectors of length 1, zeros where they are zeros."""
    vectors = np.asarray(vectors)
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    unit = vectors / np.where(lengths > 0, lengths, 1)[:, None]
    return lengths.astype(np.float32), unit.astype(np.float32)


def unit_vectors(vectors: tf.Tensor) -> tf.Tensor:
    """Rows of length 1; rows of zeros stay."""
    length = tf.sqrt(tf.reduce_sum(tf.square(vectors), axis=1, keepdims=True))
    return tf.math.divide_no_nan(vectors, length)
