"""Vectors as float32, as float16, or as int8 with a scale a row."""

from typing import Literal

import numpy as np

from tfhashtag.errors import ConfigError

CodeType = Literal["float32", "float16", "int8"]
CODE_TYPES: tuple[CodeType, ...] = ("float32", "float16", "int8")


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1, float32; rows of zeros stay."""
    vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def encode_vectors(vectors: np.ndarray, dtype: CodeType) -> tuple[np.ndarray, np.ndarray | None]:
    """Vectors in fewer bits.

    A value moves by at most 2^-11 of itself in float16 (as long as it is above 6e-5), and by at
    most half of its row's scale, `max |x| / 254`, in int8.

    Args:
        vectors: float `[n, d]`.
        dtype: one of `CODE_TYPES`.

    Returns:
        Codes `[n, d]` of that type; and the scale of each row, float32 `[n]`, for int8, else None:
        the vector is code times scale.

    Raises:
        ConfigError: another `dtype`.

    Example:

    >>> codes, scales = encode_vectors(np.array([[0.5, -1.0]]), "int8")
    >>> codes.tolist(), (codes * scales[:, None]).round(2).tolist()
    ([[64, -127]], [[0.5, -1.0]])
    """
    if dtype not in CODE_TYPES:
        raise ConfigError(f"`dtype` must be one of {', '.join(CODE_TYPES)}, found {dtype!r}.")
    if dtype != "int8":
        return np.asarray(vectors, dtype), None
    scales = np.abs(vectors).max(axis=1, initial=0).astype(np.float32) / np.float32(127)
    codes = np.rint(vectors / np.where(scales > 0, scales, 1)[:, None])
    return codes.astype(np.int8), scales
