"""Work in blocks: what a large batch holds stays in the processor's cache, and in bounds."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


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
