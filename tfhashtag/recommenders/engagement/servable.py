"""The published engagement model behind raw strings."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.vocabulary import Vocabulary
from tfhashtag.recommenders.engagement.graph_words import GraphBagOfWords
from tfhashtag.recommenders.engagement.model import EngagementModel
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.tasks.users.servable import State, UsersServable


class EngagementServingHead:
    """Serves an `EngagementModel` for a catalogue whose keys are computed once, at export.

    Args:
        model: a trained `EngagementModel`.
        vocabulary: its words.
        contexts: int32 `[N, M]`, message rows of each catalogue hashtag, -1 pads.
        vectors: float32 `[messages, d]`, as the model reads them.
        bags: float32 `[N, V]`, words of the same messages; None without topics.
        scale: what the encoder's vectors are multiplied by before the model reads them.
    """

    def __init__(
        self,
        model: EngagementModel,
        vocabulary: Vocabulary,
        contexts: np.ndarray,
        vectors: np.ndarray,
        bags: np.ndarray | None,
        scale: float,
    ) -> None:
        self.model = model
        self.scale = scale
        self.words = GraphBagOfWords(vocabulary) if model.topic_model is not None else None
        mask = contexts >= 0
        messages = np.where(mask[..., None], vectors[np.maximum(contexts, 0)], 0).astype("float32")
        topics = None if self.words is None else model.encode_hashtags(bags)
        keys = model.topic_attention.keys(tf.constant(messages), topics)

        def constant(value: Any, name: str) -> tf.Variable:
            return tf.Variable(value, trainable=False, name=name)

        self.messages = constant(model.attended(messages, topics), "context_vectors")
        self.mask = constant(mask, "context_mask")
        self.keys = constant(keys, "context_keys")

    def user_state(self, vectors: tf.Tensor, mask: tf.Tensor, hashtags: tf.Tensor) -> State:
        """`r_u`; the published model does not look at the hashtags of the history."""
        # Histories are read oldest first with padding at the end, so real messages move together.
        order = tf.argsort(tf.cast(~mask, tf.int32), axis=1, stable=True)
        vectors = tf.gather(vectors * self.scale, order, batch_dims=1)
        return {"user": self.model.encode_user(vectors, tf.gather(mask, order, batch_dims=1))}

    def ranked(self, state: State, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Two matrix products between users and all keys and messages, then the head."""
        logits = self._catalogue_logits(state)
        places = tf.range(tf.shape(logits)[1])[None]
        return tf.tile(places, [tf.shape(logits)[0], 1]), logits

    def logits_of(self, state: State, places: tf.Tensor) -> tf.Tensor:
        """Of the logits of the whole catalogue those at `places`."""
        return tf.gather(self._catalogue_logits(state), places, batch_dims=1)

    def _catalogue_logits(self, state: State) -> tf.Tensor:
        attention = self.model.topic_attention
        queries = attention.queries(state["user"])
        users = tf.shape(queries)[0]
        if attention.score == "additive":
            keys = tf.broadcast_to(self.keys[None], [users, *self.keys.shape])
            scores = tf.map_fn(
                lambda pair: attention.scores(pair[0][None], pair[1][None])[0],
                (queries, keys),
                fn_output_signature=tf.float32,
            )
        else:
            scores = tf.einsum("ba,nma->bnm", queries, self.keys)
            if attention.score == "bilinear":
                scores += attention.bias
        weights = attention.weights_of(scores, self.mask[None])
        embeddings = tf.einsum("bnm,nmd->bnd", weights, self.messages)
        return self.model.head(embeddings, state["user"])

    def context_state(self, state: State) -> State:
        """Nothing more."""
        return state

    def context_logits(
        self, state: State, texts: tf.Tensor, vectors: tf.Tensor, mask: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The model as in training, on contexts that the request brings."""
        topics = None
        if self.words is not None:
            topics = self.model.encode_hashtags(self.words(texts))
        return self.model.score_vectors(state["user"], vectors * self.scale, mask, topics)

    def embedding(self, state: State) -> tf.Tensor:
        """`r_u`, `[B, 2 * hidden]`."""
        return state["user"]

    def limits(self) -> tuple[str, ...]:
        """Nothing more."""
        return ()

    def trackables(self) -> list[Any]:
        """Variables and tables."""
        tables = [] if self.words is None else [self.words.table]
        return [self.model, self.messages, self.mask, self.keys, *tables]


def engagement_servable(recommender: Any, k: int = 50) -> UsersServable:
    """A trained `engagement` recommender as it is exported: see `UsersServable.of_catalogue`."""
    data = recommender.settings.data

    def head(episode: Episode, hashtags: np.ndarray) -> EngagementServingHead:
        contexts = recommender.contexts(episode, hashtags)
        return EngagementServingHead(
            recommender.model,
            recommender.vocabulary,
            contexts,
            recommender.vectors,
            recommender.words.bags(contexts),
            recommender.scale,
        )

    return UsersServable.of_catalogue(
        recommender.data, data.minimum_contexts, data.history_length, k, head
    )
