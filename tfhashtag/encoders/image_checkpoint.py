"""Models of images from files and hubs, with their weights."""

import os
import pathlib
from typing import Any

import keras

from tfhashtag.encoders.backbone_image_encoder import BackboneImageEncoder, seeded_weights
from tfhashtag.encoders.hub_access import from_hub
from tfhashtag.errors import EncoderError

RANDOM = "random"
_RESNET_WEIGHTS = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
_RESNET_SIZE = 224
# What ImageNet's weights of keras.applications' ResNet-50 were trained with: BGR less the mean.
_RESNET_OFFSET = (-103.939, -116.779, -123.68)


def resnet50(weights: Any, proposals: int) -> BackboneImageEncoder:
    """ResNet-50 of `keras.applications` with the weights that `load_image_encoder` takes.

    Raises:
        EncoderError: the weights cannot be had.
    """
    shape = (_RESNET_SIZE, _RESNET_SIZE, 3)
    if weights is None:
        model = _published_resnet(shape)
    else:
        _check_weights(weights, "resnet50")
        model = keras.applications.ResNet50(include_top=False, weights=None, input_shape=shape)
        _set_weights(model, "resnet50", weights)
    return BackboneImageEncoder(
        model, name="resnet50", proposals=proposals, offset=_RESNET_OFFSET, flip_channels=True
    )


def image_checkpoint(
    name: str, weights: Any, proposals: int, ways_out: str
) -> BackboneImageEncoder:
    """The encoder of a KerasHub preset: its backbone, and its image converter's scale.

    Raises:
        EncoderError: it cannot be loaded, or says nothing about its pixels.
    """
    import keras_hub

    _check_weights(weights, name)
    with from_hub(name, f"Image encoder `{name}`", ways_out):
        backbone = keras_hub.models.Backbone.from_preset(name, load_weights=weights is None)
    if weights is not None:
        _set_weights(backbone, name, weights)
    try:
        converter: Any = keras_hub.layers.ImageConverter.from_preset(name)
    except (FileNotFoundError, ValueError) as error:  # the preset has none
        raise EncoderError(
            f"Image encoder `{name}`: the preset says nothing about its pixels (no image "
            f"converter). Save it with one, or as a `.keras` file that takes RGB from 0 to 255."
        ) from error
    declared = backbone.inputs[0].shape[1] if len(backbone.inputs[0].shape) == 4 else None
    converted = converter.image_size
    size = declared or (converted[0] if converted and converted[0] else None)
    return BackboneImageEncoder(
        backbone,
        name=name,
        proposals=proposals,
        size=size,
        scale=1.0 if converter.scale is None else converter.scale,
        offset=0.0 if converter.offset is None else converter.offset,
    )


def keras_model(path: pathlib.Path) -> keras.Model:
    """The model in a `.keras` file.

    Raises:
        EncoderError: it cannot be loaded.
    """
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise EncoderError(
            f"{path}: cannot be loaded as a Keras model: {reason} Give a file that "
            f"`model.save('....keras')` wrote."
        ) from error


def _published_resnet(shape: Any) -> keras.Model:
    try:
        return keras.applications.ResNet50(include_top=False, weights="imagenet", input_shape=shape)
    except Exception as error:  # urllib's, ssl's, OSError and a bare Exception of Keras
        reason = " ".join(str(error).split())[:200]
        home = os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras")
        raise EncoderError(
            f"The ImageNet weights of `resnet50` are not in the Keras cache and cannot be fetched "
            f"({type(error).__name__}: {reason}). Put {_RESNET_WEIGHTS} into "
            f"{pathlib.Path(home, 'models')}, give a file with `--image-weights FILE`, choose "
            f"another `--image-encoder`, or, for a test only, `--image-weights random`."
        ) from error


def _check_weights(weights: Any, name: str) -> None:
    if weights not in (None, RANDOM) and not pathlib.Path(weights).is_file():
        raise EncoderError(
            f"{weights}: no such file of weights for image encoder `{name}`. Give a `.weights.h5` "
            f"or `.h5` file, or `random` for a test."
        )


def _set_weights(model: keras.Model, name: str, weights: Any) -> None:
    if weights == RANDOM:
        seeded_weights(model)
        return
    path = pathlib.Path(weights)
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise EncoderError(
            f"{path}: these are not weights of image encoder `{name}`: {reason} Give a file that "
            f"`save_weights` of this very architecture wrote."
        ) from error
