"""Requests that a server answers while it loads a model, so that the first client waits no longer.

The file and its place are TensorFlow Serving's: `assets.extra/tf_serving_warmup_requests`, a
TFRecord of `PredictionLog`. No text, picture or name of the training data goes into it.
"""

import itertools
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tfhashtag.errors import ConfigError
from tfhashtag.export.signatures import DEFAULT_SIGNATURE, Signature

WARMUP_FILE = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")
# TensorFlow Serving refuses to load a model with more.
MOST_RECORDS = 1000

ALLOWED_BATCH_SIZES = (1, 2, 4, 8, 16, 32)
# Rows of the larger requests: a server that batches fewer at most refuses them, and the model.
_ROWS = 8

_MESSAGES = (
    "what a match tonight #football",
    "off to the stadium",
    "good read, could not put it down #books",
    "rain in the city and no umbrella",
    "😀 café, déjà vu — 東京 مرحبا",
    "A longer message, as people write who have more to say than fits into a headline, and who "
    "say it twice to be sure. " * 2,
)
_HASHTAGS = ("football", "books", "never seen before", "")


class WarmUpRequest(NamedTuple):
    """One request: the name of the signature and the value of each input."""

    signature: str
    inputs: Mapping[str, Any]


def user_requests(history_length: int) -> list[WarmUpRequest]:
    """Requests for every signature of an engagement model.

    One user and eight, histories as short as one message and as wide as the model
    reads; some rows are padded, one user of a batch has written nothing.

    Args:
        history_length: messages of a user that the model was trained to read.

    Example:

    >>> requests = user_requests(50)
    >>> sorted({request.signature for request in requests})
    ['embed_user', 'score', 'score_contexts', 'serving_default', 'top_k']
    >>> requests[0].inputs["history"].shape
    (1, 1)
    """
    widths = sorted({1, min(8, history_length), history_length})
    requests = []
    for batch, width in [
        *((1, width) for width in widths),
        (_ROWS, widths[min(1, len(widths) - 1)]),
    ]:
        history = _messages([batch, width])
        history[1:2] = ""
        history[:, max(1, width - 2) :] = ""
        others: dict[str, dict[str, Any]] = {
            DEFAULT_SIGNATURE: {},
            "top_k": {"k": np.int32(10)},
            "score": {"hashtags": _cycle(_HASHTAGS, [batch, 10])},
            "score_contexts": {"contexts": _messages([batch, 2, 5])},
            "embed_user": {},
        }
        for name, inputs in others.items():
            requests.append(WarmUpRequest(name, {"history": history, **inputs}))
    return requests


def post_requests(proposals: tuple[int, int] | None) -> list[WarmUpRequest]:
    """Requests for every signature of a model of posts.

    One post with everything and with each part missing, and eight of all kinds.

    Args:
        proposals: proposals of a picture and their width; None where the model reads none.

    Example:

    >>> [len(request.inputs["user"]) for request in post_requests((4, 8))[::4]]
    [1, 1, 1, 1, 8]
    """
    jpeg, png = _pictures()
    text = _MESSAGES[0]
    everything = (text, jpeg, "nobody")
    kinds = [everything, (text, b"", "nobody"), ("", png, ""), ("", b"", "")]
    large = [
        (message, picture, user)
        for message, (_, picture, user) in zip(
            _messages([_ROWS]), itertools.cycle(kinds), strict=False
        )
    ]
    requests = []
    for rows in ([everything], [kinds[1]], [kinds[2]], [kinds[3]], large):
        texts, images, users = (np.array(column, object) for column in zip(*rows, strict=True))
        post = {"text": texts, "image": images, "user": users}
        given = np.zeros([len(rows), *(proposals or (1, 1))], np.float32)
        given[[bool(image) for image in images]] = 0.5
        requests += [
            WarmUpRequest(DEFAULT_SIGNATURE, post),
            WarmUpRequest("top_k", {**post, "k": np.int32(10)}),
            WarmUpRequest("vectors", {"text": texts, "proposals": given, "user": users}),
            WarmUpRequest("embed_post", post),
        ]
    return requests


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


def _messages(shape: list[int]) -> np.ndarray:
    return _cycle(_MESSAGES, shape)


def _cycle(values, shape: list[int]) -> np.ndarray:
    return np.resize(np.array(values, object), shape)


def _pictures() -> tuple[bytes, bytes]:
    """A JPEG and a PNG of 96 x 64 pixels."""
    import tensorflow as tf

    rows, columns = np.mgrid[:64, :96]
    pixels = np.stack([2 * columns, 3 * rows, 0 * rows + 90], -1).astype(np.uint8)
    return tf.io.encode_jpeg(pixels).numpy(), tf.io.encode_png(pixels).numpy()
