"""The state of a training as one file: every variable, exactly, and where the training stood."""

import io
import json
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.errors import ArtifactError
from tfhashtag.files import atomic_writer

_META = "meta.json"


def save_state(
    path: str | os.PathLike, groups: Mapping[str, Sequence[Any]], meta: Mapping[str, Any]
) -> None:
    """Writes Keras variables and a few plain values to one `.npz`, whole or not at all.

    No pickle is involved, on the way out or in.

    Args:
        path: the file; what stood there before stays until the new one is complete.
        groups: lists of Keras variables by name, e.g. `{"model": model.variables}`.
        meta: JSON values: phase, epoch, best metric.

    Example:

    >>> import keras, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "last.npz"
    >>> variable = keras.Variable([1.0, 2.0], name="v")
    >>> save_state(path, {"model": [variable]}, {"epoch": 3})
    >>> variable.assign([0.0, 0.0]) is None
    False
    >>> load_state(path, {"model": [variable]})
    {'epoch': 3}
    >>> [float(v) for v in variable.numpy()]
    [1.0, 2.0]
    """
    with atomic_writer(path, "wb") as file:
        _write(file, groups, meta)


def packed_state(groups: Mapping[str, Sequence[Any]], meta: Mapping[str, Any]) -> bytes:
    """What `save_state` writes, as bytes; `load_state` takes them in a `BytesIO`."""
    file = io.BytesIO()
    _write(file, groups, meta)
    return file.getvalue()


def load_state(
    path: str | os.PathLike | io.BytesIO, groups: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    """Assigns what `save_state` wrote to the same variables, and gives back its `meta`.

    Raises:
        ArtifactError: the file is missing or damaged, or holds other variables than these.
    """
    arrays, meta = _read(path)
    expected = {
        _key(group, index, variable): variable
        for group, variables in groups.items()
        for index, variable in enumerate(variables)
    }
    prefixes = tuple(f"{group}/" for group in groups)
    stored = {key for key in arrays if key.startswith(prefixes)}
    if stored != set(expected):
        odd = sorted(stored ^ set(expected))[0]
        raise ArtifactError(
            f"{path}: variable `{odd}` stands only on one side; the checkpoint belongs to another "
            "configuration or version of the model."
        )
    for key, variable in expected.items():
        if arrays[key].shape != tuple(variable.shape):
            raise ArtifactError(
                f"{path}: variable `{key}` has shape {list(arrays[key].shape)}, "
                f"expected {list(variable.shape)}; it belongs to another configuration."
            )
    for key, variable in expected.items():
        variable.assign(arrays[key])
    return meta


def read_meta(path: str | os.PathLike | io.BytesIO) -> dict[str, Any]:
    """The plain values of a checkpoint alone.

    Raises:
        ArtifactError: the file is missing or damaged.
    """
    return _read(path)[1]


def _write(file: Any, groups: Mapping[str, Sequence[Any]], meta: Mapping[str, Any]) -> None:
    arrays = {_META: np.frombuffer(json.dumps(dict(meta)).encode(), dtype=np.uint8)}
    for group, variables in groups.items():
        for index, variable in enumerate(variables):
            arrays[_key(group, index, variable)] = np.asarray(variable)
    np.savez(file, allow_pickle=False, **arrays)


def _read(path: str | os.PathLike | io.BytesIO) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        meta = json.loads(arrays.pop(_META).tobytes())
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: no such file; the run has no checkpoint there.") from error
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, OSError) as error:
        raise ArtifactError(
            f"{path}: not a readable checkpoint ({error}). Delete it and train again."
        ) from error
    return arrays, meta


def _key(group: str, index: int, variable: Any) -> str:
    path = getattr(variable, "path", variable.name)
    # Keras numbers seed generators through the process; the index tells them apart as well.
    path = re.sub(r"seed_generator_\d+", "seed_generator", path)
    return f"{group}/{index:04d}/{path}"
