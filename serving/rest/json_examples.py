"""Requests for classify and regress: what is wrong with their examples."""

from collections.abc import Mapping
from typing import Any

from tfhashtag.serving.rest.json_request import is_base64
from tfhashtag.serving.rest.json_text import kind, show
from tfhashtag.serving.status import invalid

_KINDS = {bool: "int64", int: "int64", float: "float", str: "bytes", dict: "bytes"}


def check_examples(document: Mapping[str, Any]) -> None:
    """Whether the examples of a request, and the context beside them, are such.

    Raises:
        RequestError: INVALID_ARGUMENT with the words of TensorFlow Serving.

    Example:

    >>> check_examples({"examples": [{"age": 20, "names": ["a", "b"]}]})
    """
    if "context" in document:
        _check_example(document["context"])
    examples = document.get("examples")
    if examples is None:
        raise invalid(
            f"JSON Value: {show(document)} When method is classify, key 'examples' is expected "
            "and was not found"
        )
    if type(examples) is not list:
        raise invalid(
            f"JSON Value: {show(document)} Expecting 'examples' value to be an list/array"
        )
    if not examples:
        raise invalid(f"JSON Value: {show(document)} 'examples' value is an empty array")
    for example in examples:
        _check_example(example)


def _check_example(example: Any) -> None:
    if type(example) is not dict:
        raise invalid(f"Example must be JSON object but got JSON {kind(example)}")
    for name, content in example.items():
        expected = None
        for value in content if type(content) is list else [content]:
            if (
                value is None
                or type(value) is list
                or (type(value) is dict and not is_base64(value))
            ):
                raise invalid(
                    f"Feature: {name} has element with unexpected JSON type: {kind(value)}"
                )
            found = _KINDS[type(value)]
            if found != (expected or found):
                raise invalid(
                    f"Unexpected element type in feature: {name} expecting type: {expected}"
                )
            if type(value) is int and value >= 2**63:
                raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
            expected = found
