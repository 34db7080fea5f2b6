"""A KerasHub transformer over the tokens of many messages, without padding between them."""

from typing import Any

import keras
import keras_hub
import tensorflow as tf

from tfhashtag.encoders.keras_hub_internals import encoder_parts


class PackedTransformer:
    """What a backbone gives, with all that is done for each token done for real tokens alone.

    Messages of a batch differ in length, and a backbone computes what it pads like what is there.
    Here tokens of all messages stand in one matrix for the dense layers and norms, where nearly all
    of the work is; for attention alone they are put beside one another, message by message.

    Args:
        backbone: a `keras_hub.models.Backbone` for which `can_pack` is true.

    Example:

    >>> backbone = keras_hub.models.BertBackbone(
    ...     vocabulary_size=7, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8
    ... )
    >>> packed = PackedTransformer(backbone)
    >>> ids, lengths = tf.constant([[2, 5, 3], [2, 3, 0]]), tf.constant([3, 2])
    >>> inputs = {"token_ids": ids, "segment_ids": tf.zeros_like(ids)}
    >>> packed({**inputs, "padding_mask": tf.sequence_mask(lengths, dtype=tf.int32)}, lengths).shape
    TensorShape([5, 8])
    """

    def __init__(self, backbone: keras.Model):
        self._layers = backbone.transformer_layers
        self._embeddings = keras.Model(backbone.input, self._layers[0].input[0])

    @staticmethod
    def can_pack(backbone: keras.Model) -> bool:
        """Whether a backbone is embeddings and a stack of KerasHub's encoder layers in float32."""
        layers = getattr(backbone, "transformer_layers", [])
        return (
            bool(layers)
            and all(type(layer) is keras_hub.layers.TransformerEncoder for layer in layers)
            and all(layer.compute_dtype == "float32" for layer in layers)
            and any(layers[-1].output is tensor for tensor in backbone.outputs)
        )

    def __call__(self, inputs: dict[str, tf.Tensor], lengths: tf.Tensor) -> tf.Tensor:
        """Vectors of the last layer, float32 `[tokens, d]`, message after message.

        Args:
            inputs: what the backbone takes, int32 `[batch, longest]` each.
            lengths: int32 `[batch]`, tokens of each message, at least one in all.
        """
        embedded = self._embeddings(inputs, training=False)
        shape = tf.shape(embedded)
        is_token = tf.sequence_mask(lengths, shape[1])
        flat = tf.where(tf.reshape(is_token, [-1]))[:, 0]
        hidden = tf.gather(tf.reshape(embedded, [-1, embedded.shape[-1]]), flat)
        starts = tf.cumsum(lengths, exclusive=True)
        # Padding looks at a token of some message; it is not seen and not kept.
        places = tf.where(is_token, starts[:, None] + tf.range(shape[1]), 0)
        unseen = tf.where(is_token, 0.0, embedded.dtype.min)[:, None, None]
        for layer in self._layers:
            hidden = _encoder_layer(layer, hidden, places, flat, unseen)
        return hidden


def _encoder_layer(layer: Any, hidden: Any, places: Any, flat: Any, unseen: Any) -> Any:
    """`TransformerEncoder.call` without dropout, on `[tokens, d]`."""
    first, parts = layer.normalize_first, encoder_parts(layer)
    norm = parts.attention_norm
    found = norm(hidden) if first else hidden
    found = hidden + _attention(parts.attention, found, places, flat, unseen)
    hidden = found if first else norm(found)
    norm = parts.feedforward_norm
    found = norm(hidden) if first else hidden
    found = hidden + parts.output(parts.intermediate(found))
    return found if first else norm(found)


def _attention(layer: Any, hidden: Any, places: Any, flat: Any, unseen: Any) -> Any:
    """`MultiHeadAttention.call` of messages to themselves, from and to `[tokens, d]`."""
    heads = [-1, layer.num_heads, layer.key_dim]

    def of_messages(dense: Any) -> Any:
        vectors = tf.gather(tf.reshape(_project(dense, hidden), heads), places)
        return tf.transpose(vectors, [0, 2, 1, 3])

    queries = of_messages(layer.query_dense) * layer.key_dim**-0.5
    scores = tf.matmul(queries, of_messages(layer.key_dense), transpose_b=True)
    read = tf.matmul(tf.nn.softmax(scores + unseen), of_messages(layer.value_dense))
    read = tf.reshape(tf.transpose(read, [0, 2, 1, 3]), [-1, layer.num_heads * layer.key_dim])
    return _project(layer.output_dense, tf.gather(read, flat))


def _project(dense: Any, vectors: Any) -> Any:
    """An `EinsumDense` whose kernel is a matrix folded to heads, as the matrix product it is."""
    kernel = tf.reshape(dense.kernel, [vectors.shape[-1], -1])
    return tf.matmul(vectors, kernel) + tf.reshape(dense.bias, [-1])
