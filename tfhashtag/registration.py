"""What makes a class public and loadable by Keras."""

from typing import Any, TypeVar

import keras

T = TypeVar("T", bound=type)


def public(cls: T) -> T:
    """Registers `cls` for Keras serialisation as `tfhashtag>ClassName`."""
    return keras.saving.register_keras_serializable(package="tfhashtag")(cls)


def serialized_part(part: Any) -> dict[str, Any] | None:
    """A part of a model for its `get_config`, without `build_config`; None for None.

    The model builds its parts, so that their weights stand under its own name.
    """
    if part is None:
        return None
    found = keras.saving.serialize_keras_object(part)
    return {name: value for name, value in found.items() if name != "build_config"}
