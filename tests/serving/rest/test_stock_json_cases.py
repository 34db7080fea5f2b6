"""What the stock server's own tests of JSON (`json_tensor_test.cc`) ask, as a table.

Requests give these tensors or these words; tensors give this JSON. Of its cases, answers to
classify and regress are left out, which this server refuses.
"""

import json
import math

import grpc
import numpy as np
import pytest
import tensorflow as tf

from tests.serving.rest.test_json_request import inputs_of
from tfhashtag.serving.rest.json_examples import check_examples
from tfhashtag.serving.rest.json_request import read_inputs, signature_name
from tfhashtag.serving.rest.json_response import write_outputs
from tfhashtag.serving.rest.json_text import parse_json
from tfhashtag.serving.rest.rest_answer import RestAnswer
from tfhashtag.serving.status import RequestError

NAN, INF = math.nan, math.inf
INT, FLOAT, DOUBLE, STRING = tf.int32, tf.float32, tf.float64, tf.string
HELLO, WORLD = '{"b64": "aGVsbG8="}', '{"b64": "d29ybGQ="}'
ROWS = {
    "int_tensor": [[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 0], [1, 2]]],
    "str_tensor": [[b"foo", b"bar"], [b"baz", b"bat"]],
    "float_tensor": [[1.0, NAN], [2.0, INF]],
    "dbl_tensor": [[NAN], [2.0]],
}
MANY = """{"instances": [
    {"int_tensor": [[1,2],[3,4],[5,6]], "str_tensor": ["foo", "bar"],
     "float_tensor": [1.0, NaN], "dbl_tensor": [NaN]},
    {"int_tensor": [[7,8],[9,0],[1,2]], "str_tensor": ["baz", "bat"],
     "float_tensor": [2.0, Infinity], "dbl_tensor": [2.0]}]}"""
