"""Work in blocks: what a large batch holds stays in the cache and shares no padding."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from tfhashtag.encoders.text_encoder import TextEncoder

_TOKENS = 512  # of a block of messages, padding included; more gain nothing
_PADDING = 16  # tokens; about what a further block costs an encoder that computes padding


def in_blocks(
    function: Callable[[list[Any]], Any],
    tensors: Sequence[Any],
    size: int | tf.Tensor | Callable[[tf.Tensor], tf.Tensor],
    specs: Any,
    beside: int = 10,
) -> Any:
    """What `function` gives for `tensors`, computed for some rows at a time.

    Intermediate results of a block fit into the processor's cache, and one row's answer does not
    depend on how many others are asked for.

    Args:
        function: from a list of tensors of as many rows to what `specs` describe; called with no
            rows where `tensors` have none.
        tensors: list of tensors, or ragged ones after the first, with the same first dimension.
        size: rows of a block, at least 1, or a function of the block's first row that gives them;
            the last block may have fewer.
        specs: `tf.TensorSpec` of what `function` gives, the first dimension None; or a dictionary
            or list of them.
        beside: how many blocks may run beside one another; 1 holds the memory of one block.

    Example:

    >>> spec = tf.TensorSpec([None], tf.float32)
    >>> in_blocks(lambda rows: rows[0] + rows[1], [tf.ones([3]), tf.ones([3])], 2, spec).numpy()
    array([2., 2., 2.], dtype=float32)
    """
    rows = tf.shape(tensors[0])[0]
    flat = tf.nest.flatten(specs)

    def block(start: Any, number: Any, *tables: Any) -> Any:
        end = start + (size(start) if callable(size) else size)
        found = function([tensor[start:end] for tensor in tensors])
        tf.nest.assert_same_structure(specs, found)
        written = [
            table.write(number, tf.ensure_shape(value, spec.shape))
            for table, value, spec in zip(tables, tf.nest.flatten(found), flat, strict=True)
        ]
        return end, number + 1, *written

    tables = [
        tf.TensorArray(
            spec.dtype, 0, dynamic_size=True, infer_shape=False, element_shape=spec.shape
        )
        for spec in flat
    ]
    zero = tf.constant(0)
    _, _, *tables = tf.while_loop(
        lambda start, number, *_: (start < rows) | (number == 0),  # no row is a block, too
        block,
        (zero, zero, *tables),
        parallel_iterations=beside,
    )
    found = [
        tf.ensure_shape(table.concat(), spec.shape)
        for table, spec in zip(tables, flat, strict=True)
    ]
    return tf.nest.pack_sequence_as(specs, found)


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
