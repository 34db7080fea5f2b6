"""Work in blocks: what a large batch holds stays in the cache and shares no padding."""

from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from tfhashtag.encoders.text_encoder import TextEncoder

_TOKENS = 512  # of a block of messages, padding included; more gain nothing
_PADDING = 16  # tokens; about what a further block costs an encoder that computes padding


def in_blocks(function, tensors, size: int | tf.Tensor, row_shape) -> tf.Tensor:
    """What `function` gives for `tensors`, computed for `size` rows at a time.

    Intermediate results of a block fit into the processor's cache, and one row's answer does not
    depend on how many others are asked for. Blocks may run beside one another.

    Args:
        function: from a list of tensors of as many rows to float32 `[rows, *row_shape]`; called
            with no rows where `tensors` have none.
        tensors: list of tensors with the same first dimension.
        size: rows of a block; the last one may have fewer.
        row_shape: shape of one row of the result.

    Example:

    >>> in_blocks(lambda rows: rows[0] + rows[1], [tf.ones([3]), tf.ones([3])], 2, []).numpy()
    array([2., 2., 2.], dtype=float32)
    """
    rows = tf.shape(tensors[0])[0]
    blocks = tf.maximum((rows + size - 1) // size, 1)
    table = tf.TensorArray(
        tf.float32, size=blocks, infer_shape=False, element_shape=[None, *row_shape]
    )

    def block(index, table):
        found = function([tensor[index * size : (index + 1) * size] for tensor in tensors])
        return index + 1, table.write(index, tf.ensure_shape(found, [None, *row_shape]))

    _, table = tf.while_loop(lambda index, _: index < blocks, block, (tf.constant(0), table))
    return table.concat()


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
    count = tf.size(lengths)

    def block(start, number, table):
        rest = lengths[start:]
        used = tf.reduce_max(rest) * tf.range(1, tf.size(rest) + 1)
        fits = used <= _TOKENS
        if not encoder.skips_padding:
            fits &= used - tf.cumsum(rest) <= _PADDING
        end = start + tf.maximum(tf.math.count_nonzero(fits, dtype=tf.int32), 1)
        vectors = tf.cast(encoder.vectors(messages[start:end]), tf.float32)
        vectors = tf.ensure_shape(vectors, [None, encoder.width])
        return end, number + 1, table.write(number, vectors)

    table = tf.TensorArray(
        tf.float32, 0, dynamic_size=True, infer_shape=False, element_shape=[None, encoder.width]
    )
    zero = tf.constant(0)
    _, _, table = tf.while_loop(
        lambda start, number, _: (start < count) | (number == 0),  # no text is a block, too
        block,
        (zero, zero, table),
    )
    return tf.gather(table.concat(), tf.math.invert_permutation(order))
