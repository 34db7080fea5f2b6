"""Requests for gRPC, and what is answered to those that fail."""

import grpc
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import predict_pb2


def predict(name="toy", signature="", version=None, label=None, outputs=(), **inputs):
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    for key, value in inputs.items():
        given = isinstance(value, TensorProto)
        request.inputs[key].CopyFrom(value if given else tf.make_tensor_proto(value))
    return request


def refused(method, request, timeout=60):
    """Code and words of a call that fails."""
    with pytest.raises(grpc.RpcError) as error:
        method(request, timeout=timeout)
    return error.value.code(), error.value.details()
