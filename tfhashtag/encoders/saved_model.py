"""What encoders that are SavedModels share."""

import hashlib
import pathlib
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from tfhashtag.errors import EncoderError
from tfhashtag.files import sha256_of


def load_saved_model(folder: str) -> Any:
    """The object that `tf.saved_model.load` gives.

    Raises:
        EncoderError: there is none.
    """
    try:
        return tf.saved_model.load(folder)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise EncoderError(
            f"{folder}: cannot be loaded as a SavedModel: {first_line(error)} "
            f"Give a folder written by `tf.saved_model.save`, or a TF-Hub handle."
        ) from error


def one_output(outputs: Any, names: Iterable[str], encoder: str) -> tf.Tensor:
    """What a model gives, float32; of several outputs the first that has one of the names.

    Raises:
        EncoderError: none has.
    """
    if isinstance(outputs, dict):
        found = list(outputs) if len(outputs) == 1 else [key for key in names if key in outputs]
        if not found:
            raise EncoderError(
                f"{encoder} gives {sorted(outputs)}; one of {', '.join(names)} was expected."
            )
        outputs = outputs[found[0]]
    return tf.cast(outputs, tf.float32)


def folder_fingerprint(folder: pathlib.Path, settings: str = "") -> str:
    """SHA-256 (hex) of a SavedModel's files and of what else decides about its answers."""
    digest = hashlib.sha256(settings.encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "fingerprint.pb":
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(bytes.fromhex(sha256_of(path)))
    return digest.hexdigest()


def first_line(error: Exception) -> str:
    """The first line of an error's message, at most 200 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
