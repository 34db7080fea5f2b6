"""From the messages of a user to one vector of hashtagging preferences."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.masked_softmax import masked_softmax
from tfhashtag.layers.sublayers import check_dropout, check_sizes, dense
from tfhashtag.registration import ConfiguredByArguments, public

POOLINGS = ("last", "attention", "mean")


@public
class UserEncoder(ConfiguredByArguments, keras.layers.Layer):
    r"""Two-layer bidirectional LSTM over a user's history (EMNLP 2021, Section 3.1), and its peers.

    The LSTM reads the message embeddings \(r_m\), oldest first; its last layer has the states
    \(s_m = [\overrightarrow{h}_m; \overleftarrow{h}_m]\). `pooling` makes one vector of them:

    - `"last"`, the paper's: \(r_u = [\overrightarrow{h}_{|u|}; \overleftarrow{h}_1]\), the last
      state of each direction;
    - `"attention"`, LSTM-ATT (after Zeng et al., ACL 2020): \(r_u = \sum_m \beta_m s_m\),
      \(\beta = \mathrm{softmax}_m\, v^\top \tanh(W s_m + b)\). `attention_of` gives
      \(\beta\);
    - `"mean"`: the mean of the states. Without layers the states are the messages themselves, and
      \(r_u\) is their mean: the user of the MLP baseline.

    Padding stands at the end. Padded steps are skipped in both directions, so a padded and an
    unpadded history give the same vector, and what lies in the padding is never read.

    A user without history gets a learned vector, which starts as zeros.

    Input: `history`, float `[B, H, d]`, and `history_mask`, bool `[B, H]`, true for a message
    (None: all are). Output: float `[B, 2 * hidden]`, or `[B, d]` without layers.

    Args:
        hidden: int >= 1, LSTM units a direction.
        layers: int >= 0, stacked bidirectional layers; the paper has 2. `"last"` needs one.
        pooling: one of `"last"`, `"attention"`, `"mean"`.
        dropout: float in [0, 1), of the inputs of each layer, in training.
        cudnn: whether training may use the fused kernel of NVIDIA's library where there is one. It
            is faster on a GPU, and XLA cannot compile it. Outside training it is never used, so
            that what is exported runs on any machine. The weights are the same.
        **kwargs: of `keras.layers.Layer`, e.g. `dtype` and `name`.

    Raises:
        ValueError: an argument is out of range, or `history` is not of rank 3.

    Example:

    >>> import numpy as np
    >>> encoder = UserEncoder(hidden=4)
    >>> history = np.ones((2, 3, 5), "float32")
    >>> mask = np.array([[True, True, False], [False, False, False]])
    >>> encoder(history, history_mask=mask).shape
    TensorShape([2, 8])
    """

    def __init__(
        self,
        hidden: int,
        layers: int = 2,
        dropout: float = 0.0,
        cudnn: bool = False,
        pooling: str = "last",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(hidden=hidden)
        if pooling not in POOLINGS:
            raise ValueError(f"`pooling` must be one of {', '.join(POOLINGS)}, found {pooling!r}.")
        least = int(pooling == "last")
        if not isinstance(layers, int) or layers < least:
            raise ValueError(
                f"`layers` must be an integer of at least {least}, found {layers!r}, with "
                f"`pooling` {pooling!r}."
            )
        check_dropout(dropout)
        self.hidden = hidden
        self.layers = layers
        self.dropout = dropout
        self.cudnn = cudnn
        self.pooling = pooling
        self.supports_masking = True

    def build(self, history_shape: Any) -> None:
        if len(history_shape) != 3:
            raise ValueError(
                f"`history` must be [users, messages, width], found shape {tuple(history_shape)}."
            )
        self.recurrent = []
        shape = tuple(history_shape)
        for index in range(self.layers):
            layer = keras.layers.Bidirectional(
                keras.layers.LSTM(
                    self.hidden,
                    return_sequences=index < self.layers - 1 or self.pooling != "last",
                    dropout=self.dropout,
                    use_cudnn="auto" if self.cudnn else False,
                    dtype=self.dtype_policy,
                    name="lstm",  # else Keras counts on, and a checkpoint knows it by another name
                ),
                dtype=self.dtype_policy,
                name=f"bilstm_{index}",
            )
            layer.build(shape)
            self.recurrent.append(layer)
            shape = (*shape[:-1], 2 * self.hidden)
        if self.pooling == "attention":
            self.attention_dense = dense(
                self, shape[-1], self.hidden, "attention", activation="tanh"
            )
            self.attention_vector = self.add_weight(
                shape=(self.hidden,), initializer="glorot_uniform", name="attention_vector"
            )
        self.no_history = self.add_weight(
            shape=(shape[-1],), initializer="zeros", name="no_history"
        )

    def call(self, history: Any, history_mask: Any = None, training: Any = None) -> Any:
        states, read, some = self._states(history, history_mask, training)
        if self.pooling == "attention":
            states = ops.matmul(self._weights(states, read)[:, None, :], states)[:, 0]
        elif self.pooling == "mean":
            shares = ops.cast(read, states.dtype)
            shares = shares / ops.sum(shares, axis=1, keepdims=True)
            states = ops.matmul(shares[:, None, :], states)[:, 0]
        return ops.where(some, states, ops.cast(self.no_history, states.dtype))

    def attention_of(self, history: Any, history_mask: Any = None) -> Any:
        """The weights \\(\\beta\\) of the messages at inference, `[B, H]`; 0 for padding.

        Raises:
            ValueError: `pooling` is not `"attention"`.
        """
        if self.pooling != "attention":
            raise ValueError(f"`pooling` is {self.pooling!r}; only 'attention' has weights.")
        states, read, some = self._states(history, history_mask, training=False)
        return ops.where(some, self._weights(states, read), 0.0)

    def _states(self, history: Any, history_mask: Any, training: Any) -> Any:
        """States, which of them to read, and whether the user has any history."""
        if history_mask is None:
            history_mask = ops.ones(ops.shape(history)[:2], dtype="bool")
        history_mask = ops.cast(history_mask, "bool")
        history = ops.where(history_mask[..., None], history, ops.zeros_like(history))
        # An empty history reads one vector of zeros, whose result is then replaced: cuDNN refuses
        # sequences of length 0.
        first = ops.arange(ops.shape(history)[1]) == 0
        some = ops.any(history_mask, axis=1, keepdims=True)
        read = ops.logical_or(history_mask, ops.logical_and(first[None, :], ops.logical_not(some)))
        states = history
        for layer in self.recurrent:
            for side in (layer.forward_layer, layer.backward_layer):
                side.use_cudnn = "auto" if self.cudnn and training else False
            states = layer(states, mask=read, training=training)
        return states, read, some

    def _weights(self, states: Any, read: Any) -> Any:
        hidden = self.attention_dense(states)
        scores = ops.matmul(hidden, ops.cast(self.attention_vector, hidden.dtype)[:, None])[..., 0]
        return ops.cast(masked_softmax(scores, read), states.dtype)

    def compute_mask(self, *args: Any, **kwargs: Any) -> Any:
        """None: the output has no time axis."""
        return None

    def compute_output_shape(self, history_shape: Any) -> Any:
        """`[B, 2 * hidden]`, or `[B, d]` without layers."""
        return (history_shape[0], 2 * self.hidden if self.layers else history_shape[-1])
