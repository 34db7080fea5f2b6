"""Tables that NumPy and TensorFlow hold together."""

from typing import Any

import numpy as np
import tensorflow as tf

_ALIGNED = 64  # bytes; TensorFlow takes no arrays as they are that begin elsewhere


def shareable(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array, not filled, that `shared` gives to TensorFlow without a copy.

    >>> shareable((2, 3), "float16").shape
    (2, 3)
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.empty(size + _ALIGNED, np.uint8)
    start = -room.ctypes.data % _ALIGNED
    return room[start : start + size].view(dtype).reshape(shape)


def to_share(array: np.ndarray) -> np.ndarray:
    """An array of `shareable` with what another holds.

    >>> to_share(np.arange(3)).tolist()
    [0, 1, 2]
    """
    found = shareable(array.shape, array.dtype)
    found[:] = array
    return found


def shared(array: np.ndarray) -> Any:
    """A tensor that lies where an array lies, of which nothing may change any more.

    An array that is not from `shareable`, or is for reading alone, is copied.

    >>> array = shareable((2,), "float32")
    >>> array[:] = 1
    >>> shared(array).numpy().tolist()
    [1.0, 1.0]
    """
    whole = array.size and array.flags.c_contiguous and array.flags.writeable
    if not whole or array.dtype.kind not in "iuf" or array.ctypes.data % _ALIGNED:
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def constant(name: str, values: Any) -> tf.Variable:
    """A table that a SavedModel carries as it is; of any size, unlike a constant of its graph.

    It lies where `values` lies, an array of `shareable`; others are copied.
    """
    return tf.Variable(shared(np.asarray(values)), trainable=False, name=name)
