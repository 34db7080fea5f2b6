"""Work in blocks: what a large batch holds stays in the cache and shares no padding."""

import tensorflow as tf

# Texts of a block. Fewer leave the cores idle; more gain nothing on processors with a few MB of
# cache, and pad more.
_FEWEST, _MOST = 8, 32
_BLOCKS = 8  # of texts, where that gives no block fewer or more than these


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


def by_length(encode, texts: tf.Tensor, width: int) -> tf.Tensor:
    """What `encode` gives for `texts`, short ones together, so that few are padded to a long one.

    Args:
        encode: from string `[n]` to float32 `[n, width]`.
        texts: string `[N]`.
        width: length of a vector.
    """
    # Bytes stand for tokens: near enough to gather what is alike, and known before tokenising.
    order = tf.argsort(tf.strings.length(texts))
    size = tf.clip_by_value(tf.size(texts) // _BLOCKS, _FEWEST, _MOST)
    vectors = in_blocks(lambda rows: encode(rows[0]), [tf.gather(texts, order)], size, [width])
    return tf.gather(vectors, tf.math.invert_permutation(order))