ONE_BOX = [[[1, 2], [3, 4], [5, 6]]]
READ = {
    "unnamed": ({"x": INT}, '{"instances": [[1,2],[3,4],[5,6]]}', {"x": [[1, 2], [3, 4], [5, 6]]}),
    "mixed floats": (
        {"x": FLOAT},
        '{"instances": [1, 2.0, 3, 4, 5.003, 0.007, 0.0]}',
        {"x": [1, 2, 3, 4, 5.003, 0.007, 0]},
    ),
    "mixed doubles": (
        {"x": DOUBLE},
        '{"instances": [1.0, 2, 3, 4, 0.662, 0, 0.0]}',
        {"x": [1, 2, 3, 4, 0.662, 0, 0]},
    ),
    "base64": ({"x": STRING}, f'{{"instances": [{HELLO}, {WORLD}]}}', {"x": [b"hello", b"world"]}),
    "lists of base64": (
        {"x": STRING},
        f'{{"instances": [[{HELLO}], [{WORLD}]]}}',
        {"x": [[b"hello"], [b"world"]]},
    ),
    "named base64": (
        {"x": STRING},
        f'{{"instances": [{{"x": [[{HELLO}], [{WORLD}]]}}]}}',
        {"x": [[[b"hello"], [b"world"]]]},
    ),
    "many": (
        dict(int_tensor=INT, str_tensor=STRING, float_tensor=FLOAT, dbl_tensor=DOUBLE),
        MANY,
        ROWS,
    ),
    "columns": ({"x": INT}, '{"inputs": {"x": [[[1,2],[3,4],[5,6]]]}}', {"x": ONE_BOX}),
    "columns, unnamed": ({"x": INT}, '{"inputs": [[[1,2],[3,4],[5,6]]]}', {"x": ONE_BOX}),
    "many columns": (
        {"int": INT, "str": STRING, "bin": STRING},
        f'{{"inputs": {{"int": [[[1,2],[3,4],[5,6]]], "str": ["foo", "bar"], "bin": {HELLO}}}}}',
        {"int": ONE_BOX, "str": [b"foo", b"bar"], "bin": b"hello"},
    ),
}
BOX = '"int": [[1,2],[3,4],[5,6]], "str": ["foo", "bar"]'
TWO = {"int": INT, "str": STRING}
REFUSED = {
    "empty": ({"x": INT}, "", "document is empty"),
    "signature": (
        {"x": INT},
        '{"signature_name": 5, "instances": [[1,2]]}',
        "must be a string value",
    ),
    "both": ({"x": INT}, '{"instances": [[1]], "inputs": [[1]]}', "Not formatted correctly"),
    "size": ({"x": INT}, '{"instances": [[1,2],[3,4],[5,6,7]]}', "Expecting tensor size"),
    "shape": ({"x": INT}, '{"instances": [[1,2],[3,4],[[5,6]]]}', "Expecting shape"),
    "scalar and list": ({"x": INT}, '{"instances": [1, [1]]}', "Expecting shape"),
    "type": ({"x": INT}, '{"instances": [[1,2],["a","b"]]}', "not of expected type"),
    "shapes of one of two": (
        TWO,
        f'{{"instances": [{{{BOX}}}, {{"int": [[[7,8],[9,0],[1,2]]], "str": ["baz", "bat"]}}]}}',
        "Expecting shape",
    ),
    "sizes of one of two": (
        TWO,
        f'{{"instances": [{{{BOX}}}, {{"int": [[7,8],[9,0]], "str": ["baz", "bat"]}}]}}',
        "Expecting tensor size",
    ),
    "list among objects": (
        TWO,
        f'{{"instances": [{{{BOX}}}, [1, 20, 30]]}}',
        "Expecting object but got list",
    ),
    "object among lists": (
        {"str": STRING},
        '{"instances": [["baz", "bar"], {"str": ["baz", "bat"]}]}',
        "Expecting value/list but got object",
    ),
}
EXAMPLES = {
    "signature": (
        '{"signature_name": ["hello"], "examples": [{"a": 1}]}',
        "'signature_name' key must",
    ),
    "context": ('{"context": [{"names": ["foo"]}]}', "Example must be JSON object"),
    "no list": ('{"examples": {"names": ["foo"]}}', "list/array"),
    "lists": ('{"examples": [[{"names": ["foo"]}]]}', "Example must be JSON object"),
    "null": (
        '{"examples": [{"names": [10, null]}]}',
        "names has element with unexpected JSON type: Null",
    ),
    "kinds": ('{"examples": [{"names": [10, 10.0]}]}', "feature: names expecting type: int64"),
    "object": ('{"examples": [{"names": [10, {"test": 10}]}]}', "unexpected JSON type: Object"),
    "list": ('{"examples": [{"names": [[10], 20]}]}', "unexpected JSON type: Array"),
    "uint64": (
        '{"examples": [{"names": [20, 18446744073709551603]}]}',
        "Only int64_t is supported",
    ),
}
GOOD_EXAMPLES = (
    '{"examples": [{"names": ["foo", "bar"], "ratings": [8.0, 9.0], "age": 20}, '
    '{"names": ["baz"], "ratings": 6.0}]}',
    '{"signature_name": "s", "context": {"query": "pizza", "location": ["sfo"]}, "examples": ['
    '{"ratings": [8.0, 9.0, NaN, Infinity]}, {"names": ["baz", {"b64": "aGVsbG8="}], '
    '"intboolmix": [1, true, false]}, {"names": "bar", "ratings": -Infinity}]}',
)
BOXES = np.array([[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 0], [1, 2]]], np.int32)
WORDS = np.array([[b"hello", b"world"], [b"tf", b"serving"]], object)
B64 = [[{"b64": "aGVsbG8="}, {"b64": "d29ybGQ="}], [{"b64": "dGY="}, {"b64": "c2VydmluZw=="}]]
PAIR = {
    "b_bytes": WORDS,
    "d": np.array([8.0, 9.0]),
    "f": np.array([[1.0], [2.0]], np.float32),
    "i": BOXES,
}


def read(types, body):
    document = parse_json(body.encode())
    signature_name(document)
    return read_inputs(document, inputs_of(**types))


