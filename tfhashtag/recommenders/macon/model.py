"""MaCon: a post and the user's latest posts, weighted by what they have in common."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tfhashtag.layers import HashtagAttention, ParallelCoAttention, UserHabit
from tfhashtag.layers.sublayers import at_least_float32, check_dropout, check_sizes
from tfhashtag.registration import public


@public
class MaconModel(keras.Model):
    r"""MaCon (AAAI 2019), a memory-augmented co-attention model, in our inputs.

    $$
    U = \mathrm{LSTM}(words), \quad P = \tanh(V W_I), \quad
    p = \mathrm{CoAttention}(U, P), \quad
    z = W_s [p ; r] + b_s
    $$

    \(p\) comes from `ParallelCoAttention`, for the post and for each of the user's latest posts
    with the same weights (LSTM, \(W_I\) and co-attention); \(t_i\), the hashtags of a history
    post, from `HashtagAttention` over embeddings of labels; the habit \(r\) from `UserHabit`.
    Dropout stands before \(W_s\). The softmax over labels is part of `LabelCrossentropy`.

    After the equations of the released code, and without its faults: only real hashtags get
    weight, padding of words has none either, and the history is earlier than the post (see
    `PostInputs`). In comparisons it reads the same frozen image proposals as `PhrModel`.

    Inputs, a dictionary (B posts, W words, h history posts, T hashtags of each):

    - `tokens`: int `[B, W]`, word ids from 1 on, then 0 as padding at the end;
    - `history_tokens`: int `[B, h, W]`; `history_hashtags`: int `[B, h, T]`, labels, -1 pads;
      `history_mask`: bool `[B, h]`;
    - with images `proposals`: float `[B, P * m, a']`, those of all pictures on one axis,
      `has_image`: bool `[B]`; `history_proposals`: float `[B, h, P * m, a']`, `history_has_image`:
      bool `[B, h]`; with several pictures `image_mask`: bool `[B, P]`, which there are, and
      `history_image_mask`: bool `[B, h, P]`.

    What is not there has no weight: a post without image is its words, one without words its
    image. In place of a post with neither, of the hashtags of a history post without any, and of
    the habit of a user without history stand learned vectors. With `image_width` None the model
    has no weights for images and reads text alone.

    Output: logits, float32 at least, `[B, L]`. A post's answer does not depend on the rest of the
    batch.

    Args:
        labels: int >= 1, L.
        image_width: int >= 1, a', width of the given image proposals; None: no images.
        vocabulary_size: int >= 2, that of `WordIds`.
        proposals: int >= 1, m.
        features: int >= 1, units of the LSTM and width of a post.
        attention: int >= 1, inner width of `ParallelCoAttention`.
        hashtag_attention: int >= 1, inner width of `HashtagAttention`.
        embedding_width: int >= 1, of word vectors.
        dropout: float in [0, 1), of `[p; r]`.
        cudnn: whether training may use the fused LSTM of NVIDIA's library, which XLA cannot
            compile; outside training it is never used.
        **kwargs: of `keras.Model`.

    Raises:
        ValueError: an argument is out of range, or inputs of images are missing or too many.

    Example:

    >>> import numpy as np
    >>> model = MaconModel(7, None, vocabulary_size=9, features=6, attention=5)
    >>> model({
    ...     "tokens": np.array([[3, 1, 0]]),
    ...     "history_tokens": np.array([[[4, 0, 0], [0, 0, 0]]]),
    ...     "history_hashtags": np.array([[[6, 2, -1], [-1, -1, -1]]]),
    ...     "history_mask": np.array([[True, False]]),
    ... }).shape
    TensorShape([1, 7])
    """

    def __init__(
        self,
        labels: int,
        image_width: int | None,
        vocabulary_size: int = 20_000,
        *,
        proposals: int = 9,
        features: int = 300,
        attention: int = 100,
        hashtag_attention: int = 200,
        embedding_width: int = 300,
        dropout: float = 0.75,
        cudnn: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._config = {
            "labels": labels,
            "image_width": image_width,
            "vocabulary_size": vocabulary_size,
            "proposals": proposals,
            "features": features,
            "attention": attention,
            "hashtag_attention": hashtag_attention,
            "embedding_width": embedding_width,
            "dropout": dropout,
            "cudnn": cudnn,
        }
        _check(self._config)
        policy = self.dtype_policy
        self.features, self.image_width, self.proposals = features, image_width, proposals
        self.cudnn = bool(cudnn)
        self.word_embedding = keras.layers.Embedding(
            vocabulary_size, embedding_width, dtype=policy, name="words"
        )
        self.lstm = keras.layers.LSTM(
            features,
            return_sequences=True,
            use_cudnn="auto" if cudnn else False,
            dtype=policy,
            name="lstm",
        )
        self.image_dense = None
        if image_width is not None:
            self.image_dense = keras.layers.Dense(
                features, activation="tanh", use_bias=False, dtype=policy, name="image"
            )
        self.co_attention = ParallelCoAttention(attention, dtype=policy, name="co_attention")
        self.label_embedding = keras.layers.Embedding(
            labels, features, dtype=policy, name="hashtags"
        )
        self.hashtag_attention = HashtagAttention(
            hashtag_attention, dtype=policy, name="hashtag_attention"
        )
        self.habit = UserHabit(features, dtype=policy, name="habit")
        self.drop = keras.layers.Dropout(dropout, dtype=policy, name="drop")
        self.logits_dense = keras.layers.Dense(labels, dtype=policy, name="logits")
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Makes all weights. `__init__` calls it: all widths are among its arguments."""
        if getattr(self, "built", False):
            return
        features = self.features
        self.word_embedding.build((None, None))
        self.lstm.build((None, None, self._config["embedding_width"]))
        if self.image_dense is None:
            self.co_attention.build((None, None, features))
        else:
            self.image_dense.build((None, self.proposals, self.image_width))
            self.co_attention.build((None, None, features), (None, self.proposals, features))
        self.label_embedding.build((None, None, None))
        self.hashtag_attention.build((None, None, None, features))
        self.habit.build((None, features), (None, None, features), (None, None, features))
        self.logits_dense.build((None, 2 * features))
        self.built = True

    def build_from_config(self, config: Any) -> None:
        """Called when a saved model is loaded."""
        self.build()

    def call(self, inputs: Mapping, training: Any = False) -> Any:
        """Logits `[B, L]` of posts."""
        found = self.represent(inputs, training=training)
        return self.logits_of(found, training=training)

    def represent(self, inputs: Mapping, training: Any = False) -> dict:
        """What is known of each post and of its user.

        Returns:
            `post`: p, float `[B, f]`; `habit`: r, float `[B, f]`; `words_attention` `[B, W]`,
            `history_attention` `[B, h]`, `hashtag_attention` `[B, h, T]`, and with images
            `image_attention` `[B, m]`.
        """
        self._check_inputs(inputs)
        mask = ops.cast(inputs["history_mask"], "bool")
        tokens = self._with_history(inputs["tokens"], inputs["history_tokens"])
        flat = ops.reshape(tokens, (-1, tokens.shape[-1]))
        words, words_mask = self._states(flat, training), flat != 0
        if self.image_dense is None:
            mixed = self.co_attention(words, words_mask=words_mask)
        else:
            proposals, image_mask = self._pictures(inputs)
            mixed = self.co_attention(
                words, self.image_dense(proposals), words_mask=words_mask, image_mask=image_mask
            )
        posts = ops.reshape(
            mixed["vector"], (ops.shape(tokens)[0], ops.shape(tokens)[1], self.features)
        )
        labels = inputs["history_hashtags"]
        real = labels >= 0
        tagged = self.hashtag_attention(
            self.label_embedding(ops.where(real, labels, ops.zeros_like(labels))),
            hashtags_mask=ops.logical_and(real, mask[..., None]),
        )
        habit = self.habit(posts[:, 0], posts[:, 1:], tagged["vector"], history_mask=mask)
        found = {
            "post": posts[:, 0],
            "habit": habit["vector"],
            "history_attention": habit["attention"],
            "hashtag_attention": tagged["attention"],
        }
        for name in ("words_attention", "image_attention"):
            if name in mixed:
                weights = mixed[name]
                shape = (*ops.shape(tokens)[:2], ops.shape(weights)[-1])
                found[name] = ops.reshape(weights, shape)[:, 0]
        return found

    def logits_of(self, found: Mapping, training: Any = False) -> Any:
        """Logits from what `represent` gave."""
        both = ops.concatenate([found["post"], found["habit"]], axis=-1)
        return at_least_float32(self.logits_dense(self.drop(both, training=training)))

    def _pictures(self, inputs: Mapping) -> tuple:
        """Proposals of posts and their history, `[N, n, a']`, and which are real, `[N, n]`."""
        proposals = self._with_history(inputs["proposals"], inputs["history_proposals"])
        count = ops.shape(proposals)[2]
        if "image_mask" in inputs:
            real = self._with_history(inputs["image_mask"], inputs["history_image_mask"])
        else:
            real = self._with_history(inputs["has_image"], inputs["history_has_image"])[..., None]
        mask = ops.repeat(ops.cast(real, "bool"), self.proposals, axis=-1)
        shape = (-1, count, self.image_width)
        return ops.reshape(proposals, shape), ops.reshape(mask, (-1, count))

    @staticmethod
    def _with_history(own: Any, history: Any) -> Any:
        """The post itself before its history posts: `[B, 1 + h, ...]`."""
        own, history = ops.convert_to_tensor(own), ops.convert_to_tensor(history)
        return ops.concatenate([own[:, None], ops.cast(history, own.dtype)], axis=1)

    def _states(self, tokens: Any, training: Any) -> Any:
        """States of the LSTM, `[N, W, f]`, zeros at padding."""
        # The fused kernel takes no empty sequence: an empty text has one word, cleared later.
        mask = ops.concatenate([ops.ones_like(tokens[:, :1]), tokens[:, 1:]], axis=1) != 0
        self.lstm.use_cudnn = "auto" if self.cudnn and training else False
        states = self.lstm(self.word_embedding(tokens), mask=mask, training=training)
        return ops.where(tokens[..., None] != 0, states, ops.zeros_like(states))

    def _check_inputs(self, inputs: Any) -> None:
        for name in ("proposals", "has_image", "history_proposals", "history_has_image"):
            if self.image_dense is not None and name not in inputs:
                raise ValueError(
                    f"`{name}` is missing among the inputs: the model reads images; for posts "
                    "without any make it with `image_width` None."
                )
            if self.image_dense is None and name in inputs:
                raise ValueError(
                    f"`{name}` is among the inputs, but the model was made with `image_width` "
                    "None and reads no images."
                )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._config}


def _check(config: Mapping) -> None:
    """Sizes that no layer checks."""
    names = ["labels", "proposals", "features", "embedding_width"]
    names += [] if config["image_width"] is None else ["image_width"]
    check_sizes(**{name: config[name] for name in names})
    check_sizes(2, vocabulary_size=config["vocabulary_size"])
    check_dropout(config["dropout"])
