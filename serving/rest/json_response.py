"""Predict answers: arrays to JSON."""

import base64
import json
import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfhashtag.serving.rest.json_request import type_name
from tfhashtag.serving.rest.json_text import float_tokens
from tfhashtag.serving.status import invalid

BYTES_SUFFIX = "_bytes"

_ENCODER = json.JSONEncoder(ensure_ascii=False)
_NUMBERS = ("int8", "int16", "int32", "int64", "uint8", "uint32", "uint64")


def write_outputs(outputs: Mapping[str, np.ndarray], rows: bool) -> bytes:
    """The answer to a predict request: `predictions` in rows, or `outputs` in columns.

    A single output stands without its name. Strings stand as they are, those of an output whose
    name ends in `_bytes` as `{"b64": ...}`.

    Args:
        outputs: name to array; strings are object arrays of bytes.
        rows: as the request was.

    Raises:
        RequestError: INVALID_ARGUMENT, rows are asked for and the outputs do not have them, or a
            type has no JSON.

    Example:

    >>> write_outputs({"ids": np.array([[1], [2]])}, rows=True)
    b'{"predictions": [[1],[2]]}'
    >>> write_outputs({"ids": np.array([1, 2]), "score": np.array([0.5, 1.0])}, rows=False)
    b'{"outputs": {"ids": [1,2], "score": [0.5,1.0]}}'
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if rows:
        _check_rows(outputs)
    # Outermost lists first: the rows are needed apart.
    tokens = {
        name: _nested(_tokens(name, outputs[name]), outputs[name].shape, int(rows))
        for name in sorted(outputs)
    }
    if rows:
        parts = [list(row) for row in zip(*tokens.values(), strict=True)]
        text = f'{{"predictions": [{",".join(_named(list(tokens), row) for row in parts)}]}}'
    else:
        text = f'{{"outputs": {_named(list(tokens), [part for (part,) in tokens.values()])}}}'
    # Strings that are not UTF-8 leave as the bytes that they are, as from a stock server.
    return text.encode("utf-8", "surrogateescape")


def _check_rows(outputs: Mapping[str, np.ndarray]) -> None:
    expected = None
    for name in sorted(outputs):
        shape = outputs[name].shape
        if not shape:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if expected is not None and shape[0] != expected:
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {shape[0]} expecting: {expected}"
            )
        expected = shape[0]


def _named(names: Sequence[str], parts: Sequence[str]) -> str:
    if len(names) == 1:
        return parts[0]
    pairs = (f"{json.dumps(name)}: {part}" for name, part in zip(names, parts, strict=True))
    return "{" + ", ".join(pairs) + "}"


def _nested(tokens: list[str], shape: Sequence[int], outermost: int) -> list[str]:
    """Joins the tokens to lists from the last dimension down to `outermost`."""
    for axis in reversed(range(outermost, len(shape))):
        size = shape[axis]
        tokens = [
            "[" + ",".join(tokens[group * size : (group + 1) * size]) + "]"
            for group in range(math.prod(shape[:axis]))
        ]
    return tokens


def _tokens(name: str, array: np.ndarray) -> list[str]:
    flat = array.reshape(-1)
    if array.dtype.kind == "O":
        if name.endswith(BYTES_SUFFIX):
            return [f'{{"b64": "{base64.b64encode(value).decode()}"}}' for value in flat]
        return [_ENCODER.encode(value.decode("utf-8", "surrogateescape")) for value in flat]
    dtype = tf.as_dtype(array.dtype)
    if dtype in (tf.float32, tf.float64):
        return float_tokens(flat)
    if dtype == tf.bool:
        return ["true" if value else "false" for value in flat.tolist()]
    if dtype.name in _NUMBERS:
        return [str(value) for value in flat.tolist()]
    raise invalid(
        f"Failed to write JSON value for tensor type: {type_name(dtype.as_datatype_enum)}"
    )
