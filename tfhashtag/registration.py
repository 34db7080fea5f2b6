"""What makes a class public and loadable by Keras."""

import inspect
from typing import Any, TypeVar

import keras

T = TypeVar("T", bound=type)


def public(cls: T) -> T:
    """Registers `cls` for Keras serialisation as `tfhashtag>ClassName`."""
    return keras.saving.register_keras_serializable(package="tfhashtag")(cls)


class ConfiguredByArguments:
    """A Keras part that keeps each argument of its constructor as an attribute of that name."""

    def get_config(self: Any) -> dict[str, Any]:
        """The arguments, of which `from_config` makes an equal part."""
        names = [
            parameter.name
            for parameter in inspect.signature(self.__init__).parameters.values()
            if parameter.kind is not parameter.VAR_KEYWORD
        ]
        config = super().get_config()  # type: ignore[misc]  # of Keras
        return config | {name: _plain(getattr(self, name)) for name in names}


def _plain(value: Any) -> Any:
    """The value as JSON has it, an activation by its name."""
    if isinstance(value, tuple):
        return list(map(_plain, value))
    if isinstance(value, dict):
        return dict(value)
    return keras.activations.serialize(value) if callable(value) else value


def serialized_part(part: Any) -> dict[str, Any] | None:
    """A part of a model for its `get_config`, without `build_config`; None for None.

    The model builds its parts, so that their weights stand under its own name.
    """
    if part is None:
        return None
    found = keras.saving.serialize_keras_object(part)
    return {name: value for name, value in found.items() if name != "build_config"}
