"""Requests that a server must refuse, and requests that a fuzzer makes up."""

import json

import grpc
import hypothesis
import numpy as np
from google.protobuf.message import DecodeError
from hypothesis import strategies as st
from tensorflow_serving.apis import predict_pb2

from tfhashtag.serving.runtime.tensors import make_tensor

Code = grpc.StatusCode
# What a made-up request that is a protobuf may be answered with; anything else is a fault.
FUZZ_CODES = {
    Code.OK, Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.FAILED_PRECONDITION, Code.OUT_OF_RANGE,
    Code.RESOURCE_EXHAUSTED, Code.DEADLINE_EXCEEDED, Code.UNIMPLEMENTED, Code.UNAVAILABLE,
}  # fmt: skip
FUZZ_HTTP = {200, 400, 404, 413, 429, 501, 503, 504}


def bad_requests(good: predict_pb2.PredictRequest):
    """Name to (request, the code it must be refused with)."""

    def changed(change):
        request = predict_pb2.PredictRequest()
        request.CopyFrom(good)
        change(request)
        return request

    first = sorted(good.inputs)[0]
    wrong_type = make_tensor(np.ones([1, 1], np.int64))

    def short(request):
        request.inputs[first].CopyFrom(make_tensor(np.ones([2, 2], np.float32)))
        request.inputs[first].tensor_content = b"123"

    return {
        "no model": (changed(lambda r: r.ClearField("model_spec")), Code.INVALID_ARGUMENT),
        "empty name": (changed(lambda r: r.model_spec.ClearField("name")), Code.INVALID_ARGUMENT),
        "unknown model": (
            changed(lambda r: setattr(r.model_spec, "name", "nobody")), Code.NOT_FOUND,
        ),
        "unknown version": (
            changed(lambda r: setattr(r.model_spec.version, "value", 99)), Code.NOT_FOUND,
        ),
        "unknown label": (
            changed(lambda r: setattr(r.model_spec, "version_label", "none")),
            Code.INVALID_ARGUMENT,
        ),
        "unknown signature": (
            changed(lambda r: setattr(r.model_spec, "signature_name", "none")),
            Code.FAILED_PRECONDITION,
        ),
        "input missing": (changed(lambda r: r.inputs.pop(first)), Code.INVALID_ARGUMENT),
        "input too many": (
            changed(lambda r: r.inputs["more"].CopyFrom(wrong_type)), Code.INVALID_ARGUMENT,
        ),
        "wrong type": (
            changed(lambda r: r.inputs[first].CopyFrom(wrong_type)), Code.INVALID_ARGUMENT,
        ),
        "short content": (changed(short), Code.INVALID_ARGUMENT),
        "unknown output": (
            changed(lambda r: r.output_filter.append("none")), Code.INVALID_ARGUMENT,
        ),
    }  # fmt: skip


def _tensors():
    """TensorProtos of any type, shape and content, most of which contradict each other."""
    sizes = st.one_of(st.integers(-2, 4), st.sampled_from([2**20, 2**31, 2**62]))
    return st.builds(
        _tensor,
        st.integers(0, 30),
        st.lists(sizes, max_size=4),
        st.binary(max_size=40),
        st.lists(st.binary(max_size=12), max_size=4),
    )


def _tensor(dtype, dims, content, strings):
    tensor = predict_pb2.PredictRequest().inputs["x"]
    tensor.dtype = dtype
    for size in dims:
        tensor.tensor_shape.dim.add(size=size)
    if len(content) % 2:
        tensor.tensor_content = content
    tensor.string_val.extend(strings)
    return tensor


def _with_tensor(request, place, tensor):
    changed = predict_pb2.PredictRequest()
    changed.CopyFrom(request)
    names = sorted(changed.inputs)
    changed.inputs[names[place % len(names)]].CopyFrom(tensor)
    return changed.SerializeToString()


def _edited(data, edits):
    found = bytearray(data)
    for place, byte, cut in edits:
        if not found:
            break
        start = place % len(found)
        if cut:
            del found[start : start + 1 + byte % 16]
        else:
            found[start] = byte
    return bytes(found)


def fuzzed(count: int, grpc_requests, rest_bodies, seed: int):
    """Byte strings made up by hypothesis: (for gRPC, for REST), `count` together.

    Whole requests with bytes changed or cut out, tensors that contradict themselves, and noise.
    """
    edits = st.lists(
        st.tuples(st.integers(0, 2**20), st.integers(0, 255), st.booleans()), min_size=1, max_size=8
    )
    data = [request.SerializeToString() for request in grpc_requests]
    made = st.one_of(
        st.builds(_edited, st.sampled_from(data), edits),
        st.builds(_with_tensor, st.sampled_from(grpc_requests), st.integers(0, 9), _tensors()),
        st.binary(max_size=200),
    )
    values = st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["instances", "inputs", "b64", "x"]), inner, max_size=3
            )
        ),
        max_leaves=12,
    )
    bodies = st.one_of(
        st.builds(_edited, st.sampled_from(rest_bodies), edits),
        st.builds(lambda value: json.dumps(value).encode(), values),
        st.binary(max_size=200),
    )
    half = count // 2
    return _collect(made, count - half, seed), _collect(bodies, half, seed + 1)


def _collect(strategy, count: int, seed: int) -> list[bytes]:
    found: list[bytes] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def collect(value):
        found.append(value)

    if count:
        collect()
    # It stops early where it has seen everything.
    return [found[place % len(found)] for place in range(count)]


def is_expected_of_fuzz(data: bytes, code) -> bool:
    """Whether a gRPC answer to made-up bytes is one that may be."""
    try:
        predict_pb2.PredictRequest.FromString(data)
    except DecodeError:
        return code == Code.INTERNAL  # what gRPC says to what it cannot read
    return code in FUZZ_CODES
