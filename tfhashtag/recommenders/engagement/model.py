"""The published engagement model: who will tag what."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tfhashtag.layers import (
    EngagementHead,
    NeuralTopicModel,
    PersonalizedTopicAttention,
    UserEncoder,
)
from tfhashtag.layers.sublayers import at_least_float32
from tfhashtag.losses import NeuralTopicLoss, WeightedBinaryCrossentropy
from tfhashtag.registration import public, serialized_part

PHASES = ("topics", "warmup", "joint")
_PARTS = ("user_encoder", "topic_model", "topic_attention", "head", "engagement_loss")


@public
class EngagementModel(keras.Model):
    r"""How likely will user u tag hashtag h? (EMNLP 2021, Section 3)

    A Bi-LSTM reads the user's history, a neural topic model the words of each hashtag's context
    messages, personalised topic attention makes one vector of a hashtag's messages for this user,
    and a small head gives the logit. One batch is a set of users, each with a list of candidate
    hashtags: a user's history is encoded once, however many candidates there are.

    Baselines and ablations of the paper have other parts; `compose` puts them together from a
    configuration. Without personalised attention (`score="mean"`) a hashtag is the mean of its
    messages; then \(z_h\) is concatenated, \(r_h = \sum_m \frac{1}{|h|} [r_m; z_h]\).

    Messages come as rows of `message_vectors`, the frozen embedding table. It is set on the model,
    is not trained, and is in no checkpoint.

    Inputs, a dictionary (B users, H history messages, C candidates, M contexts, V words):

    - `history`: int `[B, H]`, message rows, oldest first, -1 pads at the end;
    - `contexts`: int `[B, C, M]`, message rows, -1 pads;
    - `bag_of_words`: counts `[B, C, V]`; not used without topics;
    - `candidate_mask`: bool `[B, C]`, false for a padded candidate (missing: all are real).

    Outputs, a dictionary of float tensors: `logits` `[B, C]`; `attention` `[B, C, M]`; with topics
    also `topics` `[B, C, K]` (proportions \(\theta_h\)), `topic_kl` and `topic_nll` `[B, C]` (the
    two terms of equation 9). `logits` are float32 at least under every dtype policy.

    Training goes through phases, see `set_phase`. The loss of the last is equation 10,
    \(L = L_{eng} + \mu L_{ntm}\), both means over the candidates that are not padding. `fit` takes
    pairs of inputs and labels `[B, C]`, and reports `engagement_loss`, `topic_kl`, `topic_nll`,
    those that the phase trains.

    Args:
        message_width: int >= 1, d, width of a message vector.
        user_encoder: `UserEncoder`, from a history to \(r_u\).
        topic_attention: `PersonalizedTopicAttention`, from messages to \(r_u^h\).
        head: `EngagementHead`, from both to the logit.
        topic_model: `NeuralTopicModel`, or None for a model without topics.
        engagement_loss: a loss of logits; None: `WeightedBinaryCrossentropy()`, equation 8.
        topic_weight: float >= 0, mu of equation 10.
        **kwargs: of `keras.Model`, e.g. `dtype`.

    Raises:
        ValueError: an argument is out of range, or rows are given before `message_vectors` is set.

    Example:

    >>> model = EngagementModel(
    ...     message_width=4,
    ...     user_encoder=UserEncoder(hidden=5),
    ...     topic_attention=PersonalizedTopicAttention(units=5),
    ...     head=EngagementHead(hidden=5),
    ...     topic_model=NeuralTopicModel(vocabulary_size=6, topics=3),
    ... )
    >>> model.message_vectors = np.ones((10, 4), "float32")
    >>> outputs = model({
    ...     "history": np.array([[0, 1, -1]]),
    ...     "contexts": np.array([[[2, 3], [4, -1]]]),
    ...     "bag_of_words": np.ones((1, 2, 6), "float32"),
    ... })
    >>> outputs["logits"].shape, outputs["attention"].shape, outputs["topics"].shape
    (TensorShape([1, 2]), TensorShape([1, 2, 2]), TensorShape([1, 2, 3]))
    """

    built: bool

    def __init__(
        self,
        message_width: int,
        user_encoder: UserEncoder,
        topic_attention: PersonalizedTopicAttention,
        head: EngagementHead,
        topic_model: NeuralTopicModel | None = None,
        engagement_loss: keras.losses.Loss | None = None,
        topic_weight: float = 1e-4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(message_width, int) or message_width < 1:
            raise ValueError(f"`message_width` must be an integer >= 1, found {message_width!r}.")
        if topic_weight < 0:
            raise ValueError(f"`topic_weight` must be at least 0, found {topic_weight!r}.")
        self.message_width, self.topic_weight = message_width, topic_weight
        self.user_encoder, self.topic_model = user_encoder, topic_model
        self.topic_attention, self.head = topic_attention, head
        self.engagement_loss = engagement_loss or WeightedBinaryCrossentropy()
        self._trackers = {
            name: keras.metrics.Mean(name=name)
            for name in ("engagement_loss", "topic_kl", "topic_nll")
        }
        self._phase = "joint"
        object.__setattr__(self, "_message_vectors", None)
        object.__setattr__(self, "_traced", {})
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Makes all weights. `__init__` calls it: all widths are among its arguments."""
        if self.built:
            return
        user, topics, width = (None, self.user_width), None, self.message_width
        self.user_encoder.build((None, None, self.message_width))
        if self.topic_model is not None:
            self.topic_model.build((None, self.topic_model.vocabulary_size))
            topics = (None, None, self.topic_model.topics)
            width += self.topic_model.topics if self._topics_concatenated else 0
        self.topic_attention.build(user, (None, None, None, self.message_width), topics)
        self.head.build((None, None, width), user)
        self.built = True

    def build_from_config(self, config: Any) -> None:
        """Called when a saved model is loaded."""
        self.build()

    @property
    def user_width(self) -> int:
        """Width of \\(r_u\\)."""
        history = (None, None, self.message_width)
        return self.user_encoder.compute_output_shape(history)[-1]

    @property
    def message_vectors(self) -> Any:
        """The frozen embedding table, float32 `[messages, message_width]`, or None.

        Set it to an array. Functions that `fit`, `predict` and `traced` have compiled for an
        earlier table are dropped.
        """
        return self._message_vectors

    @message_vectors.setter
    def message_vectors(self, vectors: Any) -> None:
        if vectors is not None:
            if len(vectors.shape) != 2 or vectors.shape[1] != self.message_width:
                raise ValueError(
                    f"`message_vectors` must be [messages, {self.message_width}], found shape "
                    f"{tuple(vectors.shape)}."
                )
            vectors = tf.convert_to_tensor(np.asarray(vectors, dtype="float32"))
        # Past Keras's and TensorFlow's tracking: the table is data, not state of the model.
        object.__setattr__(self, "_message_vectors", vectors)
        self._forget_compiled()

    @property
    def phase(self) -> str:
        """The phase of training, one of `"topics"`, `"warmup"`, `"joint"`."""
        return self._phase

    def set_phase(self, phase: str) -> None:
        """Chooses what is trained; call `compile` afterwards, with a fresh optimizer.

        - `"topics"`: the topic model alone, by its own loss; inputs need no history or contexts;
        - `"warmup"`: everything else, the topic model frozen and without noise;
        - `"joint"`: everything, equation 10. Without topics it is the same as `"warmup"`.

        Raises:
            ValueError: no such phase, or `"topics"` for a model without topics.
        """
        if phase not in PHASES:
            raise ValueError(f"`phase` must be one of {', '.join(PHASES)}, found {phase!r}.")
        if phase == "topics" and self.topic_model is None:
            raise ValueError("`phase` is 'topics', but the model has no `topic_model`.")
        self._phase = phase
        for layer in (self.user_encoder, self.topic_attention, self.head):
            layer.trainable = phase != "topics"
        if self.topic_model is not None:
            self.topic_model.trainable = phase != "warmup"
        self._forget_compiled()

    def encode_user(self, history: Any, mask: Any = None, training: Any = False) -> Any:
        """User embeddings \\(r_u\\): vectors `[B, H, d]` and mask `[B, H]` to `[B, user_width]`."""
        return self.user_encoder(history, history_mask=mask, training=training)

    def encode_hashtags(self, bag_of_words: Any) -> Any:
        """\\(z_h\\) at inference: counts `[..., V]` to `[..., K]`; None without topics."""
        if self.topic_model is None:
            return None
        return self.topic_model.encode(bag_of_words)["z"]

    def score_vectors(
        self, user: Any, contexts: Any, mask: Any = None, topics: Any = None, training: Any = False
    ) -> Any:
        """Logits of candidates from vectors instead of rows.

        Args:
            user: float `[B, user_width]`, from `encode_user`.
            contexts: float `[B, C, M, d]`.
            mask: bool `[B, C, M]`, true for a message.
            topics: float `[B, C, K]`, from `encode_hashtags`; None without topics.
            training: whether dropout is on.

        Returns:
            logits `[B, C]`, attention `[B, C, M]`.
        """
        embeddings, attention = self.topic_attention(user, contexts, topics, contexts_mask=mask)
        if self._topics_concatenated:
            share = ops.sum(attention, axis=-1, keepdims=True)  # 0 without any message, else 1
            embeddings = ops.concatenate([embeddings, share * ops.cast(topics, share.dtype)], -1)
        logits = self.head(embeddings, user, training=training)
        return at_least_float32(logits), attention

    def user_queries(self, user: Any) -> Any:
        """What ranking needs of users: embeddings `[B, user_width]` to a pair for `score_keys`."""
        return self.topic_attention.queries(user), self.head.user_dense(user)

    def hashtag_keys(self, contexts: Any, topics: Any = None) -> Any:
        """What ranking needs of hashtags, for no user in particular.

        The first product of equation 6 belongs to the messages too, since
        \\(W_1 \\sum_m \\alpha_{u,m} r_m = \\sum_m \\alpha_{u,m} W_1 r_m\\).

        Args:
            contexts: float `[N, M, d]`.
            topics: float `[N, K]`, or None without topics.

        Returns:
            keys `[N, M, A]` and values \\(W_1 r_m\\) `[N, M, head.hidden]`, for `score_keys`.
        """
        keys = self.topic_attention.keys(contexts, topics)
        return keys, self.head.hashtag_dense(self.attended(contexts, topics))

    def attended(self, contexts: Any, topics: Any = None) -> Any:
        """What attention sums: `[N, M, d]`, or `[N, M, d + K]` where \\(z_h\\) is concatenated."""
        if not self._topics_concatenated:
            return contexts
        wide = ops.broadcast_to(topics[:, None], (*ops.shape(contexts)[:2], topics.shape[-1]))
        return ops.concatenate([contexts, ops.cast(wide, contexts.dtype)], axis=-1)

    def score_keys(self, queries: Any, keys: Any, mask: Any) -> Any:
        """Logits `[B, N]` of hashtags that all users share.

        Args:
            queries: from `user_queries`.
            keys: from `hashtag_keys`.
            mask: bool `[N, M]`, or `[B, N, M]` where users see different contexts.
        """
        (query, user_part), (key, values) = queries, keys
        mask = mask if len(mask.shape) == 3 else mask[None]
        weights = self.topic_attention.weights_of(self.topic_attention.scores(query, key), mask)
        weights = ops.cast(ops.transpose(weights, (1, 0, 2)), values.dtype)
        logits = self.head.logits(ops.matmul(weights, values), user_part[None])
        return at_least_float32(ops.transpose(logits))

    def vectors_of(self, rows: Any) -> Any:
        """Gathers message vectors: int `[...]`, -1 pads, to `[..., d]` and a bool mask `[...]`."""
        if self._message_vectors is None:
            raise ValueError(
                "`message_vectors` is not set: assign the embedding table before passing rows."
            )
        rows = ops.convert_to_tensor(rows)
        vectors = ops.take(self._message_vectors, ops.maximum(rows, 0), axis=0)
        return ops.cast(vectors, self.compute_dtype), rows >= 0

    def traced(self, function: Callable, **options: Any) -> Callable:
        """`function` with this model as its first argument, as a `tf.function`.

        It is made once, so that what is ranked again and again is not traced again.

        Args:
            function: one that lives as long as its module, not a closure.
            options: of `tf.function`; those of the first call count.
        """
        if function not in self._traced:
            self._traced[function] = tf.function(
                functools.partial(function, self), autograph=False, **options
            )
        return self._traced[function]

    def call(self, inputs: Any, training: Any = False) -> Any:
        outputs = {}
        topics = None
        if self.topic_model is not None:
            bag = inputs["bag_of_words"]
            topic = self.topic_model(bag, training=training and self._phase != "warmup")
            topics = topic["z"]
            wide = {k: at_least_float32(topic[k]) for k in ("mean", "log_sigma", "logits")}
            outputs["topics"] = topic["theta"]
            outputs["topic_kl"] = NeuralTopicLoss.kl(wide["mean"], wide["log_sigma"])
            outputs["topic_nll"] = NeuralTopicLoss.nll(bag, wide["logits"])
        if self._phase == "topics":
            return outputs
        history, history_mask = self.vectors_of(inputs["history"])
        contexts, contexts_mask = self.vectors_of(inputs["contexts"])
        user = self.encode_user(history, history_mask, training=training)
        outputs["logits"], outputs["attention"] = self.score_vectors(
            user, contexts, contexts_mask, topics, training=training
        )
        return outputs

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: Any = True,
    ) -> Any:
        """The loss of the current phase; also updates the reported parts of it."""
        first = y_pred["topic_kl"] if self._phase == "topics" else y_pred["logits"]
        mask = x.get("candidate_mask")
        weight = ops.ones_like(first) if mask is None else ops.cast(mask, first.dtype)
        if sample_weight is not None:
            weight = weight * ops.cast(sample_weight, weight.dtype)
        share, together = _share_of_batch(weight)
        loss = 0.0
        if self._phase != "topics":
            loss = self.engagement_loss(y, y_pred["logits"], sample_weight=weight)
            # Keras has divided it by the number of replicas already.
            loss = share * tf.distribute.get_strategy().num_replicas_in_sync * loss
            self._trackers["engagement_loss"].update_state(together(loss))
        if self.topic_model is not None and self._phase != "warmup":
            count = ops.maximum(ops.sum(weight), 1.0)
            kl = share * ops.sum(weight * y_pred["topic_kl"]) / count
            nll = share * ops.sum(weight * y_pred["topic_nll"]) / count
            self._trackers["topic_kl"].update_state(together(kl))
            self._trackers["topic_nll"].update_state(together(nll))
            loss = loss + (kl + nll) * (1.0 if self._phase == "topics" else self.topic_weight)
        return loss

    def get_metrics_result(self) -> Any:
        """Reported figures by name: the loss, and its parts that this phase trains."""
        results = super().get_metrics_result()
        unused = {"topics": {"engagement_loss"}, "warmup": {"topic_kl", "topic_nll"}}
        skip = set(unused.get(self._phase, ()))
        if self.topic_model is None:
            skip |= {"topic_kl", "topic_nll"}
        return {name: value for name, value in results.items() if name not in skip}

    def get_config(self) -> Mapping:
        parts = {name: serialized_part(getattr(self, name)) for name in _PARTS}
        return {
            **super().get_config(),
            "message_width": self.message_width,
            "topic_weight": self.topic_weight,
            **parts,
        }

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        """A model from `get_config`."""
        made = keras.saving.deserialize_keras_object
        return cls(**{**config, **{name: config[name] and made(config[name]) for name in _PARTS}})

    @property
    def _topics_concatenated(self) -> bool:
        return self.topic_attention.score == "mean" and self.topic_model is not None

    def _forget_compiled(self) -> None:
        self.train_function = None
        self.test_function = None
        self.predict_function = None
        self._traced.clear()


def _share_of_batch(weight: Any) -> tuple[Any, Callable[[Any], Any]]:
    """How much of a batch one replica of a distribution strategy computes, and a sum over all.

    A mean times this share, summed over the replicas as gradients are, is that over the batch.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return 1.0, lambda value: value
    together = functools.partial(tf.distribute.get_replica_context().all_reduce, "sum")
    count = ops.sum(weight)
    return count / ops.maximum(together(count), 1.0), together
