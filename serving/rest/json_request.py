"""Predict requests: JSON to arrays, typed by the signature."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tfhashtag.serving.rest.json_text import kind, show
from tfhashtag.serving.status import RequestError, invalid

Inputs = Mapping[str, meta_graph_pb2.TensorInfo]

_WHITE = str.maketrans("", "", " \t\r\n")


def signature_name(document: Mapping[str, Any]) -> str:
    """The signature asked for; empty for the default one.

    Raises:
        RequestError: INVALID_ARGUMENT, it is not a string.
    """
    name = document.get("signature_name", "")
    if type(name) is not str:
        raise invalid(
            f"JSON Value: {show(document)} not formatted correctly. 'signature_name' key must be "
            "a string value."
        )
    return name


def read_inputs(document: Mapping[str, Any], inputs: Inputs) -> tuple[dict[str, np.ndarray], bool]:
    """The arrays of a predict request.

    Args:
        document: `{"instances": [...]}`, a row each, or `{"inputs": ...}`, a column each.
        inputs: the inputs of the signature: their types decide what the JSON means.

    Returns:
        Name to array (strings are object arrays of bytes), and whether the request is in rows.

    Raises:
        RequestError: INVALID_ARGUMENT with the words of TensorFlow Serving; UNIMPLEMENTED for a
            type that JSON cannot carry.

    Example:

    >>> x = meta_graph_pb2.TensorInfo(dtype=tf.float32.as_datatype_enum)
    >>> read_inputs({"instances": [[1, 2], [3, 4]]}, {"x": x})
    ({'x': array([[1., 2.], [3., 4.]], dtype=float32)}, True)
    """
    if "instances" in document and "inputs" in document:
        raise invalid(
            f"JSON Value: {show(document)} Not formatted correctly expecting only one of 'inputs' "
            "or 'instances' keys to exist "
        )
    if "instances" in document:
        instances = document["instances"]
        if type(instances) is not list:
            raise invalid(f"JSON Value: {show(document)} Expecting 'instances' to be an list/array")
        if not instances:
            raise invalid(f"JSON Value: {show(document)} No values in 'instances' array")
        return _rows(instances, inputs), True
    if "inputs" in document:
        return _columns(document["inputs"], inputs), False
    raise invalid("Missing 'inputs' or 'instances' key")


def _columns(value: Any, inputs: Inputs) -> dict[str, np.ndarray]:
    if type(value) is not dict or is_base64(value):
        if len(inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        value = {name: value for name in inputs}
    arrays = {}
    for name in sorted(inputs):
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        shape = _shape(value[name])
        leaves = _leaves(value[name], shape)
        arrays[name] = _array(leaves, inputs[name].dtype).reshape(shape)
    return arrays


def _rows(instances: Sequence[Any], inputs: Inputs) -> dict[str, np.ndarray]:
    first = instances[0]
    if type(first) is not dict and len(inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    named = _is_named(first)
    for position, instance in enumerate(instances):
        if named and not _is_named(instance):
            raise invalid(f"Expecting object but got list at item {position} of input list")
        if not named and _is_named(instance):
            raise invalid(f"Expecting value/list but got object at item {position} of input list")
    if not named:
        (name,) = inputs
        return {name: _batch(instances, inputs[name].dtype, "")}
    for position, instance in enumerate(instances):
        _check_keys(position, instance, inputs)
    return {
        name: _batch([instance[name] for instance in instances], info.dtype, f" key: {name}")
        for name, info in sorted(inputs.items())
    }


def _check_keys(position: int, instance: Mapping[str, Any], inputs: Inputs) -> None:
    for name in instance:
        if name not in inputs:
            raise invalid(
                f"Failed to process element: {position} key: {name} of 'instances' list. Error: "
                f"INVALID_ARGUMENT: JSON object: does not have named input: {name}"
            )
    if len(instance) != len(inputs):
        raise invalid(
            f"Failed to process element: {position} of 'instances' list. JSON object: "
            f"{show(instance)} keys must be equal to: {','.join(sorted(inputs))}"
        )


def _batch(values: Sequence[Any], dtype: int, key: str) -> np.ndarray:
    shape = _shape(values[0])
    leaves: list[Any] = []
    size = 0
    for position, value in enumerate(values):
        with _Element(position, key):
            own_shape = _shape(value)
            own = _leaves(value, own_shape)
            if position == 0:
                size = len(own)
            if len(own) != size:
                raise invalid(f"Expecting tensor size: {size} but got: {len(own)}")
            if own_shape != shape:
                raise invalid(f"Expecting shape {_list(shape)} but got: {_list(own_shape)}")
            leaves.extend(own)
    try:
        return _array(leaves, dtype).reshape([len(values), *shape])
    except RequestError:
        # The common way converts everything at once; the error names the row.
        for position in range(len(values)):
            with _Element(position, key):
                _array(leaves[position * size : (position + 1) * size], dtype)
        raise


class _Element:
    """Adds the row to an error."""

    def __init__(self, position: int, key: str) -> None:
        self._place = f"{position}{key}"

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, RequestError):
            raise invalid(
                f"Failed to process element: {self._place} of 'instances' list. Error: "
                f"{error.code.name}: {error.message}"
            ) from error


def is_base64(value: Any) -> bool:
    """Whether it stands for bytes: `{"b64": text}`."""
    return type(value) is dict and len(value) == 1 and type(value.get("b64")) is str


def _is_named(value: Any) -> bool:
    return type(value) is dict and not is_base64(value)


def _shape(value: Any) -> list[int]:
    shape = []
    while type(value) is list:
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def _leaves(value: Any, shape: Sequence[int]) -> list[Any]:
    """The values of nested lists in their order.

    Raises:
        RequestError: INVALID_ARGUMENT, the lists are ragged.
    """
    rank = len(shape)
    nodes = [value]
    for level, size in enumerate(shape):
        below: list[Any] = []
        for node in nodes:
            if type(node) is not list:
                raise invalid(
                    f"JSON Value: {show(node)} found at incorrect level: {level + 1} in the JSON "
                    f"DOM. Expected at level: {rank}"
                )
            if len(node) != size:
                raise invalid(
                    f"Encountered list at unexpected size: {len(node)} at level: {level} expected "
                    f"size: {size}"
                )
            below.extend(node)
        nodes = below
    if any(type(node) is list for node in nodes):
        raise invalid(f"Encountered list at unexpected level: {rank} expected < {rank}")
    return nodes


def _array(leaves: Sequence[Any], dtype: int) -> np.ndarray:
    convert = _CONVERTERS.get(dtype)
    if convert is None:
        shown = show(leaves[0]) if leaves else "[]"
        raise RequestError(
            grpc.StatusCode.UNIMPLEMENTED,
            f"Conversion of JSON Value: {shown} to type: {type_name(dtype)}",
        )
    return convert(leaves, dtype)


def _integers(leaves: Sequence[Any], dtype: int) -> np.ndarray:
    _check_kinds(leaves, dtype, int)
    found = tf.as_dtype(dtype)
    if leaves and not found.min <= min(leaves) <= max(leaves) <= found.max:
        _refuse_first(leaves, dtype, lambda leaf: found.min <= leaf <= found.max)
    return np.array(leaves, found.as_numpy_dtype)


def _floats(leaves: Sequence[Any], dtype: int) -> np.ndarray:
    _check_kinds(leaves, dtype, int, float)
    try:
        doubles = np.array(leaves, np.float64)
    except OverflowError as error:
        raise invalid("JSON Parse error: Number too big to be stored in double.") from error
    # Beyond the range of a float it is infinity, as there.
    with np.errstate(over="ignore"):
        return doubles.astype(tf.as_dtype(dtype).as_numpy_dtype)


def _booleans(leaves: Sequence[Any], dtype: int) -> np.ndarray:
    _check_kinds(leaves, dtype, bool)
    return np.array(leaves, bool)


def _strings(leaves: Sequence[Any], dtype: int) -> np.ndarray:
    _check_kinds(leaves, dtype, str, dict)
    return np.fromiter(map(_bytes, leaves), object, len(leaves))


def _bytes(leaf: str | dict[str, Any]) -> bytes:
    if isinstance(leaf, str):
        try:
            return leaf.encode()
        except UnicodeEncodeError as error:
            raise invalid("JSON Parse error: The surrogate pair in string is invalid.") from error
    if not is_base64(leaf):
        raise invalid(f"JSON Value: {show(leaf)} not formatted correctly for base64 data")
    text = leaf["b64"].translate(_WHITE).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("Unable to base64 decode") from error


def _check_kinds(leaves: Sequence[Any], dtype: int, *kinds: type) -> None:
    if not set(map(type, leaves)) <= set(kinds):
        _refuse_first(leaves, dtype, lambda leaf: type(leaf) in kinds)


def _refuse_first(leaves: Sequence[Any], dtype: int, fits: Callable[[Any], bool]) -> None:
    leaf = next(leaf for leaf in leaves if not fits(leaf))
    raise invalid(
        f"JSON Value: {show(leaf)} Type: {kind(leaf)} is not of expected type: {type_name(dtype)}"
    )


def type_name(dtype: int) -> str:
    """TensorFlow's own name of a type.

    >>> type_name(tf.float32.as_datatype_enum), type_name(tf.int64.as_datatype_enum)
    ('float', 'int64')
    """
    name = tf.as_dtype(dtype).name
    return {"float32": "float", "float64": "double", "float16": "half"}.get(name, name)


def _list(shape: Sequence[int]) -> str:
    return json.dumps(list(shape), separators=(",", ":"))


_CONVERTERS: dict[int, Callable[[Sequence[Any], int], np.ndarray]] = {
    **dict.fromkeys([tf.float32.as_datatype_enum, tf.float64.as_datatype_enum], _floats),
    **dict.fromkeys(
        [
            found.as_datatype_enum
            for found in (tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint32, tf.uint64)
        ],
        _integers,
    ),
    tf.bool.as_datatype_enum: _booleans,
    tf.string.as_datatype_enum: _strings,
}
