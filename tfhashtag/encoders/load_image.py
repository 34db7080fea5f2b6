"""From the name of an image encoder to the encoder."""

import os
import pathlib
from typing import Any

import keras

from tfhashtag.encoders.backbone_image_encoder import BackboneImageEncoder, seeded_weights
from tfhashtag.encoders.hub_access import check_hugging_face
from tfhashtag.encoders.image_encoder import ImageEncoder
from tfhashtag.encoders.load import resolve_hub
from tfhashtag.encoders.pixel_image_encoder import PixelImageEncoder
from tfhashtag.encoders.saved_model_image_encoder import SavedModelImageEncoder
from tfhashtag.errors import EncoderError

RANDOM = "random"
_RESNET_WEIGHTS = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
_RESNET_SIZE = 224
# What ImageNet's weights of keras.applications' ResNet-50 were trained with: BGR less the mean.
_RESNET_OFFSET = (-103.939, -116.779, -123.68)


def load_image_encoder(
    name: str, weights: str | os.PathLike | None = None, proposals: int = 9
) -> ImageEncoder:
    """Loads an image encoder by name, handle or path.

    | `name` | encoder |
    |---|---|
    | `resnet50` | ResNet-50 of `keras.applications`, the thesis's: 7 x 7 x 2048 at 224 pixels |
    | `pixels` | no weights at all: mean colours of the cells, see `PixelImageEncoder` |
    | `hf://...`, `kaggle://...`, a KerasHub preset name | the backbone and its image converter's
      scale, as `keras_hub` loads them |
    | a folder | a KerasHub preset or a TF-Hub SavedModel, by its files |
    | a file `....keras` | a Keras model from RGB pixels (0 to 255) to a feature map |
    | `http://...`, `https://...` | a TF-Hub SavedModel, by `hub.load`'s rules |

    Vectors that posts bring themselves (`"given"`) need no encoder: `load_proposals` reads them.

    Args:
        name: str, as above.
        weights: None for the published weights (ImageNet's for `resnet50`: from the Keras cache,
            else downloaded into it), the path of a weights file (`.weights.h5` or `.h5`), or
            `"random"`: random weights that are the same every time, for tests. A SavedModel and a
            `.keras` file have their own.
        proposals: int m, a square number: 9 for a grid of 3 x 3, 49 for 7 x 7.

    Returns:
        An `ImageEncoder`.

    Raises:
        EncoderError: it cannot be found or loaded; the message names the ways out.
    """
    if name == "given":
        raise EncoderError(
            "Image encoder `given` stands for vectors that the posts bring themselves; there is "
            "nothing to encode. Train with it as it is, or name another encoder."
        )
    if name in _OWN:
        return _OWN[name](weights, proposals)
    path = pathlib.Path(name)
    if name.endswith(".keras"):
        _refuse_weights(name, weights)
        return BackboneImageEncoder(_load_keras(path), name=name, proposals=proposals)
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            _refuse_weights(name, weights)
            return SavedModelImageEncoder(str(path), name=name, proposals=proposals)
        if (path / "config.json").is_file():
            return _keras_hub(name, weights, proposals)
        raise EncoderError(
            f"{name}: neither `config.json` (KerasHub) nor `saved_model.pb` (TF-Hub) is in this "
            f"folder. Give the folder that holds one of them."
        )
    if name.startswith(("http://", "https://")):
        _refuse_weights(name, weights)
        return SavedModelImageEncoder(resolve_hub(name), name=name, proposals=proposals)
    import keras_hub

    if "://" in name or name in keras_hub.models.Backbone.presets:
        return _keras_hub(name, weights, proposals)
    raise EncoderError(
        f"Image encoder `{name}` is unknown and no such folder exists. Give `resnet50`, `pixels`, "
        f"a KerasHub preset, a handle such as `hf://owner/model` or `https://tfhub.dev/...`, a "
        f"`.keras` file or a folder."
    )


def _resnet(weights, proposals) -> ImageEncoder:
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


def _pixels(weights, proposals) -> ImageEncoder:
    if weights is not None:
        raise EncoderError(
            f"Image encoder `pixels` has no weights; `--image-weights {weights}` cannot be set. "
            "Leave it out."
        )
    return PixelImageEncoder(proposals)


def _published_resnet(shape) -> keras.Model:
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


def _keras_hub(name, weights, proposals) -> ImageEncoder:
    import keras_hub

    _check_weights(weights, name)
    try:
        check_hugging_face(
            name,
            f"Image encoder `{name}`",
            "Give a local KerasHub folder, or set HF_HOME to a cache that has it.",
        )
        backbone = keras_hub.models.Backbone.from_preset(name, load_weights=weights is None)
    except EncoderError:
        raise
    except Exception as error:  # KerasHub raises what its hub clients and readers raise
        reason = " ".join(str(error).split())[:300]
        raise EncoderError(
            f"Image encoder `{name}` cannot be loaded: {type(error).__name__}: {reason} "
            f"Without access to a model hub, give a local KerasHub folder."
        ) from error
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


def _load_keras(path: pathlib.Path) -> keras.Model:
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise EncoderError(
            f"{path}: cannot be loaded as a Keras model: {reason} Give a file that "
            f"`model.save('....keras')` wrote."
        ) from error


def _refuse_weights(name, weights) -> None:
    if weights is not None:
        raise EncoderError(
            f"Image encoder `{name}` has its own weights; `--image-weights {weights}` cannot be "
            f"set. Leave it out."
        )


_OWN = {"resnet50": _resnet, "pixels": _pixels}
