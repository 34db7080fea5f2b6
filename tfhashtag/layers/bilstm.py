"""Textual proposals: states of a bidirectional LSTM, pooled."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.sublayers import check_dropout, check_sizes, dropout_of
from tfhashtag.registration import ConfiguredByArguments, public

POOLINGS = ("segments", "first")


@public
class BiLSTM(ConfiguredByArguments, keras.layers.Layer):
    r"""Words to textual proposals \(T_i\) (thesis 2024, equation 12).

    Word vectors go through one LSTM in each direction, of f/2 units each, whose states are
    concatenated (forward, then backward). The n states of a post's words become m proposals:

    - `"segments"`: proposal j is the mean of the states from \(\lfloor jn/m \rfloor\) up to, not
      including, \(\lfloor (j+1)n/m \rfloor\), at least one: m contiguous parts whose sizes differ
      by at most 1. With fewer than m words a state serves several neighbouring proposals;
    - `"first"`: proposal j is the state of word j, and zeros from word n on.

    A text without words gives zeros. Padding, any amount of it, changes nothing.

    Input: `tokens`, int `[B, W]`: ids from 1 on, then 0 as padding at the end. Output: float
    `[B, m, f]`.

    Args:
        vocabulary_size: int >= 2, ids including 0; that of `WordIds.vocabulary_size`.
        proposals: int >= 1, m.
        features: even int >= 2, f.
        embedding_width: int >= 1, width of the word vectors.
        pooling: `"segments"` or `"first"`.
        dropout: float in [0, 1), on the word vectors, in training.
        cudnn: whether training may use the fused kernel of NVIDIA's library where there is one. It
            is faster on a GPU, and XLA cannot compile it. Outside training it is never used, so
            that what is exported runs on any machine. The weights are the same.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range, or `tokens` is not of rank 2.

    Example:

    >>> import numpy as np
    >>> layer = BiLSTM(vocabulary_size=10, proposals=3, features=4, embedding_width=5)
    >>> states = layer(np.array([[3, 1, 4, 1, 5, 9], [2, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]))
    >>> states.shape, states[2].numpy().any()
    (TensorShape([3, 3, 4]), np.False_)
    """

    def __init__(
        self,
        vocabulary_size: int,
        proposals: int = 9,
        features: int = 300,
        embedding_width: int = 300,
        pooling: str = "segments",
        dropout: float = 0.0,
        cudnn: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(2, vocabulary_size=vocabulary_size, features=features)
        check_sizes(proposals=proposals, embedding_width=embedding_width)
        if features % 2:
            raise ValueError(f"`features` must be even, half for each direction, found {features}.")
        if pooling not in POOLINGS:
            raise ValueError(f"`pooling` must be one of {', '.join(POOLINGS)}, found {pooling!r}.")
        check_dropout(dropout)
        self.vocabulary_size = vocabulary_size
        self.proposals = proposals
        self.features = features
        self.embedding_width = embedding_width
        self.pooling = pooling
        self.dropout = dropout
        self.cudnn = bool(cudnn)

    def build(self, tokens_shape: Any) -> None:
        if len(tokens_shape) != 2:
            raise ValueError(f"`tokens` must be [posts, words], found {tuple(tokens_shape)}.")
        self.embedding = keras.layers.Embedding(
            self.vocabulary_size, self.embedding_width, dtype=self.dtype_policy, name="embedding"
        )
        self.embedding.build(tuple(tokens_shape))
        self.drop = dropout_of(self)
        self.forward_lstm = self._lstm("forward", tokens_shape)
        self.backward_lstm = self._lstm("backward", tokens_shape)

    def _lstm(self, name: Any, tokens_shape: Any) -> Any:
        lstm = keras.layers.LSTM(
            self.features // 2,
            return_sequences=True,
            go_backwards=name == "backward",
            use_cudnn="auto" if self.cudnn else False,
            dtype=self.dtype_policy,
            name=name,
        )
        lstm.build((*tokens_shape, self.embedding_width))
        return lstm

    def states(self, tokens: Any, training: Any = False) -> Any:
        """States before pooling, `[B, W]` to `[B, W, f]`; those of padding mean nothing."""
        # The fused kernel takes no empty sequence: an empty text has one word, pooled away later.
        mask = ops.concatenate([ops.ones_like(tokens[:, :1]), tokens[:, 1:]], axis=1) != 0
        vectors = self.drop(self.embedding(tokens), training=training)
        for lstm in (self.forward_lstm, self.backward_lstm):
            lstm.use_cudnn = "auto" if self.cudnn and training else False
        forward = self.forward_lstm(vectors, mask=mask, training=training)
        backward = self.backward_lstm(vectors, mask=mask, training=training)
        return ops.concatenate([forward, ops.flip(backward, axis=1)], axis=-1)

    def shares(self, tokens: Any) -> Any:
        """The share of each state in each proposal, float32 `[B, m, W]`."""
        length = ops.sum(ops.cast(tokens != 0, "int32"), axis=-1)[:, None, None]
        proposal = ops.arange(self.proposals, dtype="int32")[None, :, None]
        place = ops.arange(ops.shape(tokens)[1], dtype="int32")[None, None, :]
        if self.pooling == "first":
            start, end = proposal, proposal + 1
        else:
            start = proposal * length // self.proposals
            end = ops.maximum((proposal + 1) * length // self.proposals, start + 1)
        inside = ops.logical_and(place >= start, place < ops.minimum(end, length))
        return ops.cast(inside, "float32") / ops.cast(end - start, "float32")

    def call(self, tokens: Any, training: Any = False) -> Any:
        states = self.states(tokens, training=training)
        shares = self.shares(tokens)
        if states.dtype != "float64":
            # The mean of up to W states: in half precision its sum would lose digits.
            return ops.cast(ops.matmul(shares, ops.cast(states, "float32")), states.dtype)
        return ops.matmul(ops.cast(shares, "float64"), states)

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        """`[B, m, f]`."""
        return tokens_shape[0], self.proposals, self.features
