"""The requests that a version answers before clients may ask it anything."""

import pathlib
import time
from collections.abc import Iterator

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.status import RequestError, from_tensorflow, invalid

WARMUP_FILE = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")
MOST_RECORDS = 1000


def replay_warmup(servable: Servable) -> int:
    """Replays `assets.extra/tf_serving_warmup_requests` of a version, a TFRecord of PredictionLog.

    As in TensorFlow Serving each record is run, and one that fails means that the version is not
    fit to be served. Limits on what clients may send do not hold here.

    Args:
        servable: the loaded version.

    Returns:
        How many requests were run; 0 where there is no file.

    Raises:
        RequestError: what the first failing request was answered; INVALID_ARGUMENT for more than
            1,000 records or one that is no PredictionLog; UNIMPLEMENTED for a request that is not
            for Predict; DATA_LOSS for a file that is no TFRecord.
    """
    path = servable.folder / WARMUP_FILE
    if not path.is_file():
        return 0
    began, status = time.perf_counter(), grpc.StatusCode.OK
    try:
        return _replay_all(servable, path)
    except RequestError as error:
        status = error.code
        raise
    finally:
        if servable.metrics is not None:
            seconds = time.perf_counter() - began
            servable.metrics.record_warm_up(str(servable.folder), status.name, seconds)


def _replay_all(servable: Servable, path: pathlib.Path) -> int:
    number = 0
    for number, record in enumerate(_records(path), 1):
        if number > MOST_RECORDS:
            raise invalid(
                f"Number of warmup records exceeds the maximum ({MOST_RECORDS}) at {path}"
            )
        try:
            _replay(servable, record)
        except RequestError as error:
            words = f"{error.message} (warm-up request {number} of {path})"
            raise RequestError(error.code, words) from error
    return number


def _records(path: pathlib.Path) -> Iterator[bytes]:
    try:
        yield from tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    except tf.errors.DataLossError as error:
        raise RequestError(
            grpc.StatusCode.DATA_LOSS,
            f"{error.message}. Please verify your warmup data is in TFRecord format.",
        ) from error
    except tf.errors.OpError as error:
        raise from_tensorflow(error) from error


def _replay(servable: Servable, record: bytes) -> None:
    try:
        log = prediction_log_pb2.PredictionLog.FromString(record)
    except DecodeError as error:
        raise invalid("Failed to parse warmup record") from error
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        servable.predict(
            request.inputs, request.model_spec.signature_name, request.output_filter, trusted=True
        )
    elif kind is not None:
        raise RequestError(
            grpc.StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}"
        )
