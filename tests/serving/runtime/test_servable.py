import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from grpc import StatusCode

from tfhashtag.errors import ServingError
from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.runtime.tensors import make_tensor
from tfhashtag.serving.status import RequestError


def test_a_missing_input_takes_the_default_of_the_signature(tmp_path):
    class Add(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([], tf.float32, "x"), tf.TensorSpec([], tf.float32, "by"),
            ]
        )  # fmt: skip
        def add(self, x, by):
            return {"y": x + by}

    module = Add()
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.add)
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    path = tmp_path / "1" / "saved_model.pb"
    model = SavedModel.FromString(path.read_bytes())
    signature = model.meta_graphs[0].signature_def["serving_default"]
    signature.defaults["by"].CopyFrom(tf.make_tensor_proto(10.0))
    path.write_bytes(model.SerializeToString())

    servable = Servable(tmp_path / "1", "add", 1)
    one = make_tensor(np.float32(1))
    assert servable.predict({"x": one})["y"] == 11
    assert servable.predict({"x": one, "by": one})["y"] == 2
    with pytest.raises(RequestError, match=r"Missing but required: \{x\}"):
        servable.predict({})
    servable.close()


def test_a_keras_model_saved_without_an_archive_fails_at_its_first_run(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    tf.saved_model.save(model, str(tmp_path / "1"))
    servable = Servable(tmp_path / "1", "keras", 1)
    (name,) = servable.signatures["serving_default"].inputs
    with pytest.raises(RequestError, match="Could not find variable") as error:
        servable.predict({name: make_tensor(np.ones([1, 3], np.float32))})
    assert error.value.code == StatusCode.FAILED_PRECONDITION
    servable.close()


def test_a_ragged_output_has_nothing_to_fetch(tmp_path):
    class Ragged(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
        def words(self, text):
            return {"words": tf.strings.split(text)}

    module = Ragged()
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.words)
    servable = Servable(tmp_path / "1", "ragged", 1)
    with pytest.raises(RequestError, match="no tensor to fetch"):
        servable.predict({"text": make_tensor(np.array(["a b"], object))})
    servable.close()


def test_a_failure_may_quote_what_is_no_text(models):
    servable = Servable(models / "toy" / "1", "toy", 1)
    with pytest.raises(RequestError, match=r"assertion failed: .*\ufffd") as error:
        servable.predict({"text": np.array(b"\xff", object)}, "fail")
    assert error.value.code == StatusCode.INVALID_ARGUMENT
    servable.close()


def test_not_a_saved_model(tmp_path):
    with pytest.raises(ServingError, match="does not load"):
        Servable(tmp_path, "none", 1)


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        (
            "variables/variables.data-00000-of-00001",
            1,
            r"`variables/` are cut off or damaged\. Copy",
        ),
        ("variables/variables.index", 20, r"`variables/` are cut off or damaged\. Copy"),
        ("saved_model.pb", 30, r"Cannot parse file .*\. Export the model again\.$"),
    ],
)
def test_files_that_are_cut_off(models, tmp_path, name, size, words):
    folder = shutil.copytree(models / "toy" / "1", tmp_path / "1")
    path = folder / name
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ServingError, match=words):
        Servable(folder, "toy", 1)
