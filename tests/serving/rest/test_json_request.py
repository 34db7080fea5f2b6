"""Round trips: what is written is what was read."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow.core.protobuf import meta_graph_pb2

from tfhashtag.serving.rest.json_request import read_inputs
from tfhashtag.serving.rest.json_response import write_outputs
from tfhashtag.serving.rest.json_text import parse_json, show
from tfhashtag.serving.status import RequestError

NUMBERS = [
    tf.float32, tf.float64, tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint32,
    tf.uint64, tf.bool,
]  # fmt: skip


def inputs_of(**types):
    return {
        name: meta_graph_pb2.TensorInfo(dtype=dtype.as_datatype_enum)
        for name, dtype in types.items()
    }


def shapes(rows):
    return hnp.array_shapes(min_dims=rows, max_dims=3, min_side=rows, max_side=3)


def arrays(dtype, shape):
    if dtype is tf.string:
        return hnp.arrays(object, shape, elements=st.text().map(str.encode))
    return hnp.arrays(dtype.as_numpy_dtype, shape)


@st.composite
def two_arrays(draw):
    """Two inputs with the same number of rows, and whether to send them in rows."""
    rows = draw(st.booleans())
    types = {name: draw(st.sampled_from([*NUMBERS, tf.string])) for name in ("a", "b")}
    first = draw(st.integers(1, 3)) if rows else 0
    found = {}
    for name, dtype in types.items():
        shape = draw(shapes(0))
        found[name] = draw(arrays(dtype, (first, *shape) if rows else shape))
    return types, found, rows


@given(two_arrays())
def test_what_is_written_reads_as_it_was(given_arrays):
    types, found, rows = given_arrays
    document = parse_json(write_outputs(found, rows))
    document = {"instances": document["predictions"]} if rows else {"inputs": document["outputs"]}
    read, in_rows = read_inputs(document, inputs_of(**types))
    assert in_rows == rows
    for name, array in found.items():
        assert read[name].dtype == array.dtype
        # A list that is empty says nothing of the lists that would be in it.
        shape = array.shape[: array.shape.index(0) + 1] if 0 in array.shape else array.shape
        assert read[name].shape == shape
        np.testing.assert_array_equal(read[name], array.reshape(shape))


@given(arrays(tf.string, st.integers(1, 3)), st.binary())
def test_bytes_come_back(texts, picture):
    texts[0] = picture
    document = parse_json(write_outputs({"a_bytes": texts}, rows=False))
    read, _ = read_inputs({"inputs": document["outputs"]}, inputs_of(a_bytes=tf.string))
    assert read["a_bytes"].tolist() == texts.tolist()


def test_strings_that_are_not_utf8_leave_as_they_are():
    answer = write_outputs({"a": np.array([b"\xff"], object)}, rows=False)
    assert answer == b'{"outputs": ["\xff"]}'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "b64", "é"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(["instances", "inputs"]),
    JSON,
    st.dictionaries(
        st.sampled_from(["a", "b"]), st.sampled_from([*NUMBERS, tf.string]), min_size=1
    ),
)
def test_any_json_is_read_or_refused(key, value, types):
    try:
        read, _ = read_inputs(parse_json(json.dumps({key: value}).encode()), inputs_of(**types))
    except RequestError as error:
        assert error.message
        return
    assert read.keys() == types.keys()
    for name, array in read.items():
        expected = object if types[name] is tf.string else types[name].as_numpy_dtype
        assert array.dtype == expected


@given(st.binary())
def test_any_bytes_are_parsed_or_refused(body):
    try:
        assert type(parse_json(body)) is dict
    except RequestError as error:
        assert error.message


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (tf.int8, 128), (tf.uint8, -1), (tf.uint32, 2**32), (tf.int64, 2**63), (tf.uint64, 2**64),
        (tf.int32, True), (tf.bool, 1), (tf.float32, True), (tf.float64, 10**400), (tf.string, 1),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(dtype, value):
    with pytest.raises(RequestError):
        read_inputs({"inputs": [value]}, inputs_of(x=dtype))


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (tf.int8, -128), (tf.uint64, 2**64 - 1), (tf.float32, 2**24 - 1), (tf.float32, 2.0**24),
        (tf.float32, 2**24), (tf.float64, 2**53),
        (tf.float64, 2**70), (tf.float64, 1.7976931348623157e308), (tf.float32, -math.inf),
    ],
)  # fmt: skip
def test_what_just_fits_is_read(dtype, value):
    read, _ = read_inputs({"inputs": [value]}, inputs_of(x=dtype))
    assert read["x"].tolist() == [value]


def test_the_largest_float_comes_back_from_nine_digits():
    largest = np.finfo(np.float32).max
    read, _ = read_inputs({"inputs": [3.40282347e38, -3.40282347e38]}, inputs_of(x=tf.float32))
    assert read["x"].tolist() == [largest, -largest]


@pytest.mark.parametrize("text", ["YQ==", "YQ", "Y Q\n=", "YQ="])
def test_base64_may_lack_its_filling(text):
    read, _ = read_inputs({"inputs": [{"b64": text}]}, inputs_of(x=tf.string))
    assert read["x"].tolist() == [b"a"]


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (tf.float32, 1435774380), (tf.float32, 2**24 + 1), (tf.float32, -(2**24) - 1),
        (tf.float64, 2**53 + 1), (tf.float32, 1e39), (tf.float32, -3.4028236e38),
        (tf.float32, 2**128),
    ],
)  # fmt: skip
def test_numbers_that_a_float_has_not_are_rounded(dtype, value):
    read, _ = read_inputs({"inputs": [value]}, inputs_of(x=dtype))
    with np.errstate(over="ignore"):
        assert read["x"].tolist() == [np.float64(value).astype(dtype.as_numpy_dtype)]


def test_numbers_that_are_none_in_each_spelling():
    body = b'{"inputs": [NaN, -NaN, Inf, -Inf, Infinity,-Infinity,Inf ], "Inf": " Inf, -NaN"}'
    document = parse_json(body)
    assert [str(value) for value in document["inputs"]] == [
        "nan", "nan", "inf", "-inf", "inf", "-inf", "inf",
    ]  # fmt: skip
    assert document["Inf"] == " Inf, -NaN"
    for wrong in (b'{"a": Info}', b'{"a": Infinit}', b'{"a": nan}', b'{"a": infinity}'):
        with pytest.raises(RequestError, match="JSON Parse error"):
            parse_json(wrong)


def test_what_stands_around_the_document():
    assert parse_json(b"\xef\xbb\xbf {} \r\n\t") == {}
    for wrong, offset in ((b"{} {}", 3), (b"{}x", 2), (b"{}\x00", 2)):
        with pytest.raises(RequestError, match="must not be followed by other values") as error:
            parse_json(wrong)
        assert error.value.message.endswith(f"at offset: {offset}")
    with pytest.raises(RequestError, match="The document is empty"):
        parse_json(b" \n")


def test_an_excerpt_is_a_line_of_256_bytes():
    for value in ({"a": [1, 2], "b": "x\ny"}, ["é" * 10_000], list(range(10_000)), "\ud800" * 200):
        text = show(value)
        assert "\n" not in text and len(text.encode("utf-8", "surrogatepass")) <= 256
    assert show({"a": [1, "é"]}) == '{"a":[1,"é"]}'


def test_values_are_counted_before_they_are_made():
    assert parse_json(b'{"inputs": [1, 2, 3]}', 3) == {"inputs": [1, 2, 3]}
    with pytest.raises(RequestError, match="more than 3 values"):
        parse_json(b'{"inputs": [1, 2, 3, 4', 3)
