"""Everything that this project reads of KerasHub and that KerasHub does not publish.

What is private may move with any release. Then `tests/encoders/test_keras_hub_internals.py` fails
and says which name is missing; the new one belongs here and nowhere else.
"""

import types
from typing import Any

from tfhashtag.errors import EncoderError

# Attribute of `keras_hub.layers.TransformerEncoder` by what it is.
_PARTS = {
    "attention": "_self_attention_layer",
    "attention_norm": "_self_attention_layer_norm",
    "intermediate": "_feedforward_intermediate_dense",
    "output": "_feedforward_output_dense",
    "feedforward_norm": "_feedforward_layer_norm",
}


def encoder_parts(layer: Any) -> types.SimpleNamespace:
    """The layers inside of a built `TransformerEncoder`.

    They are `attention`, a `keras.layers.MultiHeadAttention`, and `intermediate` and `output`, the
    dense layers of the feed-forward network, with `attention_norm` and `feedforward_norm` beside.

    Raises:
        EncoderError: this release of KerasHub calls one of them otherwise.
    """
    missing = [name for name in _PARTS.values() if not hasattr(layer, name)]
    if missing:
        raise _moved(f"`{type(layer).__name__}` has no `{missing[0]}`")
    return types.SimpleNamespace(**{part: getattr(layer, name) for part, name in _PARTS.items()})


def preset_file(source: str, path: str) -> str:
    """Where a file of a preset, handle or checkpoint lies on this machine, fetched if need be.

    Raises:
        FileNotFoundError: the preset has no such file.
        EncoderError: this release of KerasHub has the function elsewhere.
    """
    try:
        from keras_hub.src.utils.preset_utils import get_file
    except ImportError as error:
        raise _moved(f"`get_file` of `preset_utils` is gone ({error})") from error
    return get_file(source, path)


def _moved(what: str) -> EncoderError:
    import keras_hub

    return EncoderError(
        f"KerasHub {keras_hub.__version__}: {what}; this release is newer than what was tested. "
        "Install the one that `pip install tfhashtag` asks for, or name the new place in "
        "`tfhashtag/encoders/keras_hub_internals.py`."
    )
