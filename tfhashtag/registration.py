"""One decorator that makes a class public and loadable by Keras."""

from typing import TypeVar

import keras

T = TypeVar("T", bound=type)


def public(cls: T) -> T:
    """Registers `cls` for Keras serialisation as `tfhashtag>ClassName`."""
    return keras.saving.register_keras_serializable(package="tfhashtag")(cls)
