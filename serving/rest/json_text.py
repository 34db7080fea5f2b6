"""JSON as TensorFlow Serving reads and writes it: NaN and Infinity are allowed."""

import json
import math
import re
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

_WHITE = " \t\n\r"
_SHOWN = 256
# `Inf` and `-NaN` are numbers for a stock server and not for Python.
_INF = re.compile(r"[\[:,\s-]Inf\s*[\],}]|-NaN")
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|-?Inf(?:inity)?|-NaN')


def parse_json(body: bytes, most_values: int | None = None) -> dict[str, Any]:
    """The object that a request body holds.

    Args:
        body: JSON; `NaN`, `Inf` and `Infinity`, with or without a minus, are numbers.
        most_values: values that it may hold; they are bounded before any is made.

    Raises:
        RequestError: INVALID_ARGUMENT, it is not JSON in UTF-8, nested too deep, has a number
            beyond the range of a double, holds too many values, or is not an object.

    Example:

    >>> parse_json(b'{"inputs": [1, NaN, -Inf]}')
    {'inputs': [1, nan, -inf]}
    """
    # Each value but the first of a list follows a comma; those in texts are counted, too.
    if most_values is not None and body.count(b",") >= most_values:
        raise invalid(f"The JSON may hold more than {most_values} values; send less at a time.")
    try:
        text = body.decode("utf-8-sig")
        if ("Inf" in text or "-NaN" in text) and _INF.search(text):
            text = _TOKENS.sub(_spelled_out, text)
        document, end = _DECODER.raw_decode(text, len(text) - len(text.lstrip(_WHITE)))
        rest = text[end:].lstrip(_WHITE)
    except UnicodeDecodeError as error:
        raise invalid(f"JSON Parse error: Not UTF-8 at offset: {error.start}") from error
    except json.JSONDecodeError as error:
        message = "The document is empty" if not text.strip(_WHITE) else error.msg
        raise invalid(f"JSON Parse error: {message} at offset: {error.pos}") from error
    except RecursionError as error:
        raise invalid("JSON Parse error: Nested too deep") from error
    except ValueError as error:  # also a number of thousands of digits
        raise invalid(f"JSON Parse error: {error}") from error
    if rest:
        raise invalid(
            "JSON Parse error: The document root must not be followed by other values. at offset: "
            f"{len(text) - len(rest)}"
        )
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
    """The value for a message, on one line, at most 256 bytes of it.

    >>> show(0.1), show("a"), show({"a": [1, 2]})
    ('0.1', '"a"', '{"a":[1,2]}')
    """
    if type(value) is float:
        return float_tokens(np.array([value], np.float64))[0]
    text = ""
    for part in _ENCODER.iterencode(value):
        text += part[:_SHOWN]
        if len(text) >= _SHOWN:
            break
    # Half a surrogate pair stays what it is; a character is never cut.
    return text.encode("utf-8", "surrogatepass")[:_SHOWN].decode("utf-8", "ignore")


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


def _spelled_out(token: re.Match[str]) -> str:
    found = token[0]
    if found[0] == '"':
        return found
    return "NaN" if found.endswith("NaN") else found.removesuffix("inity") + "inity"


def _number(token: str, value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    # Without it a list of floats could hold integers.
    return token if "." in token or "e" in token else token + ".0"


_DECODER = json.JSONDecoder(parse_float=_finite)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
