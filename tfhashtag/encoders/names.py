"""Names of encoders that are known without loading anything."""

import os

from tfhashtag.errors import EncoderError

#: Encoders that have a name here.
TEXT_ENCODERS = ("minilm", "bertweet", "mpnet", "use-multilingual")
IMAGE_ENCODERS = ("resnet50", "efficientnet-lite0", "pixels")
_STAND_FOR = ("auto", "given")
_OTHERS = "_:/\\"  # presets of KerasHub have words between `_`; addresses and paths the others


def check_encoder_name(kind: str, name: str) -> None:
    """Refuses a name that no encoder can have, before anything is loaded for it.

    Args:
        kind: `Text` or `Image`.
        name: as `load_text_encoder` and `load_image_encoder` take it.

    Raises:
        EncoderError: it is unknown.

    >>> check_encoder_name("Text", "minilm")
    >>> check_encoder_name("Text", "minilmm")
    Traceback (most recent call last):
    tfhashtag.errors.EncoderError: Text encoder `minilmm` is unknown and no such folder exists. ...
    """
    known = TEXT_ENCODERS if kind == "Text" else (*IMAGE_ENCODERS, *_STAND_FOR)
    may_be = any(sign in name for sign in _OTHERS) or name.endswith(".keras")
    if name not in known and not may_be and not os.path.isdir(name):
        raise unknown_encoder(kind, name)


def unknown_encoder(kind: str, name: str) -> EncoderError:
    """The error that says which names there are."""
    known = TEXT_ENCODERS if kind == "Text" else IMAGE_ENCODERS
    names = ", ".join(f"`{one}`" for one in known)
    file = ", a `.keras` file" if kind == "Image" else ""
    return EncoderError(
        f"{kind} encoder `{name}` is unknown and no such folder exists. Give {names}, a KerasHub "
        f"preset, a handle such as `hf://owner/model` or `https://tfhub.dev/...`{file} or a folder."
    )
