"""JSON as TensorFlow Serving reads and writes it: NaN and Infinity are allowed."""

import json
import math
from typing import Any

import numpy as np

from tfhashtag.serving.status import invalid

_KINDS = {
    type(None): "Null",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}


def parse_json(body: bytes) -> dict[str, Any]:
    """The object that a request body holds.

    Raises:
        RequestError: INVALID_ARGUMENT, it is not JSON in UTF-8, nested too deep, has a number
            beyond the range of a double, or is not an object.

    Example:

    >>> parse_json(b'{"inputs": [1, NaN]}')
    {'inputs': [1, nan]}
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        text = body.decode()
        document = json.loads(text, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise invalid(f"JSON Parse error: Not UTF-8 at offset: {error.start}") from error
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    except RecursionError as error:
        raise invalid("JSON Parse error: Nested too deep") from error
    except ValueError as error:  # also a number of thousands of digits
        raise invalid(f"JSON Parse error: {error}") from error
    if type(document) is not dict:
        raise invalid(f"JSON Value: {show(document)} Is not object")
    return document


def kind(value: Any) -> str:
    """What the value is called in messages.

    >>> [kind(value) for value in (None, True, 1.5, "a", [], {})]
    ['Null', 'True', 'Number', 'String', 'Array', 'Object']
    """
    return str(value) if value is True or value is False else _KINDS[type(value)]


def show(value: Any) -> str:
    """The value for a message, laid out as TensorFlow Serving lays it out.

    >>> show(0.1), show("a")
    ('0.1', '"a"')
    """
    if type(value) is float:
        return float_tokens(np.array([value], np.float64))[0]
    return json.dumps(value, ensure_ascii=False, indent=4)


def float_tokens(values: np.ndarray) -> list[str]:
    """The floats as JSON numbers: six digits where they suffice, else all that the type has.

    Args:
        values: float32 or float64 [n].

    Example:

    >>> float_tokens(np.array([0.2, 3, 9000000, 1 / 3, np.nan, -np.inf], np.float32))
    ['0.2', '3.0', '9e+06', '0.333333343', 'NaN', '-Infinity']
    """
    digits = 17 if values.dtype == np.float64 else 9
    plain = values.tolist()
    short = ["%.6g" % value for value in plain]  # noqa: UP031, three times as fast as an f-string
    exact = np.array(short, np.float64).astype(values.dtype) == values
    return [
        _number(token if same else f"{value:.{digits}g}", value)
        for token, same, value in zip(short, exact.tolist(), plain, strict=True)
    ]


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("Number too big to be stored in double.")
    return value


def _number(token: str, value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    # Without it a list of floats could hold integers.
    return token if "." in token or "e" in token else token + ".0"
