"""Case 25: requests of many clients run together, and each gets what it would get alone.

Runs against the embedded server, or against one given by `--serving-batching-address`: see
conftest.py beside this file. The output `rows` is the size of the batch that a request was
in, `run` a number that is the same for all that ran with it.
"""

import grpc
import numpy as np
import tensorflow as tf

Code = grpc.StatusCode


def array(response, name="y"):
    return tf.make_ndarray(response.outputs[name])


def row(value, width=2):
    return np.full([1, width], value, np.float32)


def test_25_single_requests_run_together_and_equal_the_unbatched(batching_stub, stub, predict):
    asked = [predict(x=row(value)) for value in range(64)]
    running = [batching_stub.Predict.future(request, timeout=60) for request in asked]
    found = [call.result() for call in running]
    alone = [stub.Predict(request, timeout=60) for request in asked]
    for together, single in zip(found, alone, strict=True):
        np.testing.assert_array_equal(array(together), array(single))
    assert len({array(response, "run").item() for response in alone}) == 64
    assert len({array(response, "run").item() for response in found}) < 64


def test_25_a_batch_is_filled_up_and_the_extras_are_dropped(batching_stub, predict):
    response = batching_stub.Predict(predict(x=row(1)), timeout=60)
    assert array(response).tolist() == [[3.0, 3.0]]
    assert array(response, "rows").tolist() == [4]


def test_25_a_request_larger_than_the_largest_batch(batching_stub, predict, refused):
    assert refused(batching_stub.Predict, predict(x=np.ones([17, 2], np.float32))) == (
        Code.INVALID_ARGUMENT,
        "Task size 17 is larger than maximum input batch size 16",
    )


def test_25_inputs_without_a_common_first_dimension(batching_stub, predict, refused):
    assert refused(batching_stub.Predict, predict(x=np.float32(1))) == (
        Code.INVALID_ARGUMENT,
        "Batching Run() input tensors must have at least one dimension",
    )
    one, two = np.array(["a"], object), np.array(["a", "b"], object)
    code, words = refused(batching_stub.Predict, predict(signature="words", text=two, user=one))
    assert code == Code.INVALID_ARGUMENT
    assert words.endswith("equal 0th-dimension size")


def test_25_a_full_queue(batching_stub, predict):
    asked = predict(signature="slow", x=np.ones([16], np.float32))
    running = [batching_stub.Predict.future(asked, timeout=60) for _ in range(32)]
    refused = [call.exception() for call in running if call.exception() is not None]
    assert 0 < len(refused) < 32
    for error in refused:
        assert (error.code(), error.details()) == (
            Code.UNAVAILABLE,
            "The batch scheduling queue to which this task was submitted is full",
        )


def test_25_signatures_never_mix(batching_stub, predict):
    asked = [
        predict(signature=("", "negate")[value % 2], outputs=["y"], x=row(value))
        for value in range(64)
    ]
    running = [batching_stub.Predict.future(request, timeout=60) for request in asked]
    for value, call in enumerate(running):
        expected = -value if value % 2 else value + 2
        assert array(call.result()).tolist() == [[expected, expected]]
