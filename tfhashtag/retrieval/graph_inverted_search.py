"""Similar train posts in the graph by an inverted file, in place of `GraphPostSearch`."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.errors import ConfigError
from tfhashtag.retrieval.graph_post_search import unit_vectors
from tfhashtag.retrieval.inverted_file import InvertedFile
from tfhashtag.retrieval.inverted_table import InvertedTable
from tfhashtag.retrieval.shared_tables import constant
from tfhashtag.retrieval.vector_search import VectorQueries


class GraphInvertedSearch:
    """Train posts by similarity (thesis 2024, equation (13)), traceable in a `tf.function`.

    Asked and answered as `GraphPostSearch`; the rows are those of an `InvertedPostIndex`.

    Args:
        table: rows named by the corpus posts `train`.
        train: int `[P]`, rising; answers are places in it.
        user_of_post: int32 `[P]`, at least 0.
        text_length: float32 `[P]`, the length of each text's vector before it was made 1.
        text_width: g; what the vectors have beyond it is of pictures.
        omega: share of visual similarity, in [0, 1].

    Raises:
        ConfigError: `omega` is out of range.
    """

    def __init__(
        self,
        table: InvertedTable,
        train: np.ndarray,
        user_of_post: np.ndarray,
        text_length: np.ndarray,
        text_width: int,
        omega: float = 0.5,
    ) -> None:
        if not 0 <= omega <= 1:
            raise ConfigError(f"`omega` must be in [0, 1], found {omega}.")
        places = np.searchsorted(train, table.ids).astype(np.int32)
        users = np.asarray(user_of_post, np.int32)[places]
        # Whoever asks asks after all train posts.
        table = dataclasses.replace(table, ids=places, groups=users, times=None)
        self.index = InvertedFile(table, variables=True)
        self.omega, self._text_width = omega, text_width
        self.reads_pictures = self.index.width > text_width
        self.text_length = constant("text_length", np.asarray(text_length, np.float32))

    def trackables(self) -> list[Any]:
        """What the SavedModel must hold."""
        return [self.text_length, *self.index.trackables()]

    def text_vectors(self, places: tf.Tensor) -> tf.Tensor:
        """See `GraphPostSearch.text_vectors`; as exact as the index stores them."""
        lengths = tf.gather(tf.convert_to_tensor(self.text_length), tf.maximum(places, 0))
        return self.index.vectors_of(places)[..., : self._text_width] * lengths[..., None]

    def __call__(
        self,
        text: tf.Tensor,
        visual: tf.Tensor | None,
        users: tf.Tensor,
        *,
        own: int,
        others: int,
    ) -> tuple[tf.Tensor, ...]:
        """See `GraphPostSearch.__call__`."""
        vectors = text = unit_vectors(text)
        comparable = has_text = tf.reduce_any(text != 0, axis=1)
        if self.reads_pictures:
            visual = unit_vectors(visual)
            has_visual = tf.reduce_any(visual != 0, axis=1)
            comparable = has_text | has_visual
            share = tf.where(has_visual, 1 - self.omega, 1.0)[:, None] * text
            vectors = tf.concat(
                [share, tf.where(has_text, self.omega, 1.0)[:, None] * visual], axis=1
            )
        queries = VectorQueries(vectors, users)
        found, similarity = self.index(queries, others, "others")
        found = tf.where(comparable[:, None], found, -1)
        similarity = tf.where(comparable[:, None], similarity, 0.0)
        return *self.index(queries, own, "own"), found, similarity
