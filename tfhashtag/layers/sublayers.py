"""What layers share: checks of arguments, sublayers that are built at once, widened values."""

from typing import Any

import keras
from keras import ops


def check_sizes(least: int = 1, **sizes: Any) -> None:
    """Raises ValueError for a size that is no integer of at least `least`."""
    for name, value in sizes.items():
        if not isinstance(value, int) or value < least:
            raise ValueError(f"`{name}` must be an integer of at least {least}, found {value!r}.")


def check_dropout(dropout: float) -> None:
    """Raises ValueError for a rate that does not lie in [0, 1)."""
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must lie in [0, 1), found {dropout!r}.")


def at_least_float32(values: Any) -> Any:
    """Values of 16 bits in 32; wider ones as they are."""
    return ops.cast(values, keras.backend.result_type(values.dtype, "float32"))


def dense(layer: keras.layers.Layer, width: int, units: int, name: str, **how: Any) -> Any:
    """A `Dense` of a layer's dtype policy, built for rows of a known width.

    Args:
        layer: whose sublayer it is.
        width: of the last axis of what it reads.
        units, name, how: arguments of `keras.layers.Dense`.
    """
    found = keras.layers.Dense(units, dtype=layer.dtype_policy, name=name, **how)
    found.build((None, width))
    return found


def dropout_of(layer: keras.layers.Layer, name: str = "drop") -> Any:
    """A `Dropout` of a layer's `dropout` and dtype policy; it has nothing to build."""
    return keras.layers.Dropout(layer.dropout, dtype=layer.dtype_policy, name=name)
