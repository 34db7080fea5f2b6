"""Texts of like length are encoded together, so that little of a block is padding."""

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfhashtag.blocks import in_blocks

if TYPE_CHECKING:
    from tfhashtag.encoders.text_encoder import TextEncoder

_TOKENS = 512  # of a block of messages, padding included; more gain nothing
_PADDING = 16  # tokens; about what a further block costs an encoder that computes padding


def by_length(encoder: "TextEncoder", texts: tf.Tensor) -> tf.Tensor:
    """The vectors of an encoder, those of messages of like length computed together.

    A block holds a few hundred tokens; where the encoder computes padding, only messages of which
    less is padded than a block of their own would cost.

    Args:
        encoder: what encodes.
        texts: string `[N]`.

    Returns:
        float32 `[N, encoder.width]`.
    """
    messages, lengths = encoder.read(texts)
    order = tf.argsort(lengths, direction="DESCENDING")
    messages, lengths = tf.gather(messages, order), tf.gather(lengths, order)

    def size(start: Any) -> Any:
        rest = tf.minimum(lengths[start:], _TOKENS + 1)  # more is too much in any case
        used = tf.reduce_max(rest) * tf.range(1, tf.size(rest) + 1)
        fits = used <= _TOKENS
        if not encoder.skips_padding:
            fits &= used - tf.cumsum(rest) <= _PADDING
        return tf.maximum(tf.math.count_nonzero(fits, dtype=tf.int32), 1)

    def vectors(rows: Any) -> Any:
        return tf.cast(encoder.vectors(rows[1]), tf.float32)

    found = in_blocks(vectors, [lengths, messages], size, tf.TensorSpec([None, encoder.width]))
    return tf.gather(found, tf.math.invert_permutation(order))
