import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tfhashtag.serving.metrics import ServingMetrics
from tfhashtag.serving.runtime.limits import Limits
from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.status import RequestError
from tfhashtag.serving.versions.warmup_requests import WARMUP_FILE, replay_warmup


@pytest.fixture
def servable(models, tmp_path):
    """With a limit of one row; its warm-up file is written into a folder of the test."""
    loaded = Servable(models / "toy" / "1", "toy", 1, limits=Limits(rows=1))
    loaded.folder = tmp_path
    (tmp_path / WARMUP_FILE).parent.mkdir()
    yield loaded
    loaded.close()


def write(servable, *logs):
    with tf.io.TFRecordWriter(str(servable.folder / WARMUP_FILE)) as writer:
        for log in logs:
            writer.write(log.SerializeToString())


def predict_log(rows, dtype=np.float32):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.ones([rows, 2], dtype)))
    return log


def test_no_file_is_nothing_to_do(servable):
    assert replay_warmup(servable) == 0


def test_limits_are_for_clients(servable):
    with pytest.raises(RequestError, match="takes at most 1"):
        servable.predict({"x": np.ones([2, 2], np.float32)})
    write(servable, predict_log(1), predict_log(2))
    servable.metrics = ServingMetrics()
    assert replay_warmup(servable) == 2
    write(servable, predict_log(1, np.int64))
    with pytest.raises(RequestError):
        replay_warmup(servable)
    text = servable.metrics.expose().decode()
    servable.metrics = None
    for status in ("OK", "INVALID_ARGUMENT"):
        labels = f'model_path="{servable.folder}",status="{status}"'
        assert f":tensorflow:serving:model_warmup_latency_count{{{labels}}} 1.0" in text


def test_a_failure_says_which_request(servable):
    write(servable, predict_log(1), predict_log(1, np.int64))
    with pytest.raises(RequestError, match=r"^Expects arg\[0\].*\(warm-up request 2 of "):
        replay_warmup(servable)


def test_a_record_for_another_method_fails_and_an_empty_one_does_not(servable):
    write(servable, prediction_log_pb2.PredictionLog())
    assert replay_warmup(servable) == 1
    log = prediction_log_pb2.PredictionLog()
    log.classify_log.SetInParent()
    write(servable, log)
    with pytest.raises(RequestError, match="Unsupported log_type for warmup") as error:
        replay_warmup(servable)
    assert error.value.code.name == "UNIMPLEMENTED"
