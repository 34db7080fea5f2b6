"""Rows of several requests as those of one."""

from collections.abc import Mapping

import numpy as np

from tfhashtag.serving.status import invalid

Feeds = Mapping[str, np.ndarray]


def batch_rows(feeds: Feeds) -> int:
    """The first dimension that all inputs share.

    Raises:
        RequestError: INVALID_ARGUMENT, an input is a scalar or the first dimensions differ.

    Example:

    >>> batch_rows({"text": np.zeros([3]), "proposals": np.zeros([3, 2, 8])})
    3
    """
    if not feeds:
        raise invalid("Batching Run() must have at least one input tensor")
    sizes = set()
    for array in feeds.values():
        if array.ndim == 0:
            raise invalid("Batching Run() input tensors must have at least one dimension")
        sizes.add(array.shape[0])
    if len(sizes) > 1:
        raise invalid("Batching Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def merge(requests: list[Feeds], padding: int = 0) -> dict[str, np.ndarray]:
    """The inputs of several requests as one, followed by `padding` times the last row.

    Where the dimensions beyond the first differ, shorter inputs are filled up with their own first
    element.

    Args:
        requests: name to array; same names, types and ranks.
        padding: rows to add.

    Raises:
        RequestError: INVALID_ARGUMENT, an input to be filled up has no element.

    Example:

    >>> merge([{"x": np.array([[1, 2]])}, {"x": np.array([[3]])}], padding=1)
    {'x': array([[1, 2],
           [3, 3],
           [3, 3]])}
    """
    merged = {}
    for name in requests[0]:
        arrays = [feeds[name] for feeds in requests]
        shapes = {array.shape[1:] for array in arrays}
        if len(shapes) > 1:
            largest = tuple(map(max, *shapes))
            arrays = [_fill_up(array, largest) for array in arrays]
        if padding:
            arrays.append(np.repeat(arrays[-1][-1:], padding, axis=0))
        merged[name] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    return merged


def _fill_up(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.shape[1:] == shape:
        return array
    if array.size == 0:
        raise invalid("Got empty tensor in batch of non-empty tensors.")
    filled = np.empty((len(array), *shape), array.dtype)
    filled[...] = array.flat[0]
    filled[tuple(slice(size) for size in array.shape)] = array
    return filled
