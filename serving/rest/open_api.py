"""What the REST port answers, as an OpenAPI document: made of the models that are loaded."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import model_pb2

from tfhashtag.export.signatures import DEFAULT_SIGNATURE
from tfhashtag.serving.status import RequestError
from tfhashtag.serving.versions.model_store import ModelStore

PATH = "/openapi.json"

_ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
_BYTES = {
    "type": "object",
    "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
    "required": ["b64"],
    "additionalProperties": False,
}
_REFUSALS = {
    "400": "The request is wrong; the words say what.",
    "404": "No such model or version.",
    "413": "The body is too large.",
    "429": "Too many requests, or too much data in them, at a time.",
    "503": "Overloaded, or the model is being unloaded; `Retry-After` says when to come again.",
    "504": "The time of the request was over.",
}


def open_api(store: ModelStore, version: str) -> dict[str, Any]:
    """The document, OpenAPI 3.1.

    Args:
        store: the loaded models; a model without an available version has its status alone.
        version: of this package.
    """
    paths: dict[str, Any] = {
        "/healthz": {"get": _told("Whether the process answers", {"type": "object"})},
        "/readyz": {"get": _told("Whether every model answers", {"type": "object"}, "503")},
    }
    for name in store.names:
        base = f"/v1/models/{quote(name)}"
        paths[base] = {
            "get": _told(f"States of the versions of `{name}`", {"type": "object"}, "404")
        }
        try:
            with store.use(model_pb2.ModelSpec(name=name)) as servable:
                signatures = servable.signatures
        except RequestError:  # no version of it is available
            continue
        told = _told(f"Signatures of `{name}`", {"type": "object"}, "404")
        paths[f"{base}/metadata"] = {"get": told}
        paths[f"{base}:predict"] = {"post": _predict(name, signatures)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "tfhashtag", "version": version},
        "paths": paths,
        "components": {"schemas": {"Error": _ERROR}},
    }


def _predict(name: str, signatures: Mapping[str, meta_graph_pb2.SignatureDef]) -> dict[str, Any]:
    usable = {key: found for key, found in signatures.items() if not key.startswith("__")}
    bodies = [
        _body(key, signature, rows)
        for key, signature in sorted(usable.items())
        for rows in (True, False)
        if not rows or all(_rank(info) != 0 for info in signature.inputs.values())
    ]
    answer = {
        "type": "object",
        "properties": {"predictions": {"type": "array"}, "outputs": {}},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    words = "`predictions`, one a row, or `outputs`, by the signature's outputs"
    return {
        "summary": f"Asks the newest version of `{name}`",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"anyOf": bodies}}},
        },
        "responses": {
            "200": _json(words, answer),
            **{code: _refusal(code) for code in _REFUSALS},
        },
    }


def _body(key: str, signature: meta_graph_pb2.SignatureDef, rows: bool) -> dict[str, Any]:
    """The body of a request for a signature."""
    columns = {name: _tensor(name, info, int(rows)) for name, info in signature.inputs.items()}
    named: dict[str, Any] = {
        "type": "object",
        "properties": columns,
        "required": sorted(columns),
        "additionalProperties": not rows,
    }
    # An input that is the only one may stand without its name.
    value = {"anyOf": [named, *columns.values()]} if len(columns) == 1 else named
    asked = {"type": "array", "items": value, "minItems": 1} if rows else value
    field = "instances" if rows else "inputs"
    required = [field] if key == DEFAULT_SIGNATURE else [field, "signature_name"]
    return {
        "title": f"{key}, in {'rows' if rows else 'columns'}",
        "type": "object",
        "properties": {"signature_name": {"const": key}, field: asked},
        "required": required,
    }


def _tensor(name: str, info: meta_graph_pb2.TensorInfo, without: int) -> dict[str, Any]:
    """A tensor as nested lists, its outermost dimensions left out."""
    dtype = tf.as_dtype(info.dtype)
    value: dict[str, Any] = {"type": "number"}
    if dtype == tf.string:
        value = {"anyOf": [{"type": "string"}, _BYTES]}
    elif dtype == tf.bool:
        value = {"type": "boolean"}
    elif dtype.is_integer:
        value = {"type": "integer", "minimum": int(dtype.min), "maximum": int(dtype.max)}
    if info.tensor_shape.unknown_rank:
        return {"description": f"`{name}`: {dtype.name} of any rank"}
    for dim in reversed(info.tensor_shape.dim[without:]):
        value = {"type": "array", "items": value}
        if dim.size >= 0:
            value |= {"minItems": dim.size, "maxItems": dim.size}
    return value


def _rank(info: meta_graph_pb2.TensorInfo) -> int | None:
    return None if info.tensor_shape.unknown_rank else len(info.tensor_shape.dim)


def _told(summary: str, schema: dict[str, Any], *refusals: str) -> dict[str, Any]:
    answers = {"200": _json(summary, schema), **{code: _refusal(code) for code in refusals}}
    return {"summary": summary, "responses": answers}


def _refusal(code: str) -> dict[str, Any]:
    return _json(_REFUSALS[code], {"$ref": "#/components/schemas/Error"})


def _json(words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}
