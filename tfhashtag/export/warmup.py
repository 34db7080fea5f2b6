"""Requests that a server answers while it loads a model, so that the first client waits no longer.

The file and its place are TensorFlow Serving's: `assets.extra/tf_serving_warmup_requests`, a
TFRecord of `PredictionLog`. No text, picture or name of the training data goes into it.
"""

import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfhashtag.errors import ConfigError
from tfhashtag.export.signatures import Signature

WARMUP_FILE = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")
# TensorFlow Serving refuses to load a model with more.
MOST_RECORDS = 1000

ALLOWED_BATCH_SIZES = (1, 2, 4, 8, 16, 32)
# Of the larger requests: a server that batches fewer at most refuses them, and the model.
ROWS = 8

MESSAGES = (
    "what a match tonight #football",
    "off to the stadium",
    "good read, could not put it down #books",
    "rain in the city and no umbrella",
    "😀 café, déjà vu — 東京 مرحبا",
    "A longer message, as people write who have more to say than fits into a headline, and who "
    "say it twice to be sure. " * 2,
)


class WarmUpRequest(NamedTuple):
    """One request: the name of the signature and the value of each input."""

    signature: str
    inputs: Mapping[str, Any]


def without_scalars(
    requests: Iterable[WarmUpRequest], signatures: Iterable[Signature]
) -> list[WarmUpRequest]:
    """The requests that a stock server with `--enable_batching` answers.

    It sends every signature through its queues and refuses a scalar input; a refused warm-up
    request would keep it from loading the model.
    """
    scalar = {s.name for s in signatures if any(tensor.rank == 0 for tensor in s.inputs)}
    return [request for request in requests if request.signature not in scalar]


def write_warmup(folder: str | os.PathLike, model: str, requests: list[WarmUpRequest]) -> None:
    """Writes the warm-up file of a version folder that is not yet in place.

    Args:
        folder: the version folder.
        model: name of the model.
        requests: 1 to 1,000.

    Raises:
        ConfigError: too many or no requests.
    """
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    if not 1 <= len(requests) <= MOST_RECORDS:
        raise ConfigError(
            f"`requests` has {len(requests)} entries; TensorFlow Serving reads 1 to {MOST_RECORDS}."
        )
    path = pathlib.Path(folder) / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            log = prediction_log_pb2.PredictionLog()
            predict = log.predict_log.request
            predict.model_spec.name = model
            predict.model_spec.signature_name = request.signature
            for name, value in request.inputs.items():
                predict.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log.SerializeToString(deterministic=True))


def repeated(values: Sequence[str], shape: Sequence[int]) -> np.ndarray:
    """Strings over and over, as an array of objects.

    >>> repeated(("a", "b"), [1, 3]).tolist()
    [['a', 'b', 'a']]
    """
    return np.resize(np.array(values, object), shape)
