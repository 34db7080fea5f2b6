"""Case 24: a version answers its warm-up requests before clients may ask it anything.

Runs against the embedded server, or against one given by `--serving-address`: see conftest.py
beside this file.
"""

import pathlib

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

Code = grpc.StatusCode
X = np.ones([1, 2], np.float32)
FILE = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")


@pytest.fixture
def warm_up(predict, name):
    """`warm_up(folder, request, request ...)` writes the file."""

    def write(folder, *requests):
        (folder / FILE).parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(folder / FILE)) as writer:
            for request in requests or [predict(name, x=X)]:
                log = prediction_log_pb2.PredictionLog()
                log.predict_log.request.CopyFrom(request)
                writer.write(log.SerializeToString())

    return write


@pytest.fixture
def fails(changing, predict, name):
    """Adds a version 2 that shall not load while version 1 serves; gives its code and words."""

    def check(extra):
        changing.add(name, 1)
        changing.reload(name)
        changing.add(name, 2, extra=extra)
        changing.wait(name, v2="END")
        assert changing.states(name) == {2: "END", 1: "AVAILABLE"}
        response = changing.predictions.Predict(predict(name, x=X), timeout=60)
        assert response.model_spec.version.value == 1
        status = changing.status(name, 2)[0].status
        return grpc_code(status.error_code), status.error_message

    return check


def grpc_code(number):
    return next(code for code in Code if code.value[0] == number)


def replace(folder, module, **signatures):
    """Another model in the place of the one that was copied."""
    tf.saved_model.save(module, str(folder), signatures=signatures)


def test_24_good_requests_of_several_signatures(changing, predict, warm_up, name):
    words = {"text": np.array(["a"], object), "user": np.array(["b"], object)}

    def extra(folder):
        warm_up(
            folder,
            predict("anything", x=X),
            predict(name, "words", **words),
            predict(name, outputs=["y"], x=X),
        )

    changing.add(name, 1, extra=extra)
    changing.reload(name)
    assert changing.states(name) == {1: "AVAILABLE"}
    assert changing.predictions.Predict(predict(name, x=X), timeout=60).outputs


def test_24_a_thousand_records_are_allowed(changing, predict, warm_up, name):
    changing.add(name, 1, extra=lambda folder: warm_up(folder, *[predict(name, x=X)] * 1000))
    changing.reload(name)
    assert changing.states(name) == {1: "AVAILABLE"}


def test_24_one_more_record_fails_the_load(fails, predict, warm_up, name):
    code, words = fails(lambda folder: warm_up(folder, *[predict(name, x=X)] * 1001))
    assert code == Code.INVALID_ARGUMENT
    assert words.startswith("Number of warmup records exceeds the maximum (1000) at ")


def test_24_a_failing_record_fails_the_load(fails, predict, warm_up, name):
    code, words = fails(
        lambda folder: warm_up(
            folder, predict(name, x=X), predict(name, x=np.ones([1, 2], np.int64))
        )
    )
    assert code == Code.INVALID_ARGUMENT
    assert words.startswith("Expects arg[0] to be float but int64 is provided")


def test_24_a_record_that_is_no_prediction_log_fails_the_load(fails):
    def extra(folder):
        (folder / FILE).parent.mkdir()
        with tf.io.TFRecordWriter(str(folder / FILE)) as writer:
            writer.write(b"\xff\xff")

    code, words = fails(extra)
    assert code == Code.INVALID_ARGUMENT
    assert words.startswith("Failed to parse warmup record")


def test_24_a_file_that_is_no_tfrecord_fails_the_load(fails):
    def extra(folder):
        (folder / FILE).parent.mkdir()
        (folder / FILE).write_bytes(b"these are no records at all")

    code, words = fails(extra)
    assert code == Code.DATA_LOSS
    assert "Please verify your warmup data is in TFRecord format." in words


def test_24_an_export_that_only_python_can_run_fails_the_load(fails, warm_up):
    import keras

    model = keras.Sequential([keras.layers.Input([2]), keras.layers.Dense(2)])
    call = tf.function(
        lambda x: {"y": model(x)}, input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")]
    )

    def extra(folder):
        replace(folder, model, serving_default=call)
        warm_up(folder)

    code, words = fails(extra)
    assert code == Code.FAILED_PRECONDITION
    assert "Could not find variable" in words


def test_24_an_export_with_py_function_fails_the_load(fails, warm_up):
    module = tf.Module()
    module.call = tf.function(
        lambda x: {"y": tf.ensure_shape(tf.py_function(lambda v: v + 1, [x], tf.float32), x.shape)},
        input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")],
    )

    def extra(folder):
        replace(folder, module, serving_default=module.call)
        # The server may be of this process, in which the function is still registered.
        saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        calls = [
            node
            for function in saved.meta_graphs[0].graph_def.library.function
            for node in function.node_def
            if node.op == "EagerPyFunc"
        ]
        assert calls
        for node in calls:
            node.attr["token"].s = b"pyfunc_of_another_process"
        (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
        warm_up(folder)

    code, words = fails(extra)
    assert code != Code.OK and words
