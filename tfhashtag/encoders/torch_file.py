"""Arrays of a PyTorch checkpoint, read without PyTorch and without running its pickle."""

import os
import pathlib
import pickletools
from typing import IO, Any

import numpy as np

from tfhashtag.errors import EncoderError

_DTYPES = {"torch FloatStorage": "<f4", "torch LongStorage": "<i8"}
_CALLED = {*_DTYPES, "collections OrderedDict", "torch._utils _rebuild_tensor_v2"}
_HEAD = 3  # pickles before that of the tensors: magic number, protocol, sizes of types
_TUPLES = ("EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "TUPLE")

_Operation = tuple[str, Any]


def read_torch_arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays of a state dict in PyTorch's format before 1.6, by name.

    Such a file is a row of pickles and the raw numbers behind them. The pickles are only looked
    at, operation by operation, never run; what they would call must be on a short list.

    Args:
        path: a file that `torch.save(state_dict, path)` wrote.

    Returns:
        Name to float32 or int64 array, in the file's order.

    Raises:
        EncoderError: it cannot be read, holds something else, or ends too soon.
    """
    path = pathlib.Path(path)
    try:
        with path.open("rb") as file:
            pickles = [_operations(file) for _ in range(_HEAD + 2)]
            tensors = _tensors(pickles[_HEAD])
            keys = [value for _, value in pickles[_HEAD + 1] if isinstance(value, str)]
            found = {tensors[key][0]: _array(file, *tensors[key][1:]) for key in keys}
            rest = file.read(1)
    except (OSError, ValueError, KeyError, StopIteration) as error:
        raise EncoderError(
            f"{path}: cannot be read as a PyTorch state dict of the format before 1.6 "
            f"({type(error).__name__}: {error}). Give the file as it was published."
        ) from error
    if rest or len(found) != len(tensors):
        raise EncoderError(f"{path}: {len(found)} of {len(tensors)} arrays, or more behind them.")
    return {name: found[name] for name, *_ in tensors.values()}


def _operations(file: IO[bytes]) -> list[_Operation]:
    """The operations of the next pickle."""
    found = [(operation.name, value) for operation, value, _ in pickletools.genops(file)]
    for name, value in found:
        if (name in ("GLOBAL", "INST") and value not in _CALLED) or name == "STACK_GLOBAL":
            raise ValueError(f"it would call {value or 'what it names itself'}")
    return found


def _tensors(operations: list[_Operation]) -> dict[str, tuple[str, str, list[int], list[int]]]:
    """Key of a storage to the tensor in it: name, dtype, shape and strides, in order."""
    tensors = {}
    memo: dict[int, str] = {}
    name = key = kind = ""
    for place, (operation, value) in enumerate(operations):
        if operation == "GLOBAL" and value in _DTYPES:
            kind = value
        elif operation.endswith("BINPUT") and operations[place - 1][1] in _DTYPES:
            memo[value] = operations[place - 1][1]
        elif operation.endswith("BINGET") and value in memo:
            kind = memo[value]
        elif operation == "BINUNICODE" and value.isdigit():
            key = value
        elif operation == "BINUNICODE" and "." in value:
            name = value
        elif operation == "BINPERSID":
            shape, strides = _two_tuples(operations[place + 1 :])
            tensors[key] = (name, _DTYPES[kind], shape[1:], strides)  # the first is the offset
    return tensors


def _two_tuples(operations: list[_Operation]) -> tuple[list[int], list[int]]:
    found: list[list[int]] = [[]]
    for operation, value in operations:
        if operation.startswith("BININT"):
            found[-1].append(value)
        elif operation in _TUPLES:
            if len(found) == 2:
                return found[0], found[1]
            found.append([])
    raise ValueError("a tensor without strides")


def _array(file: IO[bytes], dtype: str, shape: list[int], strides: list[int]) -> np.ndarray:
    """The next storage as the array that it holds; its numbers may stand in another order."""
    size = int.from_bytes(file.read(8), "little")
    itemsize = np.dtype(dtype).itemsize
    data = file.read(size * itemsize)
    reach = sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if len(data) != size * itemsize or size != int(np.prod(shape)) or reach != size - 1:
        raise ValueError(f"{len(data)} bytes of an array of shape {shape}")
    flat = np.frombuffer(data, dtype)
    return np.lib.stride_tricks.as_strided(flat, shape, [stride * itemsize for stride in strides])
