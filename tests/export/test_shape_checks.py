"""Inputs of other shapes than declared: the exported graph objects, the process lives on."""

import grpc
import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.export.shape_checks import with_shape_checks
from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.status import RequestError
from tfhashtag.tasks.posts.signatures import SIGNATURES as POSTS
from tfhashtag.tasks.posts.signatures import VECTORS
from tfhashtag.tasks.users.signatures import SCORE
from tfhashtag.tasks.users.signatures import SIGNATURES as USERS


@pytest.fixture(scope="module", params=["posts", "engagement"])
def served(request):
    """A servable, and its signatures."""
    if request.param == "posts":
        folder, signatures = request.getfixturevalue("post_version"), POSTS
    else:
        folder, signatures = request.getfixturevalue("user_version")("engagement"), USERS
    servable = Servable(folder, "model", 1)
    yield servable, signatures
    servable.close()


def good_request(servable, signature):
    """The example of each input; given proposals are as wide as the model declares."""
    declared = servable.signature(signature.name)[1].inputs
    request = {}
    for tensor in signature.inputs:
        dtype = object if tensor.dtype == "string" else tensor.dtype
        value = np.array(tensor.example, dtype)
        if tensor.name == "proposals":
            _, rows, width = (size.size for size in declared["proposals"].tensor_shape.dim)
            rows = rows if rows > 0 else 4  # open: a picture of these models has four
            value = np.zeros([len(signature.inputs[0].example), rows, width], np.float32)
        request[tensor.name] = value
    return request


# The check is the same for all signatures; unequal rows are asked of both in the gate.
@pytest.mark.parametrize(
    "served", [pytest.param("posts", marks=pytest.mark.slow), "engagement"], indirect=True
)
def test_every_input_of_another_rank_is_refused(served):
    """A kernel that meets a rank it was not traced for has ended the process before."""
    servable, signatures = served
    for signature in signatures:
        good = good_request(servable, signature)
        expected = servable.predict(good, signature.name)
        for name, value in good.items():
            wrong = [value[None]]
            if value.ndim:
                wrong.append(value[0])
                wrong.append(value.reshape(-1)[0:1].reshape(()))
            for other in wrong:
                with pytest.raises(RequestError, match=f"^Input `{name}` has the shape ") as e:
                    servable.predict({**good, name: other}, signature.name)
                assert e.value.code == grpc.StatusCode.INVALID_ARGUMENT
                assert f"{list(other.shape)}; expected " in e.value.message
                assert "node" not in e.value.message and "not compatible" not in e.value.message
        again = servable.predict(good, signature.name)
        for name, value in expected.items():
            assert np.array_equal(again[name], value)


def test_inputs_with_unequal_rows_are_refused(served):
    servable, signatures = served
    for signature in signatures:
        good = good_request(servable, signature)
        with_rows = [tensor.name for tensor in signature.inputs if tensor.shape]
        for name in with_rows if len(with_rows) > 1 else ():
            more = np.concatenate([good[name]] * 3)
            with pytest.raises(RequestError, match=r"equal numbers of rows; found\]") as e:
                servable.predict({**good, name: more}, signature.name)
            assert "node" not in e.value.message
            assert e.value.code == grpc.StatusCode.INVALID_ARGUMENT


def test_no_kernel_is_quicker_than_the_check():
    """Operations run in parallel: the message must be ours each time, whichever comes first."""
    specs = [tf.TensorSpec([None]), tf.TensorSpec([None, 2, 3]), tf.TensorSpec([None])]

    def answer(text, proposals, user):
        return tf.tensordot(text, user, 1)

    function = tf.function(with_shape_checks(answer, VECTORS, specs), input_signature=specs)
    for _ in range(100):
        with pytest.raises(tf.errors.InvalidArgumentError, match="equal numbers of rows"):
            function(tf.ones([4]), tf.ones([4, 2, 3]), tf.ones([5]))


def test_the_check_stays_where_the_traced_shape_is_known():
    """Shapes are known when a function is traced, and a server feeds what it likes."""
    specs = [tf.TensorSpec([None, None], tf.string, "history")] * 2
    seen = []

    def answer(history, hashtags):
        seen.append((history.shape.as_list(), hashtags.shape.as_list()))
        return tf.shape(hashtags)

    function = tf.function(with_shape_checks(answer, SCORE, specs), input_signature=specs)
    kinds = {op.type for op in function.get_concrete_function().graph.get_operations()}
    assert {"EnsureShape", "Assert"} <= kinds or {"EnsureShape", "If"} <= kinds
    assert function(tf.fill([2, 3], ""), tf.fill([2, 5], "")).numpy().tolist() == [2, 5]
    assert seen == [([None, None], [None, None])]