@pytest.mark.parametrize("case", READ)
def test_requests(case):
    types, body, expected = READ[case]
    found, rows = read(types, body)
    assert rows == ("instances" in body) and found.keys() == expected.keys()
    for name, values in expected.items():
        dtype = object if types[name] is STRING else types[name].as_numpy_dtype
        assert found[name].dtype == dtype
        np.testing.assert_array_equal(found[name], np.array(values, dtype))


@pytest.mark.parametrize("case", REFUSED)
def test_refused_requests(case):
    types, body, words = REFUSED[case]
    with pytest.raises(RequestError) as error:
        read(types, body)
    assert error.value.code == grpc.StatusCode.INVALID_ARGUMENT and words in error.value.message


@pytest.mark.parametrize("case", EXAMPLES)
def test_refused_examples(case):
    body, words = EXAMPLES[case]
    with pytest.raises(RequestError) as error:
        document = parse_json(body.encode())
        signature_name(document)
        check_examples(document)
    assert error.value.code == grpc.StatusCode.INVALID_ARGUMENT and words in error.value.message


@pytest.mark.parametrize("body", GOOD_EXAMPLES)
def test_examples(body):
    check_examples(parse_json(body.encode()))


@pytest.mark.parametrize(
    ("outputs", "rows", "expected"),
    [
        ({"i": BOXES}, True, BOXES.tolist()),
        ({"i": BOXES}, False, BOXES.tolist()),
        ({"i": np.arange(1, 6, dtype=np.int32)}, True, [1, 2, 3, 4, 5]),
        ({"i": np.arange(1, 6, dtype=np.int32)}, False, [1, 2, 3, 4, 5]),
        ({"s_bytes": WORDS}, True, B64),
        ({"s": np.array(b"one", object)}, False, "one"),
        (
            PAIR,
            True,
            [
                {"b_bytes": B64[row], "d": 8.0 + row, "f": [1.0 + row], "i": BOXES[row].tolist()}
                for row in (0, 1)
            ],
        ),
        (PAIR, False, {"b_bytes": B64, "d": [8.0, 9.0], "f": [[1.0], [2.0]], "i": BOXES.tolist()}),
        ({"i": np.zeros([0, 2], np.int32)}, True, []),
        ({"s": np.zeros([0, 1, 2], object), "f": np.zeros([0, 3, 4], np.float32)}, True, []),
    ],
)
def test_answers(outputs, rows, expected):
    key = "predictions" if rows else "outputs"
    assert json.loads(write_outputs(outputs, rows)) == {key: expected}


@pytest.mark.parametrize(
    ("values", "tokens"),
    [
        (
            [9000000, 999999, 0.5, 0.0003, 0.00003, 555557.5],
            "9e+06,999999.0,0.5,0.0003,3e-05,555557.5",
        ),
        ([NAN, INF, 3, -INF], "NaN,Infinity,3.0,-Infinity"),
    ],
)
def test_tokens_of_floats(values, tokens):
    answer = write_outputs({"f": np.array(values, np.float32)}, rows=True)
    assert answer.decode() == f'{{"predictions": [{tokens}]}}'


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ({}, "empty tensor map"),
        ({"x": np.zeros(2, np.complex64)}, "tensor type: complex64"),
        ({"x": np.array(1, np.int32)}, "no shape information"),
        (
            {"i": np.zeros([2, 3], np.int32), "s": np.zeros([1, 3], np.int32)},
            "inconsistent batch size",
        ),
        (
            {"i": np.zeros([0, 2], np.int32), "s": np.zeros([1, 2], np.int32)},
            "inconsistent batch size",
        ),
    ],
)
def test_refused_answers(outputs, words):
    with pytest.raises(RequestError) as error:
        write_outputs(outputs, rows=True)
    assert error.value.code == grpc.StatusCode.INVALID_ARGUMENT and words in error.value.message


def test_errors_quote_keys():
    answer = RestAnswer.of_error(RequestError(grpc.StatusCode.INVALID_ARGUMENT, 'Bad key: "key"'))
    assert (answer.status, json.loads(answer.body)) == (400, {"error": 'Bad key: "key"'})
