"""A hashtag as one user sees it: attention over its context messages."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.masked_softmax import masked_softmax
from tfhashtag.layers.sublayers import at_least_float32, check_sizes, dense
from tfhashtag.registration import ConfiguredByArguments, public

SCORES = ("topic_bilinear", "bilinear", "additive", "mean")


@public
class PersonalizedTopicAttention(ConfiguredByArguments, keras.layers.Layer):
    r"""Personalised topic attention (EMNLP 2021, equations 3 to 5).

    $$
    \alpha_{u,m} = \mathrm{softmax}_m f(r_u, [r_m; z_h]), \quad
    r_u^h = \sum_m \alpha_{u,m} r_m
    $$

    The paper's equation 3 leaves \(f\) open. One linear map of \([r_u; r_m; z_h]\) would add the
    same constant for every message, which the softmax cancels, so each choice of `score` lets user
    and message interact:

    - `"topic_bilinear"`: \((W_q r_u)^\top \tanh(W_k [r_m; z_h] + b_k)\);
    - `"bilinear"`: \(r_u^\top W [r_m; z_h] + b\). Here the part of \(z_h\) is the same for all
      messages of a hashtag: the topics have no effect on the weights and get no gradient;
    - `"additive"`: \(v^\top \tanh(W_q r_u + W_k [r_m; z_h] + b)\);
    - `"mean"`: the same for all messages, for baselines and ablations. Nobody is looked at, there
      are no weights, and topics are not read.

    The first two are one matrix product between users and keys, where a key belongs to a message
    of a hashtag and to no user: `queries`, `keys` and `scores` are public, so that a catalogue's
    keys are computed once for all users.

    A padded message gets weight exactly 0; a hashtag without any context gets a zero vector. The
    softmax runs in float32 at least, whatever the dtype policy.

    Input: `user`, float `[B, D]`; `contexts`, float `[B, C, M, d]`; `topics`, float `[B, C, K]` or
    None for attention without topics; `contexts_mask`, bool `[B, C, M]`, true for a message (None:
    all are). Output: `embeddings` \(r_u^h\), float `[B, C, d]`, and `attention`
    \(\alpha_{u,m}\), float `[B, C, M]`.

    Args:
        units: int >= 1, width of query and key; not used by `"bilinear"`, whose keys are
            \([r_m; z_h]\) themselves, nor by `"mean"`.
        score: one of `"topic_bilinear"`, `"bilinear"`, `"additive"`, `"mean"`.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: `units` or `score` is not one of the above, or `contexts` is not of rank 4.

    Example:

    >>> import numpy as np
    >>> layer = PersonalizedTopicAttention(units=8)
    >>> embeddings, attention = layer(
    ...     np.ones((2, 6), "float32"),
    ...     np.ones((2, 3, 4, 5), "float32"),
    ...     np.ones((2, 3, 7), "float32"),
    ...     contexts_mask=np.arange(4) < np.array([4, 1, 0])[None, :, None] + np.zeros((2, 1, 1)),
    ... )
    >>> embeddings.shape, attention[0].numpy().tolist()
    (TensorShape([2, 3, 5]), [[0.25, 0.25, 0.25, 0.25], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    """

    def __init__(self, units: int = 256, score: str = "topic_bilinear", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_sizes(units=units)
        if score not in SCORES:
            raise ValueError(f"`score` must be one of {', '.join(SCORES)}, found {score!r}.")
        self.units = units
        self.score = score

    def build(self, user_shape: Any, contexts_shape: Any, topics_shape: Any = None) -> None:
        if len(contexts_shape) != 4:
            raise ValueError(
                "`contexts` must be [users, candidates, messages, width], found shape "
                f"{tuple(contexts_shape)}."
            )
        if self.score == "mean":
            return
        width = contexts_shape[-1] + (topics_shape[-1] if topics_shape is not None else 0)
        units = width if self.score == "bilinear" else self.units
        self.query_dense = dense(self, user_shape[-1], units, "query", use_bias=False)
        if self.score == "bilinear":
            self.bias = self.add_weight(shape=(), initializer="zeros", name="bias")
        else:
            # One matrix W_k in two parts, so that z_h is projected once a hashtag, not a message.
            self.message_dense = dense(self, contexts_shape[-1], units, "message_key")
            if topics_shape is not None:
                topics = topics_shape[-1]
                self.topic_dense = dense(self, topics, units, "topic_key", use_bias=False)
        if self.score == "additive":
            self.vector = self.add_weight(
                shape=(self.units,), initializer="glorot_uniform", name="vector"
            )

    def queries(self, user: Any) -> Any:
        """The user's side of the score: float `[..., D]` to `[..., A]`."""
        if self.score == "mean":
            return ops.zeros_like(user[..., :1])
        return self.query_dense(user)

    def keys(self, contexts: Any, topics: Any = None) -> Any:
        """The messages' side of the score: `[..., M, d]` and `[..., K]` to `[..., M, A]`."""
        if self.score == "mean":
            return ops.zeros_like(contexts[..., :1])
        if self.score == "bilinear":
            if topics is None:
                return contexts
            topics = ops.broadcast_to(
                topics[..., None, :], (*ops.shape(contexts)[:-1], topics.shape[-1])
            )
            return ops.concatenate([contexts, ops.cast(topics, contexts.dtype)], axis=-1)
        keys = self.message_dense(contexts)
        if topics is not None:
            keys = keys + self.topic_dense(topics)[..., None, :]
        return ops.tanh(keys) if self.score == "topic_bilinear" else keys

    def scores(self, queries: Any, keys: Any) -> Any:
        """Scores before the softmax, `[B, C, M]`.

        Args:
            queries: float `[B, A]`.
            keys: float `[B, C, M, A]`, or `[C, M, A]` for candidates that all users share.
        """
        shape = ops.shape(keys)
        if self.score == "additive":
            hidden = ops.tanh(queries[:, None, None, :] + keys)
            return ops.matmul(hidden, ops.cast(self.vector, hidden.dtype))
        if len(shape) == 3:
            flat = ops.reshape(keys, (-1, keys.shape[-1]))
            scores = ops.matmul(queries, ops.transpose(flat))
            scores = ops.reshape(scores, (-1, shape[0], shape[1]))
        else:
            flat = ops.reshape(keys, (shape[0], -1, keys.shape[-1]))
            scores = ops.reshape(ops.matmul(flat, queries[:, :, None]), shape[:3])
        return scores + ops.cast(self.bias, scores.dtype) if self.score == "bilinear" else scores

    def weights_of(self, scores: Any, contexts_mask: Any = None) -> Any:
        """The masked softmax of equation 4, in float32 at least: `[B, C, M]`."""
        if contexts_mask is None:
            return ops.softmax(at_least_float32(scores), axis=-1)
        return masked_softmax(scores, contexts_mask)

    def call(self, user: Any, contexts: Any, topics: Any = None, contexts_mask: Any = None) -> Any:
        if contexts_mask is not None:
            contexts_mask = ops.cast(contexts_mask, "bool")
            contexts = ops.where(contexts_mask[..., None], contexts, ops.zeros_like(contexts))
        scores = self.scores(self.queries(user), self.keys(contexts, topics))
        attention = ops.cast(self.weights_of(scores, contexts_mask), self.compute_dtype)
        embeddings = ops.matmul(attention[:, :, None, :], contexts)
        return ops.squeeze(embeddings, axis=2), attention

    def compute_output_shape(
        self, user_shape: Any, contexts_shape: Any, topics_shape: Any = None
    ) -> Any:
        """`[B, C, d]` and `[B, C, M]`."""
        return (*contexts_shape[:2], contexts_shape[-1]), tuple(contexts_shape[:3])
