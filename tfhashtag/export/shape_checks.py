"""Signatures that object to inputs of other shapes than they declare."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfhashtag.export.signatures import Signature


def with_shape_checks(
    function: Callable, signature: Signature, specs: Sequence[tf.TensorSpec]
) -> Callable:
    """`function`, that checks its inputs when it runs.

    A server feeds what a client sends: nothing else compares the shapes with those that were
    traced. Kernels rely on what was traced, and one that meets another rank may end the server.

    Args:
        function: takes the inputs of the signature in their order.
        signature: what it answers; inputs whose first dimension has one name have equal rows.
        specs: of the inputs, in their order.

    Returns:
        A function of the same arguments. It raises `tf.errors.InvalidArgumentError` for an input of
        another shape than its spec's, and where the rows of inputs differ.

    Example:

    >>> from tfhashtag.export.signatures import TensorSignature
    >>> inputs = [TensorSignature(name, "float32", ("B",), name) for name in ("x", "y")]
    >>> signature, specs = Signature("first", tuple(inputs), ()), [tf.TensorSpec([None])] * 2
    >>> first = tf.function(with_shape_checks(lambda x, y: x, signature, specs))
    >>> first(tf.ones([4]), tf.ones([4])).shape
    TensorShape([4])
    >>> first(tf.ones([4]), tf.ones([5]))
    Traceback (most recent call last):
    tensorflow.python.framework.errors_impl.InvalidArgumentError: ...
    """
    names = [tensor.name for tensor in signature.inputs]
    rows = {place: tensor.shape[0] for place, tensor in enumerate(signature.inputs) if tensor.shape}
    first = {name: place for place, name in reversed(rows.items())}

    def checked(*given: tf.Tensor) -> Any:
        inputs = [
            tf.ensure_shape(tensor, spec.shape, name=name)  # its error says the name
            for tensor, spec, name in zip(given, specs, names, strict=True)
        ]
        checks = []
        for place, name in rows.items():
            if place != first[name]:
                pair = names[place], names[first[name]]
                sizes = [tf.shape(inputs[at])[0] for at in (place, first[name])]
                told = "`{}` and `{}` must have equal numbers of rows; found".format(*pair)
                checks.append(tf.debugging.Assert(tf.equal(*sizes), [told, *sizes]))
        # A kernel may be quicker than a check, and objects in its own words: it has to wait.
        with tf.control_dependencies([check for check in checks if check is not None]):
            return function(*map(tf.identity, inputs))

    return checked
