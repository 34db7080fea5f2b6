import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

from tfhashtag.serving.runtime.tensors import make_tensor, parse_tensor


def proto(dtype, shape, **values):
    return TensorProto(
        dtype=dtype.as_datatype_enum, tensor_shape=tf.TensorShape(shape).as_proto(), **values
    )


NUMBERS = (
    "float32 float64 float16 bfloat16 int8 uint8 int16 uint16 int32 uint32 int64 uint64 bool "
    "complex64 complex128"
)


@pytest.mark.parametrize("dtype", NUMBERS.split(" "))
def test_numbers_travel_both_ways(dtype):
    array = np.array([[0, 1, 2], [3, 100, 1]]).astype(tf.as_dtype(dtype).as_numpy_dtype)
    for message in (make_tensor(array), tf.make_tensor_proto(array)):
        parsed = parse_tensor(TensorProto.FromString(message.SerializeToString()))
        assert parsed.dtype == array.dtype
        np.testing.assert_array_equal(parsed, array)
    np.testing.assert_array_equal(tf.make_ndarray(make_tensor(array)), array)


def test_strings_travel_both_ways():
    array = np.array([["é".encode(), b"\xff\x00"], [b"", b"a"]], object)
    assert parse_tensor(make_tensor(array)).tolist() == array.tolist()
    assert parse_tensor(make_tensor(np.array(["a", "bc"]))).tolist() == [b"a", b"bc"]


def test_few_values_repeat_the_last_none_are_zeros_many_are_cut():
    assert parse_tensor(proto(tf.string, [3], string_val=[b"a"])).tolist() == [b"a"] * 3
    assert parse_tensor(proto(tf.string, [2])).tolist() == [b"", b""]
    assert parse_tensor(proto(tf.float32, [4], float_val=[1, 2])).tolist() == [1, 2, 2, 2]
    assert parse_tensor(proto(tf.int64, [2])).tolist() == [0, 0]
    assert parse_tensor(proto(tf.int32, [2], int_val=[1, 2, 3])).tolist() == [1, 2]
    assert parse_tensor(proto(tf.float32, [], float_val=[5])).shape == ()


@pytest.mark.parametrize(
    "message",
    [
        proto(tf.float32, [2], tensor_content=b"1234"),
        proto(tf.float32, [2], tensor_content=b"123412341234"),
        proto(tf.string, [1], tensor_content=b"a"),
        proto(tf.float32, None, float_val=[1]),
        proto(tf.float32, [None], float_val=[1]),
        proto(tf.float32, [2**40]),
        proto(tf.variant, [1]),
        TensorProto(dtype=0),
        TensorProto(dtype=99),
    ],
)
def test_broken_tensors_are_refused(message):
    with pytest.raises(ValueError, match=r".+"):
        parse_tensor(message)
