"""Cases 1 to 18: Predict and GetModelMetadata, code by code and word by word.

Runs against the embedded server, or against any given by address: see conftest.py beside this file.
Where a stock server adds words of its own at the end, the beginning is compared.
"""

import json
import urllib.error
import urllib.request

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

Code = grpc.StatusCode
X = np.ones([1, 2], np.float32)
TEXT = np.array(["a"], object)


def values(response, name="y"):
    return tf.make_ndarray(response.outputs[name]).tolist()


def typed(dtype, shape, **fields):
    shape = tf.TensorShape(shape).as_proto()
    return TensorProto(dtype=dtype.as_datatype_enum, tensor_shape=shape, **fields)


def test_01_predict_without_signature(stub, predict):
    response = stub.Predict(predict(x=X), timeout=60)
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("toy", 2, "serving_default")
    assert list(response.outputs["y"].float_val) == [3.0, 3.0]


def test_02_no_model_spec_and_an_empty_name(stub, predict, refused):
    assert refused(stub.Predict, predict_pb2.PredictRequest()) == (
        Code.INVALID_ARGUMENT,
        "Missing ModelSpec",
    )
    assert refused(stub.Predict, predict("", x=X)) == (
        Code.INVALID_ARGUMENT,
        "ModelSpec has no name specified.",
    )


def test_03_unknown_model(stub, predict, refused):
    assert refused(stub.Predict, predict("none", x=X)) == (
        Code.NOT_FOUND,
        "Servable not found for request: Latest(none)",
    )


def test_04_unknown_version(stub, predict, refused):
    assert refused(stub.Predict, predict(version=9, x=X)) == (
        Code.NOT_FOUND,
        "Servable not found for request: Specific(toy, 9)",
    )
    assert values(stub.Predict(predict(version=1, x=X), timeout=60)) == [[2.0, 2.0]]


def test_05_an_unknown_label(stub, predict, refused):
    code, words = refused(stub.Predict, predict(label="L", x=X))
    assert (code, words) == (Code.INVALID_ARGUMENT, "Unrecognized servable version label: L")


def test_05_a_label_picks_its_version(stub, predict, label):
    response = stub.Predict(predict(label=label, x=X), timeout=60)
    assert (response.model_spec.version.value, values(response)) == (1, [[2.0, 2.0]])


def test_06_unknown_signature_by_grpc_and_by_rest(stub, predict, refused, rest):
    assert refused(stub.Predict, predict(signature="S", x=X)) == (
        Code.FAILED_PRECONDITION,
        'Serving signature key "S" not found.',
    )
    body = json.dumps({"signature_name": "S", "instances": [[1, 2]]}).encode()
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"{rest}/v1/models/toy:predict", body, timeout=60)
    with error.value as answer:
        assert answer.code == 400
        assert '"S"' in json.load(answer)["error"]


def test_07_a_missing_input_is_named(stub, predict, refused):
    assert refused(stub.Predict, predict(signature="words", text=TEXT)) == (
        Code.INVALID_ARGUMENT,
        "input size does not match signature: 1!=2 len({text}) != len({text,user}). "
        "Sent extra: {}. Missing but required: {user}.",
    )


def test_08_an_extra_input_is_named(stub, predict, refused):
    assert refused(stub.Predict, predict(x=X, more=X)) == (
        Code.INVALID_ARGUMENT,
        "input size does not match signature: 2!=1 len({more,x}) != len({x}). "
        "Sent extra: {more}. Missing but required: {}.",
    )


def test_09_the_right_number_with_a_wrong_name(stub, predict, refused):
    code, words = refused(stub.Predict, predict(signature="words", text=TEXT, usr=TEXT))
    assert code == Code.INVALID_ARGUMENT
    assert words.startswith("Signature input alias: user")


def test_10_integers_are_not_cast_to_floats(stub, predict, refused):
    code, words = refused(stub.Predict, predict(x=np.ones([1, 2], np.int64)))
    assert code == Code.INVALID_ARGUMENT
    assert words.startswith("Expects arg[0] to be float but int64 is provided")


def test_11_a_shape_to_which_an_op_objects(stub, predict, refused):
    request = predict(signature="product", x=np.ones([1, 5], np.float32))
    code, words = refused(stub.Predict, request)
    assert code == Code.INVALID_ARGUMENT
    assert "Matrix size-incompatible" in words


def test_12_a_higher_rank_than_declared_runs(stub, predict):
    response = stub.Predict(predict(x=np.zeros([2, 2, 2], np.float32)), timeout=60)
    assert values(response) == np.full([2, 2, 2], 2.0).tolist()


def test_13_output_filter(stub, predict, refused):
    response = stub.Predict(predict(outputs=["rows"], x=X), timeout=60)
    assert (list(response.outputs), values(response, "rows")) == (["rows"], [1])
    code, words = refused(stub.Predict, predict(outputs=["A"], x=X))
    assert code == Code.INVALID_ARGUMENT
    assert words.startswith("output tensor alias not found in signature: A ")
    assert refused(stub.Predict, predict(outputs=["y", "y"], x=X)) == (
        Code.INVALID_ARGUMENT,
        "duplicate output tensor alias: y",
    )


def test_14_zero_rows(stub, predict):
    response = stub.Predict(predict(x=np.ones([0, 2], np.float32)), timeout=60)
    assert tf.make_ndarray(response.outputs["y"]).shape == (0, 2)


def test_15_too_few_bytes_and_too_few_values(stub, predict, refused):
    short = typed(tf.float32, [1, 2], tensor_content=b"1234")
    assert refused(stub.Predict, predict(x=short)) == (
        Code.INVALID_ARGUMENT,
        "tensor parsing error: x",
    )
    one = typed(tf.string, [3], string_val=[b"a"])
    response = stub.Predict(predict(signature="words", text=one, user=one), timeout=60)
    assert values(response, "text") == [b"a", b"a", b"a"]


def test_16_a_long_error_is_cut(stub, predict, refused):
    code, words = refused(
        stub.Predict, predict(signature="fail", text=np.array(["a" * 4000], object))
    )
    assert code == Code.INVALID_ARGUMENT
    assert words.endswith("...TRUNCATED") and len(words) == 1024 + len("...TRUNCATED")


def test_17_six_mebibytes(stub, predict):
    text = np.array([b"a" * (6 * 2**20)], object)
    request = predict(signature="words", outputs=["text"], text=text, user=TEXT)
    assert values(stub.Predict(request, timeout=60), "text") == text.tolist()


def test_18_metadata(stub, refused):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "toy"
    assert refused(stub.GetModelMetadata, request) == (
        Code.INVALID_ARGUMENT,
        "GetModelMetadataRequest must specify at least one metadata_field",
    )
    request.metadata_field.append("X")
    assert refused(stub.GetModelMetadata, request) == (
        Code.INVALID_ARGUMENT,
        "Metadata field X is not supported",
    )
    request.metadata_field[0] = "signature_def"
    response = stub.GetModelMetadata(request, timeout=60)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(found)
    assert {"serving_default", "words", "__saved_model_init_op"} <= set(found.signature_def)
    assert (response.model_spec.name, response.model_spec.version.value) == ("toy", 2)
    request.ClearField("model_spec")
    assert refused(stub.GetModelMetadata, request) == (Code.INVALID_ARGUMENT, "Missing ModelSpec")
